"""Bad values deep inside requests that are right otherwise, and ids that belong to somebody else.

`test_bad_input.py` refuses what does not look like a request at all; here every leaf of a full, valid body is replaced
in turn, so that the value gets as far as it can. Ends with every invariant and the gateway's ledger.
"""

import json
from typing import Any

import httpx
import pytest

from tests.harness.bad_values import TOO_LARGE, VALUES, leaves, replaced
from tests.harness.buying import ADDRESS, Market
from tests.harness.quick import in_shares, share
from tests.harness.scene import Request, Scene, make_scene
from tests.harness.sessions import guest_headers
from tests.harness.shop import PASSWORD, Person, problem

# Compared by their hash with what is stored, and never shown.
SECRETS = {"password", "refreshToken"}
NAMES = [
    *(
        "register",
        "login",
        "refresh",
        "logout",
        "changeProfile",
        "addAddress",
        "createProduct",
        "replaceProduct",
        "changeProduct",
        "addLicenceKeys",
        "withdrawLicenceKeys",
        "createCategory",
        "changeCategory",
        "mergeCategory",
        "setAttributes",
        "describeStore",
        "setProductSafety",
        "decideProduct",
        "reportProduct",
        "lookUpReport",
        "decideReports",
        "contestDecision",
        "decideObjection",
        "decideOfferMatch",
        "addSynonym",
        "decideSynonym",
        "askQuestion",
        "answerQuestion",
        "editPost",
        "reportPost",
        "setRecentlyViewed",
        "createReview",
        "changeReview",
        "answerReview",
        "reportReview",
        "appealForReview",
        "decideReview",
        "reopenReview",
        "setBuyersOnly",
        "setBuyersOnlyForStore",
        "unsubscribeReviewRequests",
        "changeImage",
        "setSchedule",
    ),
    *(
        "addCartItem",
        "addCartCoupon",
        "createPromotion",
        "changePromotion",
        "setCartItem",
        "recordEvents",
        "placeOrder",
        "previewOrder",
        "cancelOrder",
        "cancelOrderItem",
        "stageOrderEdit",
        "commitOrderEdit",
        "returnOrder",
        "advanceOrder",
        "decideReturn",
        "approveReturn",
        "rejectReturn",
        "refundOrder",
        "exchangeOrderItem",
        "adjustStock",
        "shipParcel",
        "splitParcel",
        "cancelParcel",
        "askParcelRates",
        "buyParcelLabel",
        "requestOrderClaim",
        "claimOrders",
        "lookUpOrder",
        "lookUpDigitalGoods",
        "setLowStock",
        "allowBackorders",
        "countStock",
        "transferStock",
        "replenishStock",
        "receiveStock",
        "requestOrderLookUp",
    ),
]


@pytest.fixture(scope="module")
def scene(market: Market, seller: Person, buyer: Person) -> Scene:
    return make_scene(market, seller, buyer)


def _send(market: Market, request: Request, content: str) -> httpx.Response:
    market.client.cookies.clear()
    headers = {"Idempotency-Key": next(market.keys), "Content-Type": "application/json", **request.headers}
    return market.client.request(
        request.method, request.path, content=content.replace(f'"{TOO_LARGE}"', "1e400"), headers=headers
    )


def _assert_sound(answer: httpx.Response, what: str) -> None:
    """Accepted, or refused with a problem document that says whose fault it is."""
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:500]}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", what
        assert answer.json()["status"] == answer.status_code


def test_the_requests_of_every_operation_are_tried(scene: Scene) -> None:
    assert sorted(NAMES) == sorted(scene.requests())


@pytest.mark.parametrize("name", NAMES)
@in_shares
def test_no_value_anywhere_in_a_body_breaks_anything(scene: Scene, name: str, whole: bool) -> None:
    request = scene.requests()[name]
    for turn, path in enumerate(leaves(request.body), NAMES.index(name)):
        for value in share(VALUES, turn, 4, whole=whole):
            content = json.dumps(replaced(request.body, path, value))
            _assert_sound(_send(scene.market, request, content), f"{name} {path} = {str(value)[:40]!r}")


@pytest.mark.parametrize("name", NAMES)
def test_a_character_that_acts_is_refused_in_every_text(scene: Scene, name: str) -> None:
    """A control character and a right-to-left override; `tests/unit/api/kernel/test_texts.py` has all of them."""
    request = scene.requests()[name]
    for path in leaves(request.body):
        text: Any = request.body
        for step in path:
            text = text[step]
        if not isinstance(text, str) or path[-1] in SECRETS:
            continue
        for character in ("\u0007", "\u202e"):
            content = json.dumps(replaced(request.body, path, text[:1] + character + text[1:]))
            errors = problem(_send(scene.market, request, content), 422, "validation-failed")["errors"]
            assert "/" + "/".join(map(str, path)) in {error["pointer"] for error in errors}, f"{name} {path}"


@pytest.mark.parametrize("name", NAMES)
def test_a_member_twice_counts_once(scene: Scene, name: str) -> None:
    """The last one counts, for the checks as for what is done: a second value cannot slip past the first."""
    request = scene.requests()[name]
    for member in request.body:
        twice = json.dumps(request.body)[:-1] + f', "{member}": {{"not": {{"this": 1}}}}}}'
        answer = _send(scene.market, request, twice)
        assert answer.status_code in {401, 422}, f"{name} {member}: {answer.status_code} {answer.text[:300]}"


@pytest.mark.parametrize(
    "quantity", ["0", "-1", "1000", "1000000000000", "1e400", "NaN", "Infinity", "1.0", "true", '"1"', "null", "[1]"]
)
@pytest.mark.parametrize("name", ["addCartItem", "setCartItem", "placeOrder", "returnOrder"])
def test_a_quantity_that_is_none_is_refused(scene: Scene, name: str, quantity: str) -> None:
    request = scene.requests()[name]
    content = json.dumps(request.body).replace('"quantity": 1', f'"quantity": {quantity}')

    answer = _send(scene.market, request, content)

    problem(answer, 422, "validation-failed")
    assert any(error["pointer"].endswith("/quantity") for error in answer.json()["errors"])


@pytest.mark.parametrize("change", ["0", "1000001", "-1000001", "1e3", "null"])
def test_a_change_of_stock_that_is_none_is_refused(scene: Scene, change: str) -> None:
    request = scene.requests()["adjustStock"]

    problem(
        _send(scene.market, request, json.dumps(request.body).replace('"change": 1', f'"change": {change}')),
        422,
        "validation-failed",
    )


def test_what_belongs_to_somebody_else_is_not_there(scene: Scene) -> None:
    """Real ids of other people's things, asked for by everyone who may ask for their own; nothing changes."""
    market = scene.market
    stranger, rival = market.person(), market.person("seller")
    session = guest_headers()
    address = market.client.post("/api/v1/users/me/addresses", json=ADDRESS, headers=scene.buyer.headers).json()[
        "addressId"
    ]
    requests = scene.requests()
    before = _state(scene, address)

    for headers in (stranger.headers, rival.headers, session):
        for name in ("setCartItem", "cancelOrder", "returnOrder"):
            request = requests[name]
            answer = _send(
                market, Request(request.method, request.path, request.body, headers), json.dumps(request.body)
            )
            assert answer.status_code == 404, f"{name}: {answer.text}"
        order = f"/api/v1/orders/{scene.order}"
        assert market.client.get(order, headers=headers).status_code == 404
        assert market.client.delete(f"/api/v1/cart/items/{scene.item}", headers=headers).status_code == 404
        assert market.client.get(f"/api/v1/users/{scene.buyer.user_id}/orders", headers=headers).status_code in {
            401,
            404,
        }
        assert market.client.delete(f"/api/v1/users/me/addresses/{address}", headers=headers).status_code in {401, 404}
        body = market.order_body((scene.product, 1), shippingAddress={"addressId": address}, email="g@example.com")
        problem(market.buy(headers, body), 422, "address-unknown")
        for name in ("advanceOrder", "decideReturn", "replaceProduct", "changeProduct", "adjustStock"):
            request = requests[name]
            answer = _send(
                market, Request(request.method, request.path, request.body, headers), json.dumps(request.body)
            )
            assert answer.status_code in {401, 403, 404}, f"{name}: {answer.status_code} {answer.text}"
        assert market.client.delete(f"/api/v1/products/{scene.product['productId']}", headers=headers).status_code in {
            401,
            403,
            404,
        }
        variant = scene.product["variants"][0]["variantId"]
        assert market.client.get(f"/api/v1/inventory/variants/{variant}", headers=headers).status_code in {401, 404}

    assert _state(scene, address) == before


def test_a_password_of_somebody_else_opens_nothing(scene: Scene) -> None:
    market = scene.market
    other = market.person()

    answer = market.client.post("/api/v1/auth/login", json={"email": scene.buyer.email, "password": PASSWORD + "x"})
    problem(answer, 401, "invalid-credentials")
    problem(
        market.client.get(f"/api/v1/recommendations/for-you?userId={scene.buyer.user_id}", headers=other.headers),
        403,
        "forbidden",
    )


def _state(scene: Scene, address: str) -> list[tuple[Any, ...]]:
    queries = (
        ("select status, version, deleted_at, title from products where product_id = %s", scene.product["productId"]),
        ("select stock_quantity, price from product_variants where product_id = %s", scene.product["productId"]),
        ("select status, payment_status from orders where order_id = %s", scene.order),
        ("select status, payment_status from orders where order_id = %s", scene.delivered),
        ("select quantity from cart_items where cart_item_id = %s", scene.item),
        ("select street from addresses where address_id = %s", address),
    )
    return [row for query, value in queries for row in scene.market.sql.execute(query, (value,)).fetchall()]
