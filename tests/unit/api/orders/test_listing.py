"""Pages of orders: the row too many is never shown, and the cursor names the last row that was."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from api.orders.queries.listing import Position, page_of
from api.orders.schemas import OrderSummary

NEWEST = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def summary(n: int) -> OrderSummary:
    return OrderSummary(
        order_id=UUID(int=n),
        order_number=f"S-{n}",
        status="confirmed",
        currency="USD",
        total=Decimal("9.99"),
        item_count=1,
        items=[],
        estimated_delivery=None,
        created_at=NEWEST - timedelta(days=n),
    )


@pytest.mark.parametrize(("found", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 3, False), (4, 3, True)])
def test_there_is_another_page_only_when_one_row_more_was_found(found: int, shown: int, more: bool) -> None:
    rows = [summary(n) for n in range(found)]

    page = page_of(rows, limit=3, total=found)

    assert page.orders == rows[:shown]
    assert page.total == found
    assert page.next == (Position(rows[2].created_at, rows[2].order_id) if more else None)


def test_a_position_survives_the_cursor_to_the_microsecond() -> None:
    position = Position(NEWEST, UUID(int=7))

    assert Position.of(position.fields()) == position
    assert Position.of([str(field) for field in position.fields()]).created_at.microsecond == 123456
