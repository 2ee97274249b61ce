"""The price and the promise of a purchase: the one definition that product pages, carts and orders show and charge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from api.delivery.places import Place
from api.delivery.promises import Origin, Parcel, Promise, Speed, at_once, offered, promises
from api.delivery.zones import kilometres, point_of
from api.inventory.allocation import Allocation, Choice, Leg, StockLevel, Way, allocate, way
from api.kernel.money import ZERO
from api.kernel.settings import Settings
from api.pricing.promotions import Reduction, apart
from api.pricing.shipping import NOTHING, Sending, ShippingFee
from api.pricing.tariff import Tariff, home
from api.pricing.totals import Freight, PricedLine, Totals, fee, totals, totals_with


class Wanted(NamedTuple):
    """Units of one variant, as it is offered now. `origins`: warehouses by id, its own among them.

    `parts`: what one unit of a kit consists of, which has no stock of its own. `kit`: the variant of the kit that it is
    a part of. `digital`: it is delivered online.
    """

    variant_id: UUID
    units: int
    price: Decimal
    tax_class: str
    grams: int
    prime: bool
    levels: Sequence[StockLevel]
    origins: Mapping[UUID, Origin]
    reductions: Sequence[Reduction] = ()
    parts: Sequence["Wanted"] = ()
    kit: UUID | None = None
    digital: bool = False

    @property
    def is_somewhere(self) -> bool:
        """Whether a warehouse may send it."""
        return bool(self.levels) or bool(self.parts)

    @property
    def is_sent(self) -> bool:
        """Whether something of it is sent."""
        return any(part.is_sent for part in self.parts) if self.parts else not self.digital

    @property
    def is_online(self) -> bool:
        """Whether something of it is delivered online."""
        return any(part.is_online for part in self.parts) if self.parts else self.digital

    @property
    def line(self) -> PricedLine:
        off = sum((one.amount for one in self.reductions), ZERO) if self.reductions else ZERO
        return PricedLine(self.units, self.price, self.tax_class, off, self.grams, self.prime, self.digital)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Where a purchase goes, when it is made, and whether by a member of Prime."""

    place: Place
    now: datetime
    member: bool
    tariff: Tariff

    @classmethod
    def of(cls, settings: Settings, now: datetime, *, place: Place | None = None, member: bool = False) -> "Occasion":
        """Without a place it is the shop's own market."""
        there = place or home(settings)
        return cls(there, now, member, Tariff.of(settings, there, now.date()))


class Option(NamedTuple):
    """A speed that can be had, and what it costs."""

    promise: Promise
    fee: ShippingFee


@dataclass(frozen=True, slots=True)
class Purchase:
    """`wanted`: what is priced and sent, with the parts of kits instead of those; `lines` and the lines of `totals` are
    in its order. `totals` are those of the speed of `chosen`. `options`: what is offered, the slowest first; nothing
    without lines, and nothing to choose where all is delivered online, whose day is that of `chosen`. `promised`: the
    last day of what a warehouse sends at once, and of what it sends when backordered units are there. `choice`: why
    these warehouses send it."""

    wanted: Sequence[Wanted]
    lines: Sequence[PricedLine]
    totals: Totals
    options: list[Option]
    chosen: Option | None
    allocations: list[Allocation]
    promised: dict[Leg, date]
    choice: Choice | None = None


def purchase(
    wanted: Sequence[Wanted], occasion: Occasion, speed: Speed = "standard", *, explained: bool = True
) -> Purchase:
    """Price the lines and promise their delivery; a speed that is not offered is answered with the standard one.

    `explained` False: nobody asks why these warehouses, or when each sends its part, so there need be no `choice` and
    nothing `promised` of each. What is delivered online has no part in fee, days and choice of warehouses, and is
    there at once. Raises: NotEnough, from `allocate`.
    """
    wanted = with_parts(wanted)
    if any(one.digital for one in wanted):
        return _partly_online(wanted, occasion, speed, explained=explained)
    choice: Choice | None = None
    parcels: dict[Leg, Parcel] = {}
    allocations = None if explained else forced(wanted)
    if allocations is None:
        choice = _choice(wanted, occasion.place) if wanted else None
        allocations = [] if choice is None else choice.all_lines()
        parcels = _parcels(allocations, wanted)
        sent = list(parcels.values())
    else:
        # Each line by itself: those that one warehouse sends together are promised alike.
        sent = [Parcel(one.origins[at.warehouse_id], one.prime) for one, at in zip(wanted, allocations, strict=True)]
    lines = [one.line for one in wanted]
    can_be_had = offered(sent, occasion.place, occasion.now, member=occasion.member)
    freight = Freight.of(lines)
    options = [Option(one, fee(freight, occasion.tariff, _sending(one, occasion))) for one in can_be_had]
    chosen = next((option for option in options if option.promise.speed == speed), options[0] if options else None)
    shipping = chosen.fee if chosen else fee(freight, occasion.tariff, Sending(member=occasion.member))
    return Purchase(
        wanted=wanted,
        lines=lines,
        totals=totals_with(lines, occasion.tariff, shipping),
        options=options,
        chosen=chosen,
        allocations=allocations,
        promised=_promised(parcels, occasion, chosen.promise.speed) if chosen and parcels else {},
        choice=choice,
    )


def _partly_online(wanted: Sequence[Wanted], occasion: Occasion, speed: Speed, *, explained: bool) -> Purchase:
    """`wanted` is with the parts of kits."""
    sent, online = ([one for one in wanted if one.digital is digital] for digital in (False, True))
    lines, there = [one.line for one in wanted], at_once(occasion.now)
    counted = forced(online) or _choice(online, occasion.place).all_lines()
    allocations = [replace(one, digital=True) for one in counted]
    promised = {one.leg: there.last for one in allocations}
    if not sent:
        option = Option(there, NOTHING)
        sums = totals_with(lines, occasion.tariff, NOTHING)
        return Purchase(wanted, lines, sums, [], option, allocations, promised if explained else {})
    bought = purchase(sent, occasion, speed, explained=explained)
    fee_of_sent = ShippingFee(bought.totals.shipping, bought.totals.shipping_reason)
    return replace(
        bought,
        wanted=wanted,
        lines=lines,
        totals=totals_with(lines, occasion.tariff, fee_of_sent),
        allocations=[*bought.allocations, *allocations],
        promised=bought.promised | promised if bought.promised else {},
    )


def with_parts(wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """The same with the parts of kits instead of those: each its own price, and its share of what is taken off the
    kit. One variant may be there several times then, at several prices."""
    if not any(one.parts for one in wanted):
        return wanted
    return [part for one in wanted for part in (_parts(one) if one.parts else (one,))]


def _parts(kit: Wanted) -> list[Wanted]:
    parts = [part._replace(units=part.units * kit.units, kit=kit.variant_id) for part in kit.parts]
    if not kit.reductions:
        return parts
    off = apart(kit.reductions, [part.price * part.units for part in parts])
    return [part._replace(reductions=own) for part, own in zip(parts, off, strict=True)]


def offered_to_members(bought: Purchase, occasion: Occasion) -> list[Promise]:
    """What members of Prime could choose for the same purchase, the slowest first."""
    sent = [one for one in bought.allocations if not one.digital]
    parcels = _parcels(sent, bought.wanted)
    return offered(list(parcels.values()), occasion.place, occasion.now, member=True)


def forced(wanted: Sequence[Wanted]) -> list[Allocation] | None:
    """What `allocate` would choose where there is nothing to choose: each variant is wanted once and in one warehouse,
    with enough of it. Otherwise None."""
    found, seen = [], set[UUID]()
    for one in wanted:
        if len(one.levels) != 1 or one.levels[0].available < one.units or one.variant_id in seen:
            return None
        seen.add(one.variant_id)
        found.append(Allocation(one.variant_id, one.levels[0].warehouse_id, one.units))
    return found


def _choice(wanted: Sequence[Wanted], place: Place) -> Choice:
    """Raises: NotEnough."""
    demand = dict[UUID, int]()
    for one in wanted:
        demand[one.variant_id] = demand.get(one.variant_id, 0) + one.units
    if len(demand) == len(wanted):
        levels = chain.from_iterable(one.levels for one in wanted)
    else:
        levels = chain.from_iterable({one.variant_id: one.levels for one in wanted}.values())
    return allocate(demand, levels, _way(wanted, place))


def _way(wanted: Sequence[Wanted], place: Place) -> Callable[[StockLevel], Way]:
    """From the warehouse of a level to the place."""
    there, of_variant = point_of(place), {one.variant_id: one for one in wanted}

    def way_from(level: StockLevel) -> Way:
        if there is None:
            return way(level.country, None, place.country)
        origin = of_variant[level.variant_id].origins[level.warehouse_id]
        return way(level.country, kilometres((origin.latitude, origin.longitude), there), place.country)

    return way_from


def priced_alone(wanted: Sequence[Wanted], occasion: Occasion) -> Purchase:
    """The price of lines that the warehouses cannot send: nothing is promised."""
    wanted = with_parts(wanted)
    lines = [one.line for one in wanted]
    return Purchase(wanted, lines, totals(lines, occasion.tariff, Sending(member=occasion.member)), [], None, [], {})


def _sending(promise: Promise, occasion: Occasion) -> Sending:
    return Sending(promise.speed, promise.zone, occasion.member)


def _parcels(allocations: Sequence[Allocation], wanted: Sequence[Wanted]) -> dict[Leg, Parcel]:
    """By warehouse and day. A parcel takes part in Prime when everything in it does."""
    of_variant = {one.variant_id: one for one in wanted}
    parcels: dict[Leg, Parcel] = {}
    for one in allocations:
        variant, leg = of_variant[one.variant_id], one.leg
        known = parcels.get(leg)
        prime = variant.prime and (known is None or known.prime)
        parcels[leg] = Parcel(variant.origins[one.warehouse_id], prime, one.expected_on)
    return parcels


def _promised(parcels: Mapping[Leg, Parcel], occasion: Occasion, speed: Speed) -> dict[Leg, date]:
    each = promises(parcels.values(), occasion.place, speed, occasion.now)
    return {leg: found.last for leg, found in zip(parcels, each, strict=True) if found is not None}


def option_json(option: Option) -> dict[str, object]:
    """The JSON of a DeliveryOption."""
    return {"speed": option.promise.speed, "fee": float(option.fee.amount), **_when(option.promise)}


@lru_cache(maxsize=20_000)
def _when(promise: Promise) -> Mapping[str, str]:
    return {
        "text": promise.text,
        "from": promise.first.isoformat(),
        "to": promise.last.isoformat(),
        "orderBy": promise.order_by.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
