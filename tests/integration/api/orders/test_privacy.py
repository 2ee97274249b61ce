"""Who sees a buyer's address and e-mail over HTTP: the table of `api/orders/queries/privacy.py`, and its audit rows."""

from typing import Any

import psycopg
import pytest

from tests.harness.buying import ADDRESS, Market
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem

REASON = {"X-Access-Reason": "the parcel came back unopened"}


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


def _guests_order(market: Market, seller: Person, guest: dict[str, str]) -> str:
    product = market.product(seller, price=10.0)
    answer = market.buy(guest, market.order_body((product, 1), email="guest@example.com"))
    assert answer.status_code == 201, answer.text
    order_id: str = answer.json()["orderId"]
    return order_id


def _shown(market: Market, order_id: str, headers: dict[str, str]) -> tuple[Any, Any]:
    answer = market.client.get(f"/api/v1/orders/{order_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["shippingAddress"], answer.json()["email"]


def _accesses(market: Market, order_id: str) -> list[tuple[Any, ...]]:
    query = "select actor_id::text, actor_kind, fields, reason from buyer_data_accesses where order_id = %s"
    return market.sql.execute(query, (order_id,)).fetchall()


def test_each_sees_what_the_table_says_and_an_administrator_leaves_a_row(
    market: Market, seller: Person, admin: Person
) -> None:
    guest = guest_headers()
    order_id = _guests_order(market, seller, guest)
    address = {**ADDRESS, "name": None}
    expected = {name: value for name, value in address.items() if value is not None}

    assert _shown(market, order_id, guest) == (expected, "guest@example.com")
    assert _shown(market, order_id, seller.headers) == (expected, None)
    assert _shown(market, order_id, {**seller.headers, **REASON}) == (expected, None)
    assert _shown(market, order_id, admin.headers) == (None, None)
    assert _accesses(market, order_id) == []
    assert _shown(market, order_id, {**admin.headers, **REASON}) == (expected, "guest@example.com")
    fields = ["shipping_address", "email"]
    assert _accesses(market, order_id) == [(admin.user_id, "admin", fields, REASON["X-Access-Reason"])]

    market.deliver(seller, order_id)
    assert _shown(market, order_id, guest) == (expected, "guest@example.com")
    assert _shown(market, order_id, seller.headers) == (None, None)


@pytest.mark.parametrize("reason", ["", "short", "x" * 501, "4111 1111 1111 1111 was charged"])
def test_a_reason_is_a_sentence(market: Market, seller: Person, admin: Person, reason: str) -> None:
    order_id = _guests_order(market, seller, guest_headers())
    headers = {**admin.headers, "X-Access-Reason": reason}

    answer = market.client.get(f"/api/v1/orders/{order_id}", headers=headers)

    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/header/X-Access-Reason"
    assert _accesses(market, order_id) == []


def test_an_order_that_is_not_there_leaves_no_row(market: Market, admin: Person) -> None:
    before = market.scalar("select count(*) from buyer_data_accesses")
    missing = "/api/v1/orders/01890000-0000-7000-8000-000000000001"

    problem(market.client.get(missing, headers={**admin.headers, **REASON}), 404, "order-not-found")

    assert market.scalar("select count(*) from buyer_data_accesses") == before


@pytest.mark.parametrize(
    "change",
    [
        "update buyer_data_accesses set reason = 'nothing'",
        "update buyer_data_accesses set created_at = created_at + interval '1 day'",
        "delete from buyer_data_accesses",
        "truncate buyer_data_accesses",
    ],
)
def test_what_was_written_down_stays(market: Market, seller: Person, admin: Person, change: str) -> None:
    order_id = _guests_order(market, seller, guest_headers())
    _shown(market, order_id, {**admin.headers, **REASON})

    with pytest.raises(psycopg.errors.RestrictViolation):
        market.sql.execute(change.encode())

    assert len(_accesses(market, order_id)) == 1
    # The negative control: without its triggers the same change passes.
    with market.sql.transaction(force_rollback=True):
        market.sql.execute("alter table buyer_data_accesses disable trigger user")
        market.sql.execute(change.encode())
