"""Units that no warehouse has: where they are backordered, and when they are expected."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.inventory.allocation import Allocation, Choice, NotEnough, StockLevel, Way, allocate
from api.inventory.backorders.room import Room, room_of

A, B = UUID(int=1), UUID(int=2)
NEAR, FAR = UUID(int=11), UUID(int=12)
TODAY, SOON, LATER = date(2026, 12, 1), date(2026, 12, 8), date(2026, 12, 31)


def room(units: int, day: date = SOON) -> Room:
    return Room(units, ((units, day),))


def choose(demand: dict[UUID, int], *levels: tuple[UUID, UUID, int, Room | None]) -> Choice:
    """For levels of (variant, warehouse, units, room)."""
    stock = [StockLevel(variant, warehouse, "US", units, left) for variant, warehouse, units, left in levels]
    return allocate(demand, stock, lambda level: Way(1.0 if level.warehouse_id == NEAR else 2.0, None))


def test_only_what_no_warehouse_has_is_backordered() -> None:
    choice = choose({A: 5, B: 1}, (A, FAR, 3, None), (A, NEAR, 0, room(9)), (B, FAR, 1, None))

    assert choice.lines == [Allocation(A, FAR, 3), Allocation(B, FAR, 1)]
    assert choice.backordered is not None
    assert choice.all_lines() == [*choice.lines, Allocation(A, NEAR, 2, SOON)]
    assert [reason["rule"] for reason in choice.reasons().values()] == ["one_warehouse", "backordered"]
    assert choice.reasons().keys() == {(FAR, False), (NEAR, True)}
    assert choose({A: 3}, (A, FAR, 3, None), (A, NEAR, 0, room(9))).all_lines() == [Allocation(A, FAR, 3)]


def test_the_cheapest_that_may_owe_all_of_it_owes_it_else_the_cheapest_ones() -> None:
    assert choose({A: 2}, (A, NEAR, 0, room(2)), (A, FAR, 0, room(9))).all_lines() == [Allocation(A, NEAR, 2, SOON)]
    assert choose({A: 3}, (A, NEAR, 0, room(2)), (A, FAR, 0, room(9))).all_lines() == [Allocation(A, FAR, 3, SOON)]
    assert choose({A: 11}, (A, NEAR, 0, room(2)), (A, FAR, 0, room(9, LATER))).all_lines() == [
        Allocation(A, NEAR, 2, SOON),
        Allocation(A, FAR, 9, LATER),
    ]


def test_nothing_goes_beyond_stock_and_limit() -> None:
    with pytest.raises(NotEnough) as error:
        choose({A: 7, B: 1}, (A, NEAR, 3, room(1)), (A, FAR, 0, room(2)), (B, FAR, 0, None))
    assert error.value.short == {A: 6, B: 0}


def test_units_are_expected_with_the_replenishment_that_covers_them() -> None:
    coming = [(LATER, 5), (SOON, 3), (TODAY - timedelta(days=1), 50)]
    found = room_of(9, 2, 10, coming, TODAY)

    assert found.days == ((1, SOON), (6, LATER), (9, LATER))
    assert [found.expected_on(units) for units in (1, 2, 6, 9)] == [SOON, LATER, LATER, LATER]
    assert room_of(9, 0, 10, [], TODAY).expected_on(9) == TODAY + timedelta(days=10)
    assert room_of(2, 0, 10, [(SOON, 50)], TODAY).days == ((2, SOON),)


@given(st.integers(1, 20), st.integers(0, 5), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=4))
def test_more_units_are_never_expected_earlier_and_all_have_a_day(
    free: int, owed: int, sent: list[tuple[int, int]]
) -> None:
    found = room_of(free, owed, 10, [(TODAY + timedelta(days=after), units) for after, units in sent], TODAY)
    days = [found.expected_on(units) for units in range(1, free + 1)]

    assert days == sorted(days)
    for taken in range(1, free):
        left = found.without(taken)
        assert left is not None
        assert [left.expected_on(units) for units in range(1, left.units + 1)] == days[taken:]
    assert found.without(free) is None
