"""What books sales and refunds is written once: Postgres refuses what would move a closed day."""

import psycopg
import pytest

_RETURN = "(SELECT min(return_id::text)::uuid FROM return_events WHERE to_status = 'refunded')"
_ORDER = "(SELECT min(order_id::text)::uuid FROM orders WHERE status = 'cancelled')"


@pytest.mark.parametrize("change", ["quantity = -1", "refund_amount = -5"])
def test_a_refund_has_no_negative_units_and_no_negative_amount(sql: psycopg.Connection, change: str) -> None:
    column, value = change.split(" = ")
    columns = "return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount, currency"
    values = columns.replace("to_status", "'x'").replace(column, value)

    with pytest.raises(psycopg.errors.CheckViolation, match="ck_return_events_amounts"):
        sql.execute(f"INSERT INTO return_events ({columns}) SELECT {values} FROM return_events LIMIT 1".encode())
    sql.rollback()
    good = columns.replace("to_status", "'x'")
    added = sql.execute(f"INSERT INTO return_events ({columns}) SELECT {good} FROM return_events LIMIT 1".encode())
    assert added.rowcount == 1


@pytest.mark.parametrize("code", ["goodwill", "price_adjustment", "damaged", "lost_parcel", "cancelled"])
def test_money_alone_goes_back_only_as_an_adjustment(sql: psycopg.Connection, code: str) -> None:
    change = f"UPDATE returns SET quantity = 0, reason_code = '{code}' WHERE return_id = {_RETURN}".encode()
    if code in {"goodwill", "price_adjustment"}:
        assert sql.execute(change).rowcount == 1
        return
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_returns_quantity"):
        sql.execute(change)


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE return_events SET created_at = now() WHERE return_id = {_RETURN}",
        f"UPDATE return_events SET refund_amount = 99 WHERE return_id = {_RETURN}",
        f"UPDATE order_events SET created_at = created_at + interval '1 day' WHERE order_id = {_ORDER}",
        f"UPDATE order_events SET to_status = 'shipped' WHERE order_id = {_ORDER}",
        f"DELETE FROM return_events WHERE return_id = {_RETURN}",
        f"DELETE FROM order_events WHERE order_id = {_ORDER}",
    ],
)
def test_an_event_is_neither_changed_nor_removed(sql: psycopg.Connection, change: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        sql.execute(change.encode())


def test_events_go_with_what_they_are_events_of_and_a_reason_can_be_blanked(sql: psycopg.Connection) -> None:
    unchanged = sql.execute("UPDATE return_events SET created_at = created_at")
    blanked = sql.execute("UPDATE order_events SET reason = NULL")
    removed = sql.execute(f"DELETE FROM returns WHERE return_id = {_RETURN} RETURNING return_id".encode()).fetchone()
    assert removed is not None
    left = sql.execute("SELECT count(*) FROM return_events WHERE return_id = %s", removed).fetchone()

    assert unchanged.rowcount > 0
    assert blanked.rowcount > 0
    assert left == (0,)
