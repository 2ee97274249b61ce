"""Reviews over HTTP, for tests."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx

from tests.harness.buying import Market
from tests.harness.shop import Person

_BOTH = ("update reviews set {}", "update reviews_by_user set {}")
_DECIDED = (
    "insert into review_decisions (decision_id, review_id, version, cause, decision, score, reasons)"
    " select 'ffffffff-0000-7000-8000-000000000000', review_id, 2, 'edited', '{}', 0, '[]' from review_versions"
)
_ONE = " where review_id in (select review_id from review_versions)"
# What breaks each check of reviews and no other.
OF_REVIEWS: dict[str, tuple[str, ...]] = {
    "R-I11-counted": tuple(one.format("rating = 6 - rating + (rating = 3)::int") for one in _BOTH),
    "R-I11-shown": (
        "update products set review_count = 99 where product_id in (select product_id from product_ratings)",
    ),
    "R-I11-seller": ("update sellers set rating = 5 - rating",),
    "R-I11-found": (_BOTH[1].format("rating = 6 - rating + (rating = 3)::int"),),
    "R-I11-votes": (_BOTH[0].format("helpful_count = helpful_count + 1"),),
    "R-I42-queue": (
        *(one.format("status = 'queued'") + _ONE for one in _BOTH),
        _DECIDED.format("queued"),
        (
            "insert into outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload)"
            " select gen_random_uuid(), 'review', review_id, 1, 'ReviewDecided',"
            f" jsonb_build_object('productId', product_id) from reviews_by_user{_ONE}"
        ),
    ),
    "R-I42-decided": (_DECIDED.format("rejected"),),
    "R-I42-appeals": (
        "alter table review_appeals disable trigger user",
        (
            "update review_appeals a set decision_id = d.decision_id from review_decisions d"
            " where d.review_id = a.review_id and d.decision = 'published'"
        ),
    ),
    "R-I11-verified": tuple(one.format("order_id = null") + " where verified_purchase" for one in _BOTH),
}
# The request whose mail a scene has.
REQUEST = "a review"
COMMENT = "Holds the laptop firmly."


class Reviewing:
    """One product and what is said about it."""

    def __init__(self, market: Market, seller: Person) -> None:
        self.market, self.seller = market, seller
        self.product = market.product(seller, stock=50)
        self.id = str(self.product["productId"])
        self.path = f"/api/v1/products/{self.id}/reviews"

    def send(self, who: Person, **body: Any) -> httpx.Response:
        sent = {"rating": 5, "comment": f"{COMMENT} {who.email.split('@')[0]}", **body}
        return self.market.client.post(self.path, json=sent, headers=who.headers)

    def review(self, who: Person, **body: Any) -> dict[str, Any]:
        answer = self.send(who, **body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def bought(self, who: Person, *, delivered: bool = True) -> str:
        """The id of a new order of the product."""
        answer = self.market.buy(who, self.market.order_body((self.product, 1)))
        assert answer.status_code == 201, answer.text
        order = str(answer.json()["orderId"])
        if delivered:
            self.market.deliver(self.seller, order)
        return order

    def on(self, who: Person | None, method: str, review: str, end: str = "", **options: Any) -> httpx.Response:
        headers = {**(who.headers if who else {}), **options.pop("headers", {})}
        path = f"/api/v1/reviews/{review}{end}"
        return self.market.client.request(method, path, headers=headers, **options)

    def listed(self, who: Person | None = None, **query: Any) -> dict[str, Any]:
        answer = self.market.client.get(self.path, params=query, headers=who.headers if who else {})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def reviewed(market: Market, buyer: Person, product: str, line: str) -> str:
    """The id of a review of the buyer, who was asked for it."""
    market.sql.execute(
        "insert into review_requests (request_id, order_item_id, order_id, product_id, user_id, due_at, status)"
        " select %s, order_item_id, order_id, product_id, %s, now(), 'sent' from order_items where order_item_id = %s",
        (uuid5(NAMESPACE_URL, REQUEST), buyer.user_id, line),
    )
    body = {"rating": 5, "comment": "Good."}
    answer = market.client.post(f"/api/v1/products/{product}/reviews", json=body, headers=buyer.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["reviewId"])


def refused(market: Market, seller: Person, buyer: Person, admin: Person) -> str:
    """The id of a review of the buyer that was rejected."""
    product, sent = market.product(seller)["productId"], {"rating": 5, "comment": "Good."}
    answer = market.client.post(f"/api/v1/products/{product}/reviews", json=sent, headers=buyer.headers)
    assert answer.status_code == 201, answer.text
    review, body = str(answer.json()["reviewId"]), {"version": 1, "decision": "reject", "statement": "s"}
    path = f"/api/v1/admin/reviews/{review}/decision"
    assert market.client.put(path, json=body, headers=admin.headers).status_code == 200
    return review
