"""Chooses the warehouses of an order, and says why. A pure function: the statement that takes the stock checks again,
so stale levels cost a retry and never oversell.

Rule, in this order: 1. fewest parcels: one warehouse that has everything, else two that have it together, else the
warehouse that has most of what is left, again and again; 2. among equals the least cost of sending, by distance and
border; 3. then the most stock. A line comes from one warehouse wherever one of the chosen has all of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import add, ge, lt
from typing import Literal, NamedTuple
from uuid import UUID

# What a parcel costs more than the nearest one would, in units of the same kind: for a thousand kilometres, and for a
# border. An address without a known place is as far away as a country is large.
COST_PER_1000_KM = 2.0
COST_OF_BORDER = 15.0
UNKNOWN_KM = {True: 1_500.0, False: 8_000.0}
# Two together are looked for among so many of the cheapest: with more the search takes longer than a parcel is worth.
MOST_IN_PAIRS = 40

Rule = Literal["one_warehouse", "two_warehouses", "most_of_the_rest"]


class StockLevel(NamedTuple):
    """The sellable units of one variant in one warehouse."""

    variant_id: UUID
    warehouse_id: UUID
    country: str
    available: int


@dataclass(frozen=True, slots=True)
class Allocation:
    variant_id: UUID
    warehouse_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Way:
    """From a warehouse to the buyer: what it costs, and how far it is if that is known."""

    cost: float
    km: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """`lines` in (variant, warehouse) order. `rule`: which one chose; `candidates`: of how many warehouses, or pairs,
    that could; `ways`: of each chosen warehouse."""

    lines: Sequence[Allocation]
    rule: Rule
    candidates: int
    ways: Mapping[UUID, Way]

    def reasons(self) -> dict[UUID, dict[str, object]]:
        """Why each of the chosen warehouses sends its part, as it is kept with the parcel."""
        shared = {"rule": self.rule, "candidates": self.candidates, "warehouses": len(self.ways)}
        return {
            warehouse: {**shared, "cost": round(way.cost, 2), "kilometres": None if way.km is None else round(way.km)}
            for warehouse, way in self.ways.items()
        }


class NotEnough(Exception):
    """`short`: variant -> sellable units, for every variant with too few."""

    def __init__(self, short: dict[UUID, int]) -> None:
        super().__init__("not enough stock")
        self.short = short


@dataclass(slots=True)
class _Place:
    """A warehouse with what it has of each wanted variant, in the order of the demand."""

    warehouse_id: UUID
    way: Way
    units: list[int]

    @property
    def order(self) -> tuple[float, int, UUID]:
        """The cheapest first, then the fullest."""
        return self.way.cost, -sum(self.units), self.warehouse_id


def way(country: str, km: float | None, to_country: str | None) -> Way:
    """From a warehouse in `country` to a buyer who is so far away."""
    at_home = to_country is None or country == to_country
    far = UNKNOWN_KM[at_home] if km is None else km
    return Way(far / 1_000 * COST_PER_1000_KM + (0 if at_home else COST_OF_BORDER), km)


def allocate(demand: Mapping[UUID, int], levels: Iterable[StockLevel], way_from: Callable[[StockLevel], Way]) -> Choice:
    """Choose warehouses for `demand` (variant -> units, each > 0). `way_from` is asked once for each warehouse.

    Raises: NotEnough.
    """
    places = _places(demand, levels, way_from)
    wanted = list(demand.values())
    there = [sum(units) for units in zip(*(place.units for place in places), strict=True)] or [0] * len(wanted)
    if any(map(lt, there, wanted)):
        raise NotEnough({variant: has for variant, has in zip(demand, there, strict=True) if has < demand[variant]})
    rule, candidates, chosen = _fewest(wanted, places)
    lines = _lines(demand, chosen)
    sending = {line.warehouse_id for line in lines}
    ways = {place.warehouse_id: place.way for place in chosen if place.warehouse_id in sending}
    return Choice(lines, rule, candidates, ways)


def _places(
    demand: Mapping[UUID, int], levels: Iterable[StockLevel], way_from: Callable[[StockLevel], Way]
) -> list[_Place]:
    """The warehouses that have something, in their order."""
    position = {variant: at for at, variant in enumerate(demand)}
    found: dict[UUID, _Place] = {}
    for level in levels:
        at = position.get(level.variant_id)
        if at is None or level.available <= 0:
            continue
        place = found.get(level.warehouse_id)
        if place is None:
            place = found[level.warehouse_id] = _Place(level.warehouse_id, way_from(level), [0] * len(position))
        place.units[at] = level.available
    return sorted(found.values(), key=lambda place: place.order)


def _fewest(wanted: Sequence[int], places: Sequence[_Place]) -> tuple[Rule, int, list[_Place]]:
    alone = [place for place in places if all(map(ge, place.units, wanted))]
    if alone:
        return "one_warehouse", len(alone), alone[:1]
    two = combinations(places[:MOST_IN_PAIRS], 2)
    pairs = [(one, other) for one, other in two if all(map(ge, map(add, one.units, other.units), wanted))]
    if pairs:
        cheapest = min(pairs, key=_cost)
        return "two_warehouses", len(pairs), [*cheapest]
    return "most_of_the_rest", len(places), _most_of_the_rest(wanted, places)


def _most_of_the_rest(wanted: Sequence[int], places: Sequence[_Place]) -> list[_Place]:
    """Again and again the warehouse that serves most of what is left. What each serves is brought up to date only for
    the variants that the chosen one has, so that the work grows with the levels and not with the choices."""
    left, chosen = list(wanted), list[int]()
    serves = [sum(map(min, place.units, left)) for place in places]
    holders = [[at for at, place in enumerate(places) if place.units[variant]] for variant in range(len(left))]
    while any(left):
        best = serves.index(max(serves))  # the first of equals
        chosen.append(best)
        for variant, units in enumerate(places[best].units):
            before = left[variant]
            if units and before:
                left[variant] = after = max(0, before - units)
                for at in holders[variant]:
                    has = places[at].units[variant]
                    serves[at] += min(after, has) - min(before, has)
        serves[best] = -1
    return [places[at] for at in sorted(chosen)]


def _cost(pair: tuple[_Place, _Place]) -> float:
    return pair[0].way.cost + pair[1].way.cost


def _lines(demand: Mapping[UUID, int], chosen: Sequence[_Place]) -> list[Allocation]:
    """Each line whole from the first that has it, otherwise from the first ones."""
    lines = []
    for at, (variant, wanted) in enumerate(demand.items()):
        left = wanted
        whole = next((place for place in chosen if place.units[at] >= wanted), None)
        for place in chosen if whole is None else (whole,):
            taken = min(left, place.units[at])
            if taken:
                lines.append(Allocation(variant, place.warehouse_id, taken))
                left -= taken
    return sorted(lines, key=lambda line: (line.variant_id, line.warehouse_id))
