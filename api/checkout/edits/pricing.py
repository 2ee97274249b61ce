"""What is left of an earlier purchase, with more bought: its price and promise, by the functions of a purchase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from api.catalog.purchase import Occasion, Wanted, purchase
from api.delivery.promises import Origin, Parcel, Speed, promise
from api.inventory.allocation import Allocation, NotEnough
from api.pricing.shipping import Sending
from api.pricing.totals import PricedLine, Totals, totals


@dataclass(frozen=True, slots=True)
class Kept:
    """Units that were bought before, at the price of then; `origin` is their warehouse, None when nobody knows it."""

    units: int
    price: Decimal
    tax_class: str
    discount: Decimal
    grams: int
    prime: bool
    warehouse_id: UUID | None
    origin: Origin | None
    digital: bool = False

    @property
    def line(self) -> PricedLine:
        return PricedLine(self.units, self.price, self.tax_class, self.discount, self.grams, self.prime, self.digital)


@dataclass(frozen=True, slots=True)
class Addition:
    """`totals` are of the kept lines and then of the wanted ones, in their order; each variant is wanted once.
    `promised`: the last day of the parcel of each warehouse, None when the speed is not offered there any more.
    `sends`: whether something of it is sent."""

    totals: Totals
    allocations: list[Allocation]
    promised: dict[UUID, date] | None
    sends: bool


def add(kept: Sequence[Kept], wanted: Sequence[Wanted], occasion: Occasion, speed: Speed) -> Addition:
    """Price what is kept and what is wanted as one purchase; what is wanted is in stock, and comes from warehouses that
    send already, where they have it. Raises: NotEnough.
    """
    sending_now = {one.warehouse_id for one in kept if one.warehouse_id is not None and not one.digital}
    allocations = _allocate(wanted, sending_now, occasion)
    parcels = _parcels(kept, wanted, allocations)
    found = promise(list(parcels.values()), occasion.place, speed, occasion.now)
    member = occasion.member or speed != "standard"
    how = Sending(found.speed, found.zone, member) if found else Sending(member=member)
    lines = [*(one.line for one in kept), *(one.line for one in wanted)]
    sums = totals(lines, occasion.tariff, how)
    promised = None if found is None else _promised(parcels, occasion, speed)
    return Addition(sums, allocations, promised, sends=not all(line.digital for line in lines))


def _allocate(wanted: Sequence[Wanted], sending: set[UUID], occasion: Occasion) -> list[Allocation]:
    there = [one._replace(levels=[level._replace(room=None) for level in one.levels]) for one in wanted]
    near = [one._replace(levels=[s for s in one.levels if s.warehouse_id in sending]) for one in there]
    try:
        return purchase(near, occasion).allocations
    except NotEnough:
        return purchase(there, occasion).allocations


def _parcels(kept: Sequence[Kept], wanted: Sequence[Wanted], allocations: Sequence[Allocation]) -> dict[UUID, Parcel]:
    """By warehouse. A parcel takes part in Prime when everything in it does."""
    parcels: dict[UUID, Parcel] = {}
    of_variant = {one.variant_id: one for one in wanted}

    def put(warehouse: UUID, origin: Origin, prime: bool) -> None:
        known = parcels.get(warehouse)
        parcels[warehouse] = Parcel(origin, prime and (known is None or known.prime))

    for line in kept:
        if line.warehouse_id is not None and line.origin is not None and not line.digital:
            put(line.warehouse_id, line.origin, line.prime)
    for one in allocations:
        variant = of_variant[one.variant_id]
        put(one.warehouse_id, variant.origins[one.warehouse_id], variant.prime)
    return parcels


def _promised(parcels: Mapping[UUID, Parcel], occasion: Occasion, speed: Speed) -> dict[UUID, date]:
    each = {warehouse: promise([parcel], occasion.place, speed, occasion.now) for warehouse, parcel in parcels.items()}
    return {warehouse: found.last for warehouse, found in each.items() if found is not None}
