"""Chooses the warehouses of an order, and says why. A pure function: the statement that takes the stock checks again,
so stale levels cost a retry and never oversell.

Rule, in this order: 1. fewest parcels: one warehouse that has everything, else two that have it together, else the
warehouse that has most of what is left, again and again; 2. among equals the least cost of sending, by distance and
border; 3. then the most stock. A line comes from one warehouse wherever one of the chosen has all of it.

Units that no warehouse has are backordered where a warehouse may owe them: each variant in the cheapest that may owe
all that is missing, else in the cheapest ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from operator import add, ge, lt
from typing import Literal, NamedTuple
from uuid import UUID

from api.inventory.backorders.room import Room

# What a parcel costs more than the nearest one would, in units of the same kind: for a thousand kilometres, and for a
# border. An address without a known place is as far away as a country is large.
COST_PER_1000_KM = 2.0
COST_OF_BORDER = 15.0
UNKNOWN_KM = {True: 1_500.0, False: 8_000.0}
# Two together are looked for among so many of the cheapest: with more the search takes longer than a parcel is worth.
MOST_IN_PAIRS = 40

Rule = Literal["one_warehouse", "two_warehouses", "most_of_the_rest", "backordered"]
# What is sent on its own: from a warehouse at once, or when its units are expected there; or delivered online.
Leg = tuple[UUID, date | None, bool]


class StockLevel(NamedTuple):
    """The sellable units of one variant in one warehouse, and those that may be sold before it has them."""

    variant_id: UUID
    warehouse_id: UUID
    country: str
    available: int
    room: Room | None = None

    @property
    def buyable(self) -> int:
        return self.available + (self.room.units if self.room else 0)


@dataclass(frozen=True, slots=True)
class Allocation:
    """`expected_on`: when the units are expected in the warehouse, None where it has them. `digital`: they are
    delivered online, and only counted there."""

    variant_id: UUID
    warehouse_id: UUID
    quantity: int
    expected_on: date | None = None
    digital: bool = False

    @property
    def leg(self) -> Leg:
        return self.warehouse_id, self.expected_on, self.digital


@dataclass(frozen=True, slots=True)
class Way:
    """From a warehouse to the buyer: what it costs, and how far it is if that is known."""

    cost: float
    km: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """`lines` in (variant, warehouse) order. `rule`: which one chose; `candidates`: of how many warehouses, or pairs,
    that could; `ways`: of each chosen warehouse. `backordered`: the same of the units that none has."""

    lines: Sequence[Allocation]
    rule: Rule
    candidates: int
    ways: Mapping[UUID, Way]
    backordered: "Choice | None" = None

    def reasons(self) -> dict[tuple[UUID, bool], dict[str, object]]:
        """Why each of the chosen warehouses sends its parts, what it has and what is backordered (True), as it is kept
        with the parcel."""
        later = self.rule == "backordered"
        shared = {"rule": self.rule, "candidates": self.candidates, "warehouses": len(self.ways)}
        own: dict[tuple[UUID, bool], dict[str, object]] = {
            (warehouse, later): {
                **shared,
                "cost": round(way.cost, 2),
                "kilometres": None if way.km is None else round(way.km),
            }
            for warehouse, way in self.ways.items()
        }
        return own if self.backordered is None else own | self.backordered.reasons()

    def all_lines(self) -> list[Allocation]:
        """What warehouses have, then what is backordered."""
        return [*self.lines, *(self.backordered.lines if self.backordered else ())]


class NotEnough(Exception):
    """`short`: variant -> units that can be bought, for every variant with too few."""

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
    """Choose warehouses for `demand` (variant -> units, each > 0).

    Raises: NotEnough.
    """
    places, roomy = _places(demand, levels, way_from)
    wanted = list(demand.values())
    there = [sum(units) for units in zip(*(place.units for place in places), strict=True)] or [0] * len(wanted)
    if any(map(lt, there, wanted)):
        backordered = _backordered(demand, dict(zip(demand, there, strict=True)), roomy, way_from)
        if not any(there):
            return Choice((), "backordered", 0, {}, backordered)
        wanted = list(map(min, wanted, there))
        return replace(_in_stock(dict(zip(demand, wanted, strict=True)), places), backordered=backordered)
    return _in_stock(demand, places)


def _in_stock(demand: Mapping[UUID, int], places: Sequence[_Place]) -> Choice:
    """Of units that are all there; a variant may be wanted not at all."""
    rule, candidates, chosen = _fewest(list(demand.values()), places)
    lines = _lines(demand, chosen)
    sending = {line.warehouse_id for line in lines}
    ways = {place.warehouse_id: place.way for place in chosen if place.warehouse_id in sending}
    return Choice(lines, rule, candidates, ways)


def _backordered(
    demand: Mapping[UUID, int],
    there: Mapping[UUID, int],
    roomy: Sequence[StockLevel],
    way_from: Callable[[StockLevel], Way],
) -> Choice:
    """The units that no warehouse has. Raises: NotEnough."""
    missing = {variant: wanted - there[variant] for variant, wanted in demand.items() if wanted > there[variant]}
    rooms: dict[UUID, list[tuple[Way, UUID, Room]]] = {variant: [] for variant in missing}
    for level in roomy:
        if level.variant_id in rooms and level.room is not None:
            rooms[level.variant_id].append((way_from(level), level.warehouse_id, level.room))
    free = {variant: sum(room.units for *_, room in known) for variant, known in rooms.items()}
    short = {variant: there[variant] + free[variant] for variant, units in missing.items() if free[variant] < units}
    if short:
        raise NotEnough(short)
    lines, ways = list[Allocation](), dict[UUID, Way]()
    for variant, units in missing.items():
        cheapest = sorted(rooms[variant], key=lambda one: (one[0].cost, one[1]))
        left, whole = units, next((one for one in cheapest if one[2].units >= units), None)
        for way_there, warehouse, room in cheapest if whole is None else (whole,):
            taken = min(left, room.units)
            if taken:
                lines.append(Allocation(variant, warehouse, taken, room.expected_on(taken)))
                ways[warehouse] = way_there
                left -= taken
    candidates = {warehouse for known in rooms.values() for _, warehouse, _ in known}
    lines.sort(key=lambda line: (line.variant_id, line.warehouse_id))
    return Choice(lines, "backordered", len(candidates), ways)


def _places(
    demand: Mapping[UUID, int], levels: Iterable[StockLevel], way_from: Callable[[StockLevel], Way]
) -> tuple[list[_Place], list[StockLevel]]:
    """The warehouses that have something, in their order, and the levels where units may be backordered."""
    position = {variant: at for at, variant in enumerate(demand)}
    found, roomy = dict[UUID, _Place](), list[StockLevel]()
    for level in levels:
        at = position.get(level.variant_id)
        if level.room is not None:
            roomy.append(level)
        if at is None or level.available <= 0:
            continue
        place = found.get(level.warehouse_id)
        if place is None:
            place = found[level.warehouse_id] = _Place(level.warehouse_id, way_from(level), [0] * len(position))
        place.units[at] = level.available
    return sorted(found.values(), key=lambda place: place.order), roomy


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
