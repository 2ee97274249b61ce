"""Chooses the warehouses of an order. A pure function: the statement that takes the stock checks again, so
stale levels cost a retry and never oversell.

Rule, in this order: 1. fewest parcels: one warehouse that has the whole order, the one in the buyer's country first,
then the one with most stock; 2. otherwise line by line: one warehouse that has the whole line, chosen the same way and
preferring warehouses already sending a parcel; 3. otherwise the line is split, most stock first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StockLevel:
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


class NotEnough(Exception):
    """`short`: variant -> sellable units, for every variant with too few."""

    def __init__(self, short: dict[UUID, int]) -> None:
        super().__init__("not enough stock")
        self.short = short


def allocate(demand: Mapping[UUID, int], levels: Sequence[StockLevel], country: str | None) -> list[Allocation]:
    """Choose warehouses for `demand` (variant -> units, each > 0); the result is in (variant, warehouse) order.

    Raises: NotEnough.
    """
    by_variant = {variant: [s for s in levels if s.variant_id == variant and s.available > 0] for variant in demand}
    short = {
        v: sum(s.available for s in by_variant[v])
        for v, wanted in demand.items()
        if sum(s.available for s in by_variant[v]) < wanted
    }
    if short:
        raise NotEnough(short)
    single = _one_for_all(demand, by_variant, country)
    if single is not None:
        chosen = [Allocation(variant, single, quantity) for variant, quantity in demand.items()]
    else:
        sending: set[UUID] = set()
        chosen = []
        for variant in sorted(demand, key=lambda v: (len(by_variant[v]), v)):
            lines = _for_line(variant, demand[variant], by_variant[variant], country, sending)
            sending.update(line.warehouse_id for line in lines)
            chosen += lines
    return sorted(chosen, key=lambda line: (line.variant_id, line.warehouse_id))


def _one_for_all(
    demand: Mapping[UUID, int], by_variant: Mapping[UUID, list[StockLevel]], country: str | None
) -> UUID | None:
    whole: set[UUID] | None = None
    spare: dict[UUID, int] = {}
    near: set[UUID] = set()
    for variant, wanted in demand.items():
        able = {s.warehouse_id for s in by_variant[variant] if s.available >= wanted}
        whole = able if whole is None else whole & able
        for level in by_variant[variant]:
            spare[level.warehouse_id] = spare.get(level.warehouse_id, 0) + level.available
            if level.country == country:
                near.add(level.warehouse_id)
    if not whole:
        return None
    return min(whole, key=lambda w: (w not in near, -spare[w], w))


def _for_line(
    variant: UUID, wanted: int, levels: list[StockLevel], country: str | None, sending: set[UUID]
) -> list[Allocation]:
    ranked = sorted(
        levels,
        key=lambda s: (
            s.available < wanted,
            s.warehouse_id not in sending,
            s.country != country,
            -s.available,
            s.warehouse_id,
        ),
    )
    if ranked[0].available >= wanted:
        return [Allocation(variant, ranked[0].warehouse_id, wanted)]
    lines = []
    for level in sorted(levels, key=lambda s: (-s.available, s.warehouse_id)):
        taken = min(wanted, level.available)
        lines.append(Allocation(variant, level.warehouse_id, taken))
        wanted -= taken
        if not wanted:
            break
    return lines
