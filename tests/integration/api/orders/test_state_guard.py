"""Postgres refuses, for the shop's own role, what the state machine does not have."""

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, product

import psycopg
import pytest

from api.orders.parcels.derived import Standing, order_status
from api.orders.parcels.invariants import ORDER_STATUS
from api.orders.parcels.statements import GUARDED, guard
from api.orders.states import ORDER_STATES, may_follow
from api.orders.tracking.invariants import CARRIAGE
from api.shipping.scans import SCAN_KINDS, Scan, carriage_of

_DEFINITION = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass"


@pytest.mark.parametrize("table", GUARDED)
def test_the_trigger_of_the_database_is_the_one_of_the_code(sql: psycopg.Connection, table: str) -> None:
    there = sql.execute(_DEFINITION, (f"{table}_move", table)).fetchone()
    sql.execute(f"DROP TRIGGER {table}_move ON {table}".encode())
    sql.execute(guard(table).encode())

    assert there is not None
    assert sql.execute(_DEFINITION, (f"{table}_move", table)).fetchone() == there, "add a migration"


@pytest.mark.parametrize("table", GUARDED)
def test_only_moves_of_the_state_machine_are_taken(sql: psycopg.Connection, table: str) -> None:
    key = {"orders": "order_id", "parcels": "parcel_id", "order_items": "order_item_id"}[table]
    one = sql.execute(f"SELECT {key} FROM {table} LIMIT 1".encode()).fetchone()
    assert one is not None
    move = f"UPDATE {table} SET status = %s WHERE {key} = %s".encode()
    taken = set()
    for before in ORDER_STATES:
        sql.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_move".encode())
        sql.execute(move, (before, *one))
        sql.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_move".encode())
        for after in ORDER_STATES:
            with suppress(psycopg.errors.RestrictViolation), sql.transaction(force_rollback=True):
                sql.execute(move, (after, *one))
                taken.add((before, after))

    assert taken == {pair for pair in product(ORDER_STATES, repeat=2) if may_follow(*pair) or pair[0] == pair[1]}


@pytest.mark.parametrize("table", GUARDED)
def test_a_cancelled_one_is_not_delivered_and_without_the_trigger_it_would_be(
    sql: psycopg.Connection, table: str
) -> None:
    deliver = f"UPDATE {table} SET status = 'delivered' WHERE status = 'cancelled'".encode()
    with pytest.raises(psycopg.errors.RestrictViolation, match="never goes from cancelled to delivered"):
        sql.execute(deliver)
    sql.rollback()

    sql.execute(f"DROP TRIGGER {table}_move ON {table}".encode())
    assert sql.execute(deliver).rowcount > 0


def test_the_check_of_every_shop_reads_scans_as_the_code_does(sql: psycopg.Connection) -> None:
    """On random sets of scans, many of them of one moment."""
    dice, start = random.Random(7), datetime(2026, 6, 30, tzinfo=UTC)
    sets = [
        [
            Scan(f"{number}-{place}", "SBX", dice.choice(SCAN_KINDS), start + timedelta(hours=dice.randrange(3)))
            for place in range(dice.randrange(1, 6))
        ]
        for number in range(500)
    ]
    rows = [(number, scan.kind, scan.occurred_at) for number, scans in enumerate(sets) for scan in scans]
    found = sql.execute(
        f"SELECT number, {CARRIAGE} FROM unnest(%s::int[], %s::text[], %s::timestamptz[])"
        " AS s(number, kind, occurred_at) GROUP BY number ORDER BY number".encode(),
        tuple(list(column) for column in zip(*rows, strict=True)),
    ).fetchall()

    assert [carriage for _, carriage in found] == [carriage_of(scans) for scans in sets]


def test_an_order_goes_with_its_parcels_lines_and_steps(sql: psycopg.Connection) -> None:
    orphans = (
        "SELECT (SELECT count(*) FROM parcels WHERE order_id = %(o)s)"
        " + (SELECT count(*) FROM order_items WHERE order_id = %(o)s)"
        " + (SELECT count(*) FROM parcel_events e LEFT JOIN parcels p USING (parcel_id) WHERE p.parcel_id IS NULL)"
    )
    row = sql.execute("SELECT order_id FROM orders WHERE status = 'cancelled' LIMIT 1").fetchone()
    assert row is not None
    sql.execute("DELETE FROM payments WHERE order_id = %s", row)
    sql.execute("DELETE FROM orders WHERE order_id = %s", row)

    assert sql.execute(orphans, {"o": row[0]}).fetchone() == (0,)


def test_the_check_of_every_shop_derives_an_orders_status_as_the_code_does(sql: psycopg.Connection) -> None:
    kinds = [Standing(status, begun) for status in ORDER_STATES for begun in (False, True)]
    kinds += [Standing("shipped", begun=True, lost=True), Standing("shipped", begun=False, lost=True)]
    orders = [order for size in (1, 2, 3) for order in combinations_with_replacement(kinds, size)]
    rows = [(number, one.status, one.begun, one.lost) for number, order in enumerate(orders) for one in order]
    found = sql.execute(
        f"SELECT number, {ORDER_STATUS} FROM unnest(%s::int[], %s::text[], %s::bool[], %s::bool[])"
        " AS parcel(number, status, begun, lost) GROUP BY number ORDER BY number".encode(),
        tuple(list(column) for column in zip(*rows, strict=True)),
    ).fetchall()

    assert len(orders) > 1_000
    assert [status for _, status in found] == [order_status(order) for order in orders]
