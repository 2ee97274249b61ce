"""Which warehouse sends what."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.inventory.allocation import Allocation, NotEnough, StockLevel, allocate

A, B, C = (UUID(int=n) for n in (1, 2, 3))
NORTH, SOUTH, EAST = (UUID(int=n) for n in (11, 12, 13))


def level(variant: UUID, warehouse: UUID, available: int, country: str = "GB") -> StockLevel:
    return StockLevel(variant, warehouse, country, available)


def test_one_warehouse_that_has_everything_sends_one_parcel() -> None:
    levels = [level(A, NORTH, 9), level(B, SOUTH, 9), level(A, EAST, 2), level(B, EAST, 1)]
    assert allocate({A: 2, B: 1}, levels, "GB") == [Allocation(A, EAST, 2), Allocation(B, EAST, 1)]


def test_the_buyers_country_goes_first() -> None:
    levels = [level(A, NORTH, 9, "FR"), level(A, SOUTH, 2, "GB")]
    assert allocate({A: 2}, levels, "GB") == [Allocation(A, SOUTH, 2)]
    assert allocate({A: 2}, levels, None) == [Allocation(A, NORTH, 2)]


def test_a_line_is_split_when_nobody_has_all_of_it() -> None:
    assert allocate({A: 5}, [level(A, NORTH, 2), level(A, SOUTH, 4)], "GB") == [
        Allocation(A, NORTH, 1),
        Allocation(A, SOUTH, 4),
    ]


def test_warehouses_that_send_anyway_send_more() -> None:
    levels = [level(A, NORTH, 1), level(B, SOUTH, 5), level(B, NORTH, 5), level(C, SOUTH, 1)]
    sent = allocate({A: 1, B: 1, C: 1}, levels, "GB")
    assert {line.warehouse_id for line in sent} == {NORTH, SOUTH}


def test_too_little_names_every_variant() -> None:
    with pytest.raises(NotEnough) as error:
        allocate({A: 5, B: 1, C: 1}, [level(A, NORTH, 2), level(A, SOUTH, 2), level(B, NORTH, 1)], "GB")
    assert error.value.short == {A: 4, C: 0}


@given(
    st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 9), min_size=1),
    st.lists(
        st.builds(level, st.sampled_from([A, B, C]), st.sampled_from([NORTH, SOUTH, EAST]), st.integers(0, 9)),
        max_size=9,
    ),
)
def test_demand_is_met_exactly_from_what_is_there(demand: dict[UUID, int], levels: list[StockLevel]) -> None:
    unique = list({(s.variant_id, s.warehouse_id): s for s in levels}.values())
    there = {(s.variant_id, s.warehouse_id): s.available for s in unique}
    total = {v: sum(n for (variant, _), n in there.items() if variant == v) for v in demand}
    short = {v: total[v] for v in demand if total[v] < demand[v]}
    if short:
        with pytest.raises(NotEnough) as error:
            allocate(demand, unique, "GB")
        assert error.value.short == short
        return
    sent = allocate(demand, unique, "GB")
    assert {v: sum(line.quantity for line in sent if line.variant_id == v) for v in demand} == demand
    assert all(0 < line.quantity <= there[line.variant_id, line.warehouse_id] for line in sent)
    assert len({(line.variant_id, line.warehouse_id) for line in sent}) == len(sent)
