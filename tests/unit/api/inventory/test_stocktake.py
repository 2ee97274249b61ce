"""What a count moves: more goes to the first warehouse, less is taken from the fullest ones."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.inventory.stocktake import Level, counted

VARIANT = UUID(int=1)
NORTH, SOUTH, EAST = (UUID(int=n) for n in (11, 12, 13))


def levels(*available: int) -> list[Level]:
    return [Level(VARIANT, warehouse, units) for warehouse, units in zip((NORTH, SOUTH, EAST), available, strict=False)]


def moved(change: int, *available: int) -> list[tuple[UUID, int]]:
    moves = counted(VARIANT, levels(*available), change)
    assert {(move.variant_id, move.kind) for move in moves} <= {(VARIANT, "adjustment")}
    return [(move.warehouse_id, move.change) for move in moves if move.warehouse_id is not None]


def test_more_goes_to_the_first_warehouse() -> None:
    assert moved(5, 1, 9) == [(NORTH, 5)]


def test_less_is_taken_from_the_fullest_first() -> None:
    assert moved(-3, 2, 5) == [(SOUTH, -3)]
    assert moved(-7, 2, 5, 3) == [(SOUTH, -5), (EAST, -2)]


def test_an_equal_count_moves_nothing() -> None:
    assert moved(0, 2, 5) == []
    assert moved(0) == []


@given(st.lists(st.integers(0, 20), min_size=1, max_size=3), st.data())
def test_the_difference_is_moved_exactly(available: list[int], data: st.DataObject) -> None:
    change = data.draw(st.integers(-sum(available), 30))
    moves = moved(change, *available)
    assert sum(units for _, units in moves) == change
    left = dict(zip((NORTH, SOUTH, EAST), available, strict=False))
    for warehouse, units in moves:
        left[warehouse] += units
    assert all(units >= 0 for units in left.values())
    assert all(units != 0 for _, units in moves)
