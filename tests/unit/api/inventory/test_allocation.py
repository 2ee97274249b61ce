"""Which warehouse sends what."""

from dataclasses import dataclass, replace
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.inventory.allocation import Allocation, Choice, NotEnough, StockLevel, Way, allocate, way

A, B, C = (UUID(int=n) for n in (1, 2, 3))
NORTH, SOUTH, EAST = (UUID(int=n) for n in (11, 12, 13))


@dataclass(frozen=True)
class Level:
    """The stock of a variant in a warehouse, `km` from the buyer."""

    variant_id: UUID
    warehouse_id: UUID
    available: int
    country: str = "GB"
    km: float | None = None


def of_places(levels: list[Level]) -> list[Level]:
    """A warehouse is in one country, and as far away for every variant."""
    first = {found.warehouse_id: found for found in reversed(levels)}
    places = {warehouse: (found.country, found.km) for warehouse, found in first.items()}
    return [replace(s, country=places[s.warehouse_id][0], km=places[s.warehouse_id][1]) for s in levels]


def choose(demand: dict[UUID, int], levels: list[Level], country: str | None = "GB") -> Choice:
    """The choice for a buyer in `country`; each warehouse is asked for its way once."""
    km, asked = {level.warehouse_id: level.km for level in levels}, list[UUID]()

    def way_from(level: StockLevel) -> Way:
        asked.append(level.warehouse_id)
        return way(level.country, km[level.warehouse_id], country)

    stock = [StockLevel(one.variant_id, one.warehouse_id, one.country, one.available) for one in levels]
    try:
        return allocate(demand, stock, way_from)
    finally:
        assert len(asked) == len(set(asked))


def sent(demand: dict[UUID, int], levels: list[Level], country: str | None = "GB") -> list[Allocation]:
    return list(choose(demand, levels, country).lines)


def test_one_warehouse_that_has_everything_sends_one_parcel() -> None:
    levels = [Level(A, NORTH, 9), Level(B, SOUTH, 9), Level(A, EAST, 2), Level(B, EAST, 1)]
    assert sent({A: 2, B: 1}, levels) == [Allocation(A, EAST, 2), Allocation(B, EAST, 1)]


def test_one_parcel_from_far_away_is_preferred_to_two_from_next_door() -> None:
    levels = [
        Level(A, NORTH, 9, km=1), Level(B, SOUTH, 9, km=1), Level(A, EAST, 2, "FR", 900), Level(B, EAST, 1, "FR", 900),
    ]  # fmt: skip
    assert sent({A: 2, B: 1}, levels) == [Allocation(A, EAST, 2), Allocation(B, EAST, 1)]


def test_the_buyers_country_goes_first() -> None:
    levels = [Level(A, NORTH, 9, "FR"), Level(A, SOUTH, 2, "GB")]
    assert sent({A: 2}, levels) == [Allocation(A, SOUTH, 2)]
    assert sent({A: 2}, levels, None) == [Allocation(A, NORTH, 2)]


def test_the_nearest_goes_first_and_of_equals_the_fullest() -> None:
    levels = [Level(A, NORTH, 9, km=400), Level(A, SOUTH, 2, km=100), Level(A, EAST, 5, km=100)]
    assert sent({A: 2}, levels) == [Allocation(A, EAST, 2)]
    assert sent({A: 9}, levels) == [Allocation(A, NORTH, 9)]


def test_a_border_costs_more_than_a_long_way_at_home() -> None:
    levels = [Level(A, NORTH, 9, "FR", 300), Level(A, SOUTH, 9, "GB", 1_200)]
    assert sent({A: 1}, levels) == [Allocation(A, SOUTH, 1)]


def test_a_line_is_split_when_nobody_has_all_of_it() -> None:
    assert sent({A: 5}, [Level(A, NORTH, 2), Level(A, SOUTH, 4)]) == [Allocation(A, NORTH, 1), Allocation(A, SOUTH, 4)]


def test_the_cheapest_pair_sends_and_no_line_is_split_that_one_of_them_has() -> None:
    levels = [Level(A, NORTH, 9, km=700), Level(B, SOUTH, 9, km=10), Level(A, EAST, 9, km=20), Level(B, EAST, 3, km=20)]
    assert sent({A: 1, B: 4}, levels) == [Allocation(A, EAST, 1), Allocation(B, SOUTH, 4)]


def test_the_choice_says_why() -> None:
    near, far = Level(A, SOUTH, 5, km=100), Level(A, NORTH, 9, "FR", 500)
    one = {"rule": "one_warehouse", "candidates": 2, "warehouses": 1, "cost": 0.2, "kilometres": 100}
    assert choose({A: 2}, [near, far]).reasons() == {(SOUTH, False): one}
    two = {"rule": "two_warehouses", "candidates": 1, "warehouses": 2}
    assert choose({A: 12}, [near, far]).reasons() == {
        (SOUTH, False): {**two, "cost": 0.2, "kilometres": 100},
        (NORTH, False): {**two, "cost": 16.0, "kilometres": 500},
    }
    three = choose({A: 3}, [Level(A, UUID(int=n), 1) for n in range(20, 24)], "GB")
    assert (three.rule, three.candidates, len(three.ways)) == ("most_of_the_rest", 4, 3)
    assert {reason["kilometres"] for reason in three.reasons().values()} == {None}


def test_too_little_names_every_variant() -> None:
    with pytest.raises(NotEnough) as error:
        choose({A: 5, B: 1, C: 1}, [Level(A, NORTH, 2), Level(A, SOUTH, 2), Level(B, NORTH, 1)], "GB")
    assert error.value.short == {A: 4, C: 0}


LEVELS = st.lists(
    st.builds(
        Level,
        st.sampled_from([A, B, C]),
        st.sampled_from([UUID(int=n) for n in range(11, 17)]),
        st.integers(0, 9),
        st.sampled_from(["GB", "FR"]),
        st.none() | st.integers(1, 2_000).map(float),
    ),
    max_size=18,
    unique_by=lambda found: (found.variant_id, found.warehouse_id),
).map(of_places)


@given(st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 9), min_size=1), LEVELS)
def test_demand_is_met_exactly_from_what_is_there_in_the_fewest_and_cheapest_parcels(
    demand: dict[UUID, int], levels: list[Level]
) -> None:
    there = {(s.variant_id, s.warehouse_id): s.available for s in levels}
    total = {v: sum(n for (variant, _), n in there.items() if variant == v) for v in demand}
    short = {v: total[v] for v in demand if total[v] < demand[v]}
    if short:
        with pytest.raises(NotEnough) as error:
            choose(demand, levels, "GB")
        assert error.value.short == short
        return
    choice = choose(demand, levels, "GB")
    assert {v: sum(line.quantity for line in choice.lines if line.variant_id == v) for v in demand} == demand
    assert all(0 < line.quantity <= there[line.variant_id, line.warehouse_id] for line in choice.lines)
    assert len({(line.variant_id, line.warehouse_id) for line in choice.lines}) == len(choice.lines)
    assert {line.warehouse_id for line in choice.lines} == choice.ways.keys()

    costs = {s.warehouse_id: way(s.country, s.km, "GB").cost for s in levels}
    able = [
        group
        for size in (1, 2)
        for group in combinations(costs, size)
        if all(sum(there.get((v, w), 0) for w in group) >= wanted for v, wanted in demand.items())
    ]
    if able:
        fewest = min(map(len, able))
        assert len(choice.ways) == fewest
        cheapest = min(sum(costs[w] for w in group) for group in able if len(group) == fewest)
        assert sum(found.cost for found in choice.ways.values()) == pytest.approx(cheapest)
    else:
        assert len(choice.ways) > 2
    assert choose(demand, levels[::-1], "GB") == choice, "the order of the levels means nothing"


@given(LEVELS)
def test_a_nearer_warehouse_is_never_left_for_a_farther_one_with_the_same_stock(levels: list[Level]) -> None:
    same = [replace(s, available=5, country="GB", km=s.km or 0.0) for s in levels if s.variant_id == A]
    if same:
        (line,) = choose({A: 5}, same).lines
        assert min(s.km or 0.0 for s in same) == next(s.km for s in same if s.warehouse_id == line.warehouse_id)


MANY = st.lists(
    st.builds(
        Level, st.sampled_from([A, B, C]), st.sampled_from([UUID(int=n) for n in range(11, 31)]), st.integers(1, 3)
    ),
    max_size=60,
    unique_by=lambda found: (found.variant_id, found.warehouse_id),
)


@given(st.dictionaries(st.sampled_from([A, B, C]), st.integers(5, 15), min_size=1), MANY)
def test_with_more_than_two_each_has_most_of_what_is_left(demand: dict[UUID, int], levels: list[Level]) -> None:
    """Compared with a plain recount after each choice. All are as far away, so the fullest is the first of equals."""
    there = {(s.warehouse_id, s.variant_id): s.available for s in levels}
    if any(sum(n for (_, v), n in there.items() if v == variant) < wanted for variant, wanted in demand.items()):
        return
    choice = choose(demand, levels)
    if choice.rule != "most_of_the_rest":
        return

    def serves(place: UUID) -> int:
        return sum(min(wanted, there.get((place, variant), 0)) for variant, wanted in left.items())

    fullness = {place: sum(there.get((place, variant), 0) for variant in demand) for place, _ in there}
    left, rest, chosen = dict(demand), sorted(fullness, key=lambda place: (-fullness[place], place)), set[UUID]()
    while any(left.values()):
        best = max(rest, key=serves)
        rest.remove(best)
        chosen.add(best)
        left = {variant: max(0, wanted - there.get((best, variant), 0)) for variant, wanted in left.items()}
    assert choice.ways.keys() <= chosen
    assert sum(line.quantity for line in choice.lines) == sum(demand.values())
