"""R-P4: the same request again has one effect and one answer, byte for byte, on every route that moves money, stock or
orders."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api import nouns
from api.kernel.idempotency import request_key
from tests.harness.api import PLAIN, Server
from tests.harness.buying import Market
from tests.harness.shop import Person, problem

PARALLEL = 50
# Path -> why it may be repeated without a key. A route that is neither here nor keyed fails the test below.
TOKENS = "a repeat makes another session or is refused"
LAST_WRITE = "the last write wins, on one's own record"
LINES = "lines are set by product; the version guards lost updates"
VERSIONED = "If-Match guards edits, the sku is unique"
NATURALLY_SAFE = {
    **dict.fromkeys(
        (f"/checkout_sessions{path}" for path in ("", "/{sessionId}", "/{sessionId}/complete", "/{sessionId}/cancel")),
        "an agent's key, by the protocol: of its partner and address",
    ),
    "/auth/register": "the e-mail address is unique",
    "/auth/login": TOKENS,
    "/auth/refresh": TOKENS,
    "/auth/logout": TOKENS,
    "/users/me": LAST_WRITE,
    "/users/me/searches": "what is erased stays erased",
    "/users/me/addresses": LAST_WRITE,
    "/users/me/addresses/{addressId}": LAST_WRITE,
    "/cart/items": LINES,
    "/cart/items/{itemId}": LINES,
    "/cart/coupons": "a code is there once",
    "/cart/coupons/{code}": "a code is there once",
    "/sellers/me": LAST_WRITE,
    "/sellers/{sellerId}/verification": "who is verified stays verified",
    "/admin/products/{productId}/decision": "a version is decided once, and the same decision again is that one",
    "/products/{productId}/report": "the same words again are the same report",
    "/product-reports/lookup": "it only reads",
    "/admin/products/{productId}/reports/decision": "reports are decided once, and the same decision again is that one",
    "/sellers/me/report-decisions/{decisionId}/objection": "the same words again are the same objection",
    "/admin/objections/{decisionId}/decision": "an objection is decided once, and the same decision again is that one",
    "/admin/offer-matches/{productId}/{otherProductId}/decision": "the same decision again, and undone twice, is once",
    "/admin/search/synonyms": "a pair of expressions is there once, whatever their order",
    "/admin/search/synonyms/suggestions": "what is known is not suggested again",
    "/admin/search/synonyms/{synonymId}/decision": "the same decision again changes nothing",
    "/products/{productId}/safety": LAST_WRITE,
    "/products/{productId}/variants/{variantId}/keys": "a variant has a key once",
    "/products/{productId}/variants/{variantId}/keys/withdrawals": "a key is withdrawn once",
    "/products/{productId}/variants/{variantId}/file": "the same file again is that file",
    "/products/{productId}/questions": "what was asked twice is removed by whoever asked, and an hour has a limit",
    "/questions/{questionId}/answers": "as questions",
    "/questions/posts/{postId}": LAST_WRITE,
    "/questions/posts/{postId}/vote": "a vote is there once",
    "/questions/posts/{postId}/report": LAST_WRITE,
    "/products/{productId}/reviews": "a member reviews a product once",
    "/reviews/{reviewId}": LAST_WRITE,
    "/reviews/{reviewId}/helpful": "a vote is there once",
    "/reviews/{reviewId}/not-helpful": "a vote is there once",
    "/reviews/{reviewId}/vote": "a vote is there once",
    "/reviews/{reviewId}/answer": LAST_WRITE,
    "/reviews/{reviewId}/report": LAST_WRITE,
    "/reviews/requests/unsubscribe": "who wants no more mails wants none",
    "/admin/reviews/{reviewId}/decision": "the same decision again is the same one",
    "/admin/reviews/{reviewId}/reopening": "what waits already stays as it is",
    "/admin/reviews/{reviewId}/votes/release": "a vote is released once",
    "/reviews/{reviewId}/appeal": "a review has one appeal",
    "/products/{productId}/reviews/buyers-only": LAST_WRITE,
    "/sellers/me/reviews/buyers-only": LAST_WRITE,
    "/users/me/reviews": "what is erased stays erased",
    "/users/me/recently-viewed": "what is forgotten stays forgotten",
    "/users/me/recently-viewed/settings": LAST_WRITE,
    "/sellers/me/promotions/{promotionId}": LAST_WRITE,
    "/sellers/me/promotions/{promotionId}/end": "what has ended stays ended",
    "/products": VERSIONED,
    "/products/bulk": "the same file again changes nothing",
    "/products/bulk/{jobId}/cancel": "what has ended stays ended",
    "/categories": "a name is there once",
    "/categories/{categoryId}": LAST_WRITE,
    "/categories/{categoryId}/attributes": LAST_WRITE,
    "/categories/{categoryId}/merge": "what is merged is not there to be merged again",
    "/products/{productId}": VERSIONED,
    "/products/{productId}/versions/{version}/restore": "what is so already is no new version",
    "/products/{productId}/schedule": LAST_WRITE,
    "/products/{productId}/images": "a picture that the product has already is not added again",
    "/products/{productId}/images/{imageId}": VERSIONED,
    "/orders/lookup": "it only reads",
    "/orders/lookup/digital-goods": "it only reads",
    "/orders/preview": "it only reads",
    "/sellers/me/parcels/{parcelId}/rates": "it only reads, and asks carriers",
    "/shipping/webhooks/{carrier}": "scans carry the carrier's own id",
    "/orders/{orderId}/buy-again": "what the cart holds already counts",
    "/orders/lookup-requests": "mails are limited by address, and each code works alone",
    "/orders/{orderId}/edits/{editId}": "an edit is dropped once, and then it is not there",
    "/orders/claim-requests": "mails are limited by member and address, and each code works alone",
    "/inventory/variants/{variantId}": LAST_WRITE,
    "/inventory/variants/{variantId}/warehouses/{warehouseId}": "the same count again finds no difference",
    "/inventory/variants/{variantId}/warehouses/{warehouseId}/backorders": LAST_WRITE,
    "/inventory/replenishments/{replenishmentId}": "what is cancelled stays cancelled",
    "/events": "behaviour events carry their own id",
    "/admin/sign-in": TOKENS,
    "/admin/sign-out": TOKENS,
    "/admin/search/suggestions": "what is known is not suggested again",
    "/admin/search/decisions": "the same decision again changes nothing",
    "/admin/reviews/decisions": "the same decision again is the same one",
    "/admin/reviews/votes": "a vote is released once",
    "/seller/sign-in": TOKENS,
    "/seller/sign-out": TOKENS,
}


def all_at_once(server: Server, path: str, body: dict[str, Any], headers: dict[str, str]) -> list[httpx.Response]:
    """PARALLEL times the same request, each on a connection of its own."""

    def one(_: int) -> httpx.Response:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False, verify=PLAIN) as client:
            return client.post(path, json=body, headers=headers)

    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(one, range(PARALLEL)))


def test_fifty_orders_with_one_key_are_one_order(server: Server, market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=9)
    body = market.order_body((product, 1))
    answers = all_at_once(server, "/api/v1/orders", body, {**buyer.headers, "Idempotency-Key": "fifty-orders"})
    counted = Counter(answer.status_code for answer in answers)
    print(f"R-P4: {PARALLEL} orders with one key: {dict(counted)}")
    assert set(counted) <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "request-in-flight")
            assert answer.headers["retry-after"] == "1"
    replays = [market.buy(buyer, body, key="fifty-orders") for _ in range(3)]
    bodies = {answer.content for answer in [*answers, *replays] if answer.status_code == 201}
    assert len(bodies) == 1
    assert all(replay.status_code == 201 and replay.headers["idempotent-replayed"] == "true" for replay in replays)
    assert all(replay.headers["location"] == f"/api/v1/orders/{replay.json()['orderId']}" for replay in replays)
    assert market.scalar("select count(*) from order_items where product_id = %s", (product["productId"],)) == 1
    assert market.stock_of(product).available == 8


def test_fifty_cancellations_with_one_key_are_one_refund(
    server: Server, market: Market, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, stock=9)
    order_id = market.buy(buyer, market.order_body((product, 2))).json()["orderId"]
    path = f"/api/v1/orders/{order_id}/cancel"
    answers = all_at_once(server, path, {}, {**buyer.headers, "Idempotency-Key": "fifty-cancels"})
    done = [answer for answer in answers if answer.status_code == 200]
    assert len({answer.content for answer in done}) == 1
    for answer in answers:
        if answer.status_code != 200:
            problem(answer, 409, "request-in-flight")
    assert market.scalar("select count(*) from refunds where order_id = %s", (order_id,)) == 1
    assert market.stock_of(product).available == 9


def test_a_key_belongs_to_one_request(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=9)
    body = market.order_body((product, 1))
    first = market.buy(buyer, body, key="one-request")
    assert first.status_code == 201
    problem(market.buy(buyer, market.order_body((product, 2)), key="one-request"), 422, "idempotency-key-reused")
    reordered = dict(reversed(body.items()))
    assert market.buy(buyer, reordered, key="one-request").content == first.content
    cancel = market.client.post(
        f"/api/v1/orders/{first.json()['orderId']}/cancel",
        json={},
        headers={**buyer.headers, "Idempotency-Key": "one-request"},
    )
    problem(cancel, 422, "idempotency-key-reused")


def test_a_key_belongs_to_one_actor(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=9)
    body = market.order_body((product, 1))
    mine, theirs = market.buy(buyer, body, key="shared-word"), market.buy(market.person(), body, key="shared-word")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["orderId"] != theirs.json()["orderId"]


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_a_request_without_a_usable_key_is_refused(
    market: Market, seller: Person, buyer: Person, key: str | None
) -> None:
    product = market.product(seller, stock=1)
    headers = buyer.headers if key is None else {**buyer.headers, "Idempotency-Key": key}
    answer = market.client.post("/api/v1/orders", json=market.order_body((product, 1)), headers=headers)
    if key is not None and len(key) > 255:
        problem(answer, 422, "validation-failed")
    else:
        problem(answer, 400, "idempotency-key-missing")


def test_refusals_before_the_order_leave_the_key_free(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=1)
    body = market.order_body((product, 1))
    wrong = {**body, "shippingAddress": {"addressId": "01890000-0000-7000-8000-000000000000"}}
    problem(market.buy(buyer, {**body, "items": []}, key="try-again"), 422, "validation-failed")
    problem(market.buy(buyer, wrong, key="try-again"), 422, "address-unknown")
    assert market.buy(buyer, body, key="try-again").status_code == 201


def test_a_refusal_that_was_decided_is_repeated_even_when_the_world_has_changed(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, stock=1)
    body = market.order_body((product, 2))
    first = market.buy(buyer, body, key="too-many")
    problem(first, 409, "out-of-stock")
    market.stock(product["variants"][0]["variantId"], 5)
    assert market.buy(buyer, body, key="too-many").content == first.content
    assert market.buy(buyer, body).status_code == 201


def test_every_route_that_writes_is_keyed_or_safe_by_nature() -> None:
    unkeyed, keyed = set(), []
    for route in [route for router, _ in nouns.routers() for route in router.routes if isinstance(route, APIRoute)]:
        methods = (route.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        if not methods:
            continue
        if any(dependency.call is request_key for dependency in route.dependant.dependencies):
            keyed.append(route.path)
        else:
            unkeyed.add(route.path)
    print(f"R-P4: {len(keyed)} keyed routes, {len(unkeyed)} safe by nature")
    assert unkeyed == set(NATURALLY_SAFE), "give the route a key (`RequiredKey`), or name it here with the reason"
    assert {path for path in keyed if path.startswith("/orders")} == {
        "/orders",
        "/orders/{orderId}/cancel",
        "/orders/{orderId}/items/{orderItemId}/cancel",
        "/orders/{orderId}/edits",
        "/orders/{orderId}/edits/{editId}/commit",
        "/orders/{orderId}/return",
        "/orders/{orderId}/advance",
        "/orders/{orderId}/return/decision",
        "/orders/{orderId}/refunds",
        "/orders/{orderId}/exchanges",
        "/orders/{orderId}/returns/{returnId}/approve",
        "/orders/{orderId}/returns/{returnId}/reject",
        "/orders/claim",
    }
