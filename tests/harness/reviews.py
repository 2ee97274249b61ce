"""Reviews over HTTP, for tests."""

from typing import Any

import httpx

from tests.harness.buying import Market
from tests.harness.shop import Person

_BOTH = ("update reviews set {}", "update reviews_by_user set {}")
# What breaks each check of reviews and no other.
OF_REVIEWS: dict[str, tuple[str, ...]] = {
    "R-I11-counted": tuple(one.format("rating = 6 - rating + (rating = 3)::int") for one in _BOTH),
    "R-I11-shown": (
        "update products set review_count = 99 where product_id in (select product_id from product_ratings)",
    ),
    "R-I11-found": (_BOTH[1].format("rating = 6 - rating + (rating = 3)::int"),),
    "R-I11-votes": (_BOTH[0].format("helpful_count = helpful_count + 1"),),
    "R-I11-verified": tuple(one.format("order_id = null") + " where verified_purchase" for one in _BOTH),
}
COMMENT = "Holds the laptop firmly, and the oak is real."


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
