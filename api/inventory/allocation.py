"""Chooses the warehouses of an order, and says why. A pure function: the statement that takes the stock checks again,
so stale levels cost a retry and never oversell.

Rule, in this order: 1. fewest parcels: one warehouse that has everything, else two that have it together, else the
warehouse that has most of what is left, again and again; 2. among equals the least cost of sending, by distance and
border; 3. then the most stock. A line comes from one warehouse wherever one of the chosen has all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal
from uuid import UUID

# What a parcel costs more than the nearest one would, in units of the same kind: for a thousand kilometres, and for a
# border. An address without a known place is as far away as a country is large.
COST_PER_1000_KM = 2.0
COST_OF_BORDER = 15.0
UNKNOWN_KM = {True: 1_500.0, False: 8_000.0}
# Two together are looked for among so many of the cheapest: with more the search takes longer than a parcel is worth.
MOST_IN_PAIRS = 40

Rule = Literal["one_warehouse", "two_warehouses", "most_of_the_rest"]


@dataclass(frozen=True, slots=True)
class StockLevel:
    """The sellable units of one variant in one warehouse, which is `km` from the buyer."""

    variant_id: UUID
    warehouse_id: UUID
    country: str
    available: int
    km: float | None = None


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
    """A warehouse with what it can send of the wanted variants."""

    warehouse_id: UUID
    way: Way
    units: dict[UUID, int]

    @property
    def order(self) -> tuple[float, int, UUID]:
        """The cheapest first, then the fullest."""
        return self.way.cost, -sum(self.units.values()), self.warehouse_id

    def serves(self, left: Mapping[UUID, int]) -> int:
        return sum(min(wanted, self.units.get(variant, 0)) for variant, wanted in left.items())


def allocate(demand: Mapping[UUID, int], levels: Sequence[StockLevel], country: str | None) -> Choice:
    """Choose warehouses for `demand` (variant -> units, each > 0), to be sent to `country`.

    Raises: NotEnough.
    """
    there = dict.fromkeys(demand, 0)
    for level in levels:
        if level.variant_id in there:
            there[level.variant_id] += max(0, level.available)
    if short := {variant: there[variant] for variant, wanted in demand.items() if there[variant] < wanted}:
        raise NotEnough(short)
    places = _places(demand, levels, country)
    rule, candidates, chosen = _fewest(demand, places)
    lines = _lines(demand, chosen)
    sending = {line.warehouse_id for line in lines}
    ways = {place.warehouse_id: place.way for place in chosen if place.warehouse_id in sending}
    return Choice(lines, rule, candidates, ways)


def cost_of(level: StockLevel, country: str | None) -> float:
    """What it costs to send a parcel from there, without what every parcel costs."""
    at_home = country is None or level.country == country
    km = UNKNOWN_KM[at_home] if level.km is None else level.km
    return km / 1_000 * COST_PER_1000_KM + (0 if at_home else COST_OF_BORDER)


def _places(demand: Mapping[UUID, int], levels: Sequence[StockLevel], country: str | None) -> list[_Place]:
    """The warehouses that have something, in their order."""
    found: dict[UUID, _Place] = {}
    for level in levels:
        if level.available > 0 and level.variant_id in demand:
            place = found.get(level.warehouse_id)
            if place is None:
                place = found[level.warehouse_id] = _Place(
                    level.warehouse_id, Way(cost_of(level, country), level.km), {}
                )
            place.units[level.variant_id] = level.available
    return sorted(found.values(), key=lambda place: place.order)


def _fewest(demand: Mapping[UUID, int], places: Sequence[_Place]) -> tuple[Rule, int, list[_Place]]:
    alone = [place for place in places if _enough(demand, [place])]
    if alone:
        return "one_warehouse", len(alone), alone[:1]
    two = combinations(places[:MOST_IN_PAIRS], 2)
    pairs = [(one, other) for one, other in two if _enough(demand, (one, other))]
    if pairs:
        cheapest = min(pairs, key=_cost)
        return "two_warehouses", len(pairs), [*cheapest]
    left, rest, chosen = dict(demand), list(places), list[_Place]()
    while any(left.values()):
        best = max(rest, key=lambda place: place.serves(left))  # the first of equals
        rest.remove(best)
        chosen.append(best)
        left = {variant: max(0, wanted - best.units.get(variant, 0)) for variant, wanted in left.items()}
    return "most_of_the_rest", len(places), sorted(chosen, key=lambda place: place.order)


def _cost(pair: tuple[_Place, _Place]) -> float:
    return pair[0].way.cost + pair[1].way.cost


def _enough(demand: Mapping[UUID, int], places: Sequence[_Place]) -> bool:
    return all(sum(place.units.get(variant, 0) for place in places) >= wanted for variant, wanted in demand.items())


def _lines(demand: Mapping[UUID, int], chosen: Sequence[_Place]) -> list[Allocation]:
    """Each line whole from the first that has it, otherwise from the first ones."""
    lines = []
    for variant, wanted in demand.items():
        whole = next((place for place in chosen if place.units.get(variant, 0) >= wanted), None)
        for place in chosen if whole is None else (whole,):
            taken = min(wanted, place.units.get(variant, 0))
            if taken:
                lines.append(Allocation(variant, place.warehouse_id, taken))
                wanted -= taken
    return sorted(lines, key=lambda line: (line.variant_id, line.warehouse_id))
