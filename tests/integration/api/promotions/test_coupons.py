"""Codes in carts and orders: what they take off, why not, and that an order redeems all of them or is not placed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.harness.buying import ADDRESS, Market
from tests.harness.coupons import PROMOTIONS, asked_for, promote, redeemed
from tests.harness.sessions import guest_headers
from tests.harness.shop import PASSWORD, Person, problem

CART = "/api/v1/cart"


@dataclass
class People:
    seller: Person
    buyer: Person
    admin: Person


@pytest.fixture(scope="module")
def people(seller: Person, buyer: Person, admin: Person) -> People:
    return People(seller, buyer, admin)


@pytest.fixture(scope="module")
def product(market: Market, seller: Person) -> dict[str, Any]:
    return market.product(seller, stock=5_000, price=10.0, title="Lamp")


@pytest.fixture(scope="module")
def other(market: Market) -> dict[str, Any]:
    """Another seller's."""
    return market.product(market.person("seller"), stock=5_000, price=7.77, title="Cup", category="/Home/Kitchen")


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    person = market.person()
    market.sql.execute("update users set user_type = 'admin' where user_id = %s", (person.user_id,))
    login = {"email": person.email, "password": PASSWORD}
    token = market.client.post("/api/v1/auth/login", json=login).json()["accessToken"]
    market.client.cookies.clear()
    return replace(person, access_token=token)


@pytest.fixture
def guest(market: Market) -> Iterator[dict[str, str]]:
    market.client.cookies.clear()
    yield guest_headers()
    market.client.cookies.clear()


def put(market: Market, who: dict[str, str], product: dict[str, Any], units: int = 1) -> dict[str, Any]:
    line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": units}
    answer = market.client.post(f"{CART}/items", json=line, headers=who)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def use(market: Market, who: dict[str, str], code: str) -> httpx.Response:
    return market.client.post(f"{CART}/coupons", json={"code": code}, headers=who)


def used(market: Market, who: dict[str, str], code: str) -> dict[str, Any]:
    answer = use(market, who, code)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def order_cart(market: Market, who: dict[str, str], **fields: Any) -> httpx.Response:
    body = {**market.order_body(email="guest@example.com", **fields)}
    del body["items"]
    return market.buy(who, body)


def order_of(market: Market, who: dict[str, str], answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = market.client.get(f"/api/v1/orders/{answer.json()['orderId']}", headers=who).json()
    return body


def test_a_cart_explains_its_codes_line_by_line_and_its_order_costs_the_same(
    market: Market, people: People, product: dict[str, Any], other: dict[str, Any], guest: dict[str, str]
) -> None:
    of_seller = promote(market, people.seller, "lamp-10", name="Lamps", priority=1)
    of_shop = promote(market, people.admin, "SHOP-5", name="Five off", kind="amount", value=5)
    put(market, guest, product, 3)
    put(market, guest, other)
    used(market, guest, "Lamp-10")
    cart = used(market, guest, "shop-5")

    lamp, cup = cart["items"]
    assert lamp["discounts"] == [
        {"promotion": "Lamps", "amount": 3.0},
        {"promotion": "Five off", "amount": 3.88},
    ]
    assert cup["discounts"] == [{"promotion": "Five off", "amount": 1.12}]
    assert (cart["subtotal"], cart["discount"], cart["tax"], cart["shipping"]) == (37.77, 8.0, 2.38, 4.99)
    assert cart["total"] == 37.14
    assert cart["coupons"] == [
        {"code": "LAMP-10", "applied": True, "promotion": "Lamps", "discount": 3.0, "reason": None, "text": None},
        {"code": "SHOP-5", "applied": True, "promotion": "Five off", "discount": 5.0, "reason": None, "text": None},
    ]
    assert [(one["kind"], one["text"], one["amount"]) for one in cart["explanation"]][2:5] == [
        ("discount", "Lamps: Lamp", -3.0),
        ("discount", "Five off: Lamp", -3.88),
        ("discount", "Five off: Cup", -1.12),
    ]
    assert round(sum(one["amount"] for one in cart["explanation"] if not one["included"]), 2) == cart["total"]

    order = order_of(market, guest, order_cart(market, guest, expectedTotal=cart["total"]))
    assert {name: order[name] for name in ("subtotal", "discount", "tax", "shipping", "total")} == {
        name: cart[name] for name in ("subtotal", "discount", "tax", "shipping", "total")
    }
    assert sorted((line["title"], line["discount"], line["promotion"]) for line in order["items"]) == [
        ("Cup", 1.12, "Five off"),
        ("Lamp", 6.88, "Lamps, Five off"),
    ]
    assert (redeemed(market, of_seller), redeemed(market, of_shop)) == ((1, 1, 0), (1, 1, 0))
    paid_by = "select promotion_id::text, funded_by from coupon_redemptions where order_id = %s"
    assert dict(market.sql.execute(paid_by, (order["orderId"],)).fetchall()) == {
        of_seller["promotionId"]: "seller",
        of_shop["promotionId"]: "shop",
    }
    after = market.client.get(CART, headers=guest).json()
    assert (after["items"], after["coupons"], after["total"]) == ([], [], 0.0)


def test_a_code_put_in_while_the_cart_is_ordered_stays(
    market: Market, seller: Person, product: dict[str, Any], guest: dict[str, str]
) -> None:
    """The cart is taken as it was when its order was planned."""
    promote(market, seller, "EARLY-1")
    promote(market, seller, "LATER-1")
    put(market, guest, product)
    cart_id = used(market, guest, "EARLY-1")["cartId"]
    market.sql.execute(
        "create or replace function add_code() returns trigger language plpgsql as $$ begin"
        " new.coupons = 'EARLY-1 LATER-1'; return new; end $$"
    )
    market.sql.execute(
        "create trigger add_code before update of claimed_by on carts for each row"
        f" when (new.claimed_by is not null and new.cart_id = '{cart_id}') execute function add_code()"
    )
    try:
        answer = order_cart(market, guest)
    finally:
        market.sql.execute("drop trigger add_code on carts")
    assert answer.status_code == 201, answer.text
    assert market.scalar("select coupons from carts where cart_id = %s", (cart_id,)) == "EARLY-1 LATER-1"


WHY: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "WHY-LATER": ({"startsAt": "2090-01-01T00:00:00Z"}, 422, "not-started"),
    "WHY-OVER": ({"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-02-01T00:00:00Z"}, 422, "ended"),
    "WHY-SMALL": ({"minimum": 100}, 200, "below-minimum"),
    "WHY-EURO": ({"currency": "EUR"}, 200, "other-currency"),
    "WHY-HOME": ({"category": "/Home"}, 200, "no-goods"),
    "WHY-NOT": ({"kind": "amount", "value": 3, "maxDiscount": 1}, 200, None),
    "WHY-SENT": ({"kind": "free_shipping", "value": None}, 200, None),
}


@pytest.mark.parametrize("code", WHY)
def test_a_code_says_why_it_takes_nothing_off(
    market: Market, seller: Person, product: dict[str, Any], guest: dict[str, str], code: str
) -> None:
    fields, status, reason = WHY[code]
    market.category("/Home")
    promote(market, seller, code, **fields)
    put(market, guest, product)

    answer = use(market, guest, code)

    assert answer.status_code == status, answer.text
    if status == 422:
        assert (answer.json()["reason"], answer.json()["errors"][0]["pointer"]) == (reason, "/code")
        return
    cart = answer.json()
    assert [(one["reason"], one["applied"]) for one in cart["coupons"]] == [(reason, reason is None)]
    assert (cart["shipping"], cart["discount"]) == {"WHY-NOT": (4.99, 1.0), "WHY-SENT": (0.0, 0.0)}.get(
        code, (4.99, 0.0)
    )


def test_what_is_no_code_of_the_buyers_is_refused_the_same_way(
    market: Market, seller: Person, buyer: Person, product: dict[str, Any], guest: dict[str, str]
) -> None:
    owner = market.person()
    codes = [{"code": "FOR-YOU", "email": owner.email.upper()}]
    promote(market, seller, codes=codes)
    for code in ("NO-SUCH", "x", "FOR-YOU'--", "F\u200bOR-YOU", "FOR-YOU"):
        answer = use(market, buyer.headers, code)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/code-not-usable"), code
        assert (answer.json()["reason"], answer.json()["errors"][0]["message"]) == ("unknown", "there is no such code")
    torn = use(market, buyer.headers, "FOR-YOU\u0000")
    assert (torn.status_code, torn.json()["errors"][0]["pointer"]) == (422, "/code")
    assert use(market, owner.headers, " for-you ").json()["coupons"][0]["code"] == "FOR-YOU"
    body = market.order_body((product, 1), email="somebody@example.com", couponCodes=["FOR-YOU"])
    refused = market.buy(guest, body)
    assert (refused.status_code, refused.json()["coupons"][0]["reason"]) == (409, "unknown")
    assert market.buy(owner, {**body, "email": None}).status_code == 201


def test_an_order_with_a_code_that_became_invalid_names_it_and_the_new_total_and_does_nothing(
    market: Market, seller: Person, product: dict[str, Any], guest: dict[str, str]
) -> None:
    promotion = promote(market, seller, "SOON-OVER")
    put(market, guest, product, 2)
    cart = used(market, guest, "SOON-OVER")
    ended = market.client.post(f"{PROMOTIONS}/{promotion['promotionId']}/end", headers=seller.headers)
    assert ended.status_code == 200
    counted = (
        "select (select count(*) from orders), (select count(*) from checkouts), (select sum(available) from"
        " warehouse_stock)"
    )
    before = market.sql.execute(counted).fetchone()

    answer = order_cart(market, guest, expectedTotal=cart["total"])

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/coupon-not-applied")
    [named] = answer.json()["coupons"]
    assert (named["code"], named["reason"]) == ("SOON-OVER", "ended")
    assert answer.json()["total"] == 26.59
    assert market.sql.execute(counted).fetchone() == before
    seen = market.client.get(CART, headers=guest).json()
    assert (seen["total"], seen["coupons"][0]["reason"]) == (26.59, "ended")
    assert market.client.delete(f"{CART}/coupons/soon-over", headers=guest).json()["coupons"] == []
    assert market.client.delete(f"{CART}/coupons/soon-over", headers=guest).status_code == 404
    order = order_of(market, guest, order_cart(market, guest, expectedTotal=26.59))
    assert (order["total"], order["discount"]) == (26.59, 0.0)


def test_an_order_that_expects_the_total_without_its_code_is_placed(
    market: Market, seller: Person, product: dict[str, Any], guest: dict[str, str]
) -> None:
    promotion = promote(market, seller, "BIG-ONLY", minimum=1_000)
    body = market.order_body((product, 1), email="g@example.com", couponCodes=["big-only", "NO-SUCH"])
    refused = market.buy(guest, body)
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/couponCodes/0", "/couponCodes/1"]
    assert [one["reason"] for one in refused.json()["coupons"]] == ["below-minimum", "unknown"]
    order = order_of(market, guest, market.buy(guest, {**body, "expectedTotal": refused.json()["total"]}))
    assert (order["discount"], redeemed(market, promotion)) == (0.0, (0, 0, 0))


def test_two_codes_of_one_promotion_share_its_limit(market: Market, seller: Person, product: dict[str, Any]) -> None:
    promotion = promote(market, seller, "SHARED-A", "SHARED-B", totalLimit=3)
    answers = [
        market.buy(
            guest_headers(),
            market.order_body((product, 1), email=f"s{n}@example.com", couponCodes=[f"SHARED-{'AB'[n % 2]}"]),
        )
        for n in range(5)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409, 409]
    assert [answer.json()["coupons"][0]["reason"] for answer in answers[3:]] == ["used-up", "used-up"]
    assert redeemed(market, promotion) == (3, 3, 0)
    both = market.order_body((product, 1), email="b@example.com", couponCodes=["SHARED-A", "shared-b", "SHARED-A"])
    promote(market, seller, "TWICE-A", "TWICE-B", name="Twice")
    both["couponCodes"] = ["TWICE-A", "twice-b", "twice-a"]
    twice = market.buy(guest_headers(), both)
    assert [(one["code"], one["reason"]) for one in twice.json()["coupons"]] == [("TWICE-B", "same-promotion")]


def test_one_buyer_is_counted_signed_in_and_as_a_guest_of_the_address(
    market: Market, seller: Person, product: dict[str, Any]
) -> None:
    promotion = promote(market, seller, "TWO-EACH", perBuyerLimit=2)
    member = market.person()
    body = market.order_body((product, 1), couponCodes=["TWO-EACH"])
    as_guest = {**body, "email": member.email.upper()}
    assert market.buy(guest_headers(), as_guest).status_code == 201
    assert market.buy(member, body).status_code == 201
    for who, asked in ((member, body), (guest_headers(), as_guest)):
        refused = market.buy(who, asked)
        assert (refused.status_code, refused.json()["coupons"][0]["reason"]) == (409, "used-by-you")
    put(market, member.headers, product)
    assert use(market, member.headers, "TWO-EACH").json()["reason"] == "used-by-you"
    asked = {name: value for name, value in as_guest.items() if name != "paymentMethod"}
    shown = market.client.post("/api/v1/orders/preview", json=asked, headers=guest_headers())
    assert problem(shown, 409, "coupon-not-applied")["coupons"][0]["reason"] == "used-by-you"
    assert market.buy(guest_headers(), {**body, "email": "else@example.com"}).status_code == 201
    assert redeemed(market, promotion) == (3, 3, 0)


def test_what_an_order_redeemed_is_given_back_when_it_ends_without_goods(
    market: Market, seller: Person, buyer: Person, product: dict[str, Any]
) -> None:
    promotion = promote(market, seller, "BACK-AGAIN", totalLimit=1)
    shipping = promote(market, seller, "SENT-FREE", kind="free_shipping", value=None)
    body = market.order_body((product, 1), couponCodes=["BACK-AGAIN", "SENT-FREE"])
    declined = market.buy(buyer, {**body, "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_declined"}})
    assert declined.status_code == 402, declined.text
    assert (redeemed(market, promotion), redeemed(market, shipping)) == ((0, 0, 1), (0, 0, 1))

    placed = market.buy(buyer, body)
    assert placed.status_code == 201, placed.text
    assert market.buy(buyer, body).status_code == 409
    order = market.client.get(f"/api/v1/orders/{placed.json()['orderId']}", headers=buyer.headers).json()
    assert (order["shipping"], order["discount"], order["total"]) == (0.0, 1.0, 9.72)
    cancelled = market.post(buyer, f"{order['orderId']}/cancel")
    assert (cancelled.status_code, cancelled.json()["refundAmount"]) == (200, 9.72)
    assert (redeemed(market, promotion), redeemed(market, shipping)) == ((0, 0, 2), (0, 0, 2))
    assert market.buy(buyer, body).status_code == 201


def test_a_refund_gives_back_what_was_paid_for_a_discounted_line(
    market: Market, seller: Person, buyer: Person, product: dict[str, Any], other: dict[str, Any]
) -> None:
    promote(market, seller, "THIRD-OFF", kind="amount", value=10)
    body = market.order_body((product, 3), (other, 2), couponCodes=["THIRD-OFF"])
    order = order_of(market, buyer.headers, market.buy(buyer, body))
    line = next(one for one in order["items"] if one["discount"])
    given = [
        market.post(buyer, f"{order['orderId']}/items/{line['orderItemId']}/cancel", {"quantity": 1}).json()[
            "refundAmount"
        ]
        for _ in range(2)
    ]
    rest = market.post(buyer, f"{order['orderId']}/cancel").json()["refundAmount"]
    # 30.00 - 10.00 with 8 % tax is 21.60, a third of which is 7.20.
    assert (line["discount"], line["taxAmount"], given) == (10.0, 1.6, [7.2, 7.2])
    assert round(sum(given) + rest, 2) == order["total"]
    assert market.money_of(order["orderId"])[0] == market.money_of(order["orderId"])[1]


def test_a_repeat_of_an_order_redeems_once(market: Market, seller: Person, product: dict[str, Any]) -> None:
    promotion = promote(market, seller, "ONCE-ONLY")
    who = guest_headers()
    body = market.order_body((product, 1), email="r@example.com", couponCodes=["ONCE-ONLY"])
    answers = [market.buy(who, body, key="replayed-code") for _ in range(3)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert redeemed(market, promotion) == (1, 1, 0)


def test_codes_of_a_guest_come_along_when_they_sign_in(market: Market, seller: Person, product: dict[str, Any]) -> None:
    promote(market, seller, "GUEST-1")
    promote(market, seller, "MEMBER-1")
    guest = guest_headers()
    put(market, guest, product)
    used(market, guest, "GUEST-1")
    member = market.person(**guest)
    put(market, member.headers, product)
    assert [one["code"] for one in used(market, member.headers, "MEMBER-1")["coupons"]] == ["GUEST-1", "MEMBER-1"]


def test_a_cart_has_five_codes_at_most_and_each_once(
    market: Market, seller: Person, product: dict[str, Any], guest: dict[str, str]
) -> None:
    codes = [f"FIVE-{n}" for n in range(6)]
    for code in codes:
        promote(market, seller, code)
    put(market, guest, product)
    for code in codes[:5]:
        used(market, guest, code)
    again = used(market, guest, "five-0")
    assert [one["code"] for one in again["coupons"]] == codes[:5]
    full = use(market, guest, codes[5])
    assert (full.status_code, full.json()["type"]) == (409, "/problems/too-many-codes")
    many = market.order_body((product, 1), email="m@example.com", couponCodes=codes)
    assert market.buy(guest, many).json()["errors"][0]["pointer"] == "/couponCodes"
    both = {**market.order_body(email="m@example.com"), "couponCodes": ["FIVE-1"], "items": None}
    refused = market.buy(guest, both)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/couponCodes")


def test_promotions_are_their_owners_business(
    market: Market, people: People, product: dict[str, Any], other: dict[str, Any]
) -> None:
    seller, buyer, admin = people.seller, people.buyer, people.admin
    mine = promote(market, seller, "MINE-1", productId=product["productId"], totalLimit=5)
    path = f"{PROMOTIONS}/{mine['promotionId']}"
    stranger = market.person("seller")
    for who, status in ((seller, 200), (stranger, 404), (admin, 404), (buyer, 403)):
        assert market.client.get(path, headers=who.headers).status_code == status
        assert market.client.patch(path, json={"name": "N"}, headers=who.headers).status_code == status
    assert market.client.get(f"{PROMOTIONS}/nothing", headers=seller.headers).status_code == 404
    assert asked_for(market, buyer, "BUYERS-1").status_code == 403
    taken = asked_for(market, stranger, "FREE-1", "mine-1")
    assert (taken.status_code, taken.json()["codes"]) == (409, ["MINE-1"])
    assert market.scalar("select count(*) from coupons where code = 'FREE-1'") == 0
    foreign = asked_for(market, seller, "OTHERS-1", productId=other["productId"])
    assert foreign.json()["errors"][0]["pointer"] == "/productId"
    listed = market.client.get(PROMOTIONS, params={"limit": 100}, headers=stranger.headers).json()
    assert (listed["promotions"], listed["pagination"]["total"]) == ([], 0)
    listed = market.client.get(PROMOTIONS, params={"limit": 1}, headers=seller.headers).json()
    assert (listed["promotions"][0]["promotionId"], listed["pagination"]["hasMore"]) == (mine["promotionId"], True)


def test_a_promotion_changes_within_what_was_redeemed(market: Market, seller: Person, product: dict[str, Any]) -> None:
    promotion = promote(market, seller, "CHANGE-1", totalLimit=9)
    body = market.order_body((product, 1), email="c@example.com", couponCodes=["CHANGE-1"])
    for _ in range(2):
        assert market.buy(guest_headers(), body).status_code == 201
    path = f"{PROMOTIONS}/{promotion['promotionId']}"

    def change(**fields: Any) -> httpx.Response:
        return market.client.patch(path, json=fields, headers=seller.headers)

    low = problem(change(totalLimit=1), 409, "limit-too-low")
    assert (low["redeemed"], low["errors"][0]["pointer"]) == (2, "/totalLimit")
    more = {"name": "Renamed", "totalLimit": 2, "addCodes": [{"code": "change-2"}]}
    changed = change(**more)
    assert change(**more).json() == changed.json()
    assert (changed.json()["name"], changed.json()["totalLimit"]) == ("Renamed", 2)
    assert sorted(changed.json()["codes"]) == ["CHANGE-1", "CHANGE-2"]
    assert (
        market.buy(guest_headers(), {**body, "couponCodes": ["CHANGE-2"]}).json()["coupons"][0]["reason"] == "used-up"
    )
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert change(totalLimit=None, endsAt=soon).json()["totalLimit"] is None
    assert market.buy(guest_headers(), {**body, "couponCodes": ["CHANGE-2"]}).status_code == 201
    ended = market.client.post(f"{path}/end", headers=seller.headers).json()["endsAt"]
    assert market.client.post(f"{path}/end", headers=seller.headers).json()["endsAt"] == ended


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"value": 0}, "/value"),
        ({"value": 100.01}, "/value"),
        ({"value": None}, "/value"),
        ({"kind": "free_shipping", "value": 1}, "/value"),
        ({"kind": "amount", "value": -1}, "/value"),
        ({"codes": [{"code": "a b"}]}, "/codes/0/code"),
        ({"codes": []}, "/codes"),
        ({"codes": [{"code": "TWICE"}, {"code": "twice", "email": "a@example.com"}]}, "/codes/1/code"),
        ({"category": "/Nowhere"}, "/category"),
        ({"startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}, "/endsAt"),
        ({"startsAt": "2026-01-02T00:00:00"}, "/startsAt"),
        ({"endsAt": "9999-12-31T23:59:59-14:00"}, "/endsAt"),
        ({"totalLimit": 0}, "/totalLimit"),
        ({"minimum": -0.01}, "/minimum"),
    ],
)
def test_a_promotion_that_makes_no_sense_is_refused(
    market: Market, seller: Person, fields: dict[str, Any], pointer: str
) -> None:
    answer = asked_for(market, seller, "SENSE-1", **fields)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text


def test_a_code_that_is_taken_is_named_by_its_place(market: Market, seller: Person) -> None:
    promote(market, market.person("seller"), "TAKEN-1")
    promotion = promote(market, seller, "FREE-1")
    refused = problem(asked_for(market, seller, "FREE-2", "taken-1"), 409, "code-taken")
    path, more = f"{PROMOTIONS}/{promotion['promotionId']}", [{"code": "FREE-1"}, {"code": "TAKEN-1"}]
    again = problem(market.client.patch(path, json={"addCodes": more}, headers=seller.headers), 409, "code-taken")
    assert [(one["codes"], one["errors"][0]["pointer"]) for one in (refused, again)] == [
        (["TAKEN-1"], "/codes/1/code"),
        (["TAKEN-1"], "/addCodes/1/code"),
    ]
    assert market.client.get(path, headers=seller.headers).json() == promotion


def test_destinations_and_parcels_share_a_discount_to_the_cent(
    market: Market, seller: Person, buyer: Person, product: dict[str, Any]
) -> None:
    promotion = promote(market, seller, "SPREAD-1", kind="amount", value=1)
    variant = product["variants"][0]["variantId"]
    body = market.order_body((product, 3), couponCodes=["SPREAD-1"])
    body["destinations"] = [{"shippingAddress": ADDRESS, "lines": [{"variantId": variant, "quantity": 2}]}]

    order = order_of(market, buyer.headers, market.buy(buyer, body))

    asked = {name: body[name] for name in ("items", "shippingAddress", "destinations", "couponCodes")}
    previewed = market.client.post("/api/v1/orders/preview", json=asked, headers=buyer.headers).json()
    assert (previewed["discount"], previewed["total"]) == (1.0, order["total"])
    wrong = market.client.post("/api/v1/orders/preview", json={**asked, "expectedTotal": 1.0}, headers=buyer.headers)
    changed = problem(wrong, 409, "total-changed")
    assert (changed["total"], changed["errors"][0]["pointer"]) == (order["total"], "/expectedTotal")
    assert sorted((line["quantity"], line["discount"]) for line in order["items"]) == [(1, 0.33), (2, 0.67)]
    assert (order["discount"], redeemed(market, promotion)) == (1.0, (1, 1, 0))
    assert order["total"] == round(order["subtotal"] + order["tax"] + order["shipping"] - 1.0, 2)
