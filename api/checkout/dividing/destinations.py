"""An order to several addresses: which units go where, each destination priced and promised as a purchase of its own.

What no destination names goes to the order's own address. The order's amounts are the sums of its destinations'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from api.catalog.purchase import Purchase, Wanted
from api.checkout.errors import AddressUnknown, NotOrderable
from api.checkout.schemas import AskedOrder, Destination, GivenAddress, SavedAddress
from api.delivery.addresses import Checked, Needed, check, every_part
from api.identity.queries import addresses_of
from api.inventory.allocation import Allocation, StockLevel
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import FieldError
from api.kernel.money import ZERO

Book = Mapping[UUID, dict[str, str]]
NO_BOOK: Book = {}


@dataclass(frozen=True, slots=True)
class Bound:
    """Units of the order that go to one address. `number`: 0 for the order's own, then in the order of the request."""

    number: int
    address: Checked
    wanted: list[Wanted]


@dataclass(frozen=True, slots=True)
class Sums:
    """The order's amounts, of all that is bought for it."""

    subtotal: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping: Decimal
    discount: Decimal
    total: Decimal
    estimated_delivery: date

    @classmethod
    def of(cls, bought: Sequence[Purchase]) -> "Sums":
        sums = [one.totals for one in bought]
        if len(sums) == 1:  # most orders: adding nothing to Decimals takes five times as long
            (only,) = sums
            latest = max(bought[0].promised.values())
            return cls(only.subtotal, only.tax, only.tax_included, only.shipping, only.discount, only.total, latest)
        return cls(
            subtotal=sum((one.subtotal for one in sums), ZERO),
            tax=sum((one.tax for one in sums), ZERO),
            tax_included=sum((one.tax_included for one in sums), ZERO),
            shipping=sum((one.shipping for one in sums), ZERO),
            discount=sum((one.discount for one in sums), ZERO),
            total=sum((one.total for one in sums), ZERO),
            estimated_delivery=max(day for one in bought for day in one.promised.values()),
        )


async def read_book(ctx: Context, actor: Actor, request: AskedOrder) -> Book:
    """The actor's saved addresses, when a destination names one; otherwise nothing is read."""
    if not any(isinstance(one.shipping_address, SavedAddress) for one in request.destinations or ()):
        return NO_BOOK
    async with ctx.db.read() as tx:
        saved = await addresses_of(tx, actor)
    return {one.address_id: _as_given(one.model_dump(mode="json", by_alias=True)) for one in saved}


def _as_given(saved: Mapping[str, str | None]) -> dict[str, str]:
    names = ("street", "city", "state", "zipCode", "country")
    return {name: value for name in names if (value := saved.get(name)) is not None}


def bound(main: Checked, wanted: Sequence[Wanted], destinations: Sequence[Destination], book: Book) -> list[Bound]:
    """Which units of `wanted` go where; a destination's lines of one variant are added.

    Raises: AddressUnknown, AddressNotValid, and NotOrderable, which names each line of which there is not so much or
    that is delivered online, or the order's own address when nothing is left for it.
    """
    left = {one.variant_id: one.units for one in wanted}
    offered = {one.variant_id: one for one in wanted}
    found, errors = list[Bound](), list[FieldError]()
    for index, destination in enumerate(destinations):
        units: dict[UUID, int] = {}
        for place, line in enumerate(destination.lines):
            pointer = f"/destinations/{index}/lines/{place}"
            if line.variant_id not in left:
                errors.append(FieldError(pointer=f"{pointer}/variantId", message="the order has no such variant"))
            elif offered[line.variant_id].is_online:
                errors.append(FieldError(pointer=f"{pointer}/variantId", message="it is delivered online"))
            elif line.quantity > left[line.variant_id]:
                message = f"{left[line.variant_id]} of it are left for this address"
                errors.append(FieldError(pointer=f"{pointer}/quantity", message=message))
            else:
                left[line.variant_id] -= line.quantity
                units[line.variant_id] = units.get(line.variant_id, 0) + line.quantity
        address = _address(f"/destinations/{index}/shippingAddress", destination.shipping_address, book)
        going = [offered[variant]._replace(units=many) for variant, many in units.items()]
        found.append(Bound(index + 1, address, going))
    rest = [one._replace(units=left[one.variant_id]) for one in wanted if left[one.variant_id]]
    if not rest:
        message = "nothing goes there: take the lines of one destination out, and give its address here"
        errors.append(FieldError(pointer="/shippingAddress", message=message))
    if errors:
        raise NotOrderable("Correct or remove what is named in `errors`.", errors=errors)
    return [Bound(0, main, rest), *found]


def _address(pointer: str, given: SavedAddress | GivenAddress, book: Book) -> Checked:
    if isinstance(given, GivenAddress):
        return check(pointer, given.model_dump(by_alias=True))
    saved = book.get(given.address_id)
    if saved is None:
        error = FieldError(pointer=f"{pointer}/addressId", message="not one of your addresses")
        raise AddressUnknown("Use one of your saved addresses, or send the full address.", errors=[error])
    return check(pointer, saved)


def without(wanted: Sequence[Wanted], taken: Sequence[Allocation]) -> list[Wanted]:
    """What is wanted, with the stock, and the room for backorders, that earlier destinations left."""
    gone: dict[tuple[UUID, UUID, bool], int] = {}
    for one in taken:
        place = (one.variant_id, one.warehouse_id, one.expected_on is not None)
        gone[place] = gone.get(place, 0) + one.quantity

    def left(level: StockLevel) -> StockLevel:
        sent, owed = (gone.get((level.variant_id, level.warehouse_id, later), 0) for later in (False, True))
        room = level.room.without(owed) if level.room and owed else level.room
        return level._replace(available=level.available - sent, room=room)

    return [one._replace(levels=[left(level) for level in one.levels]) for one in wanted]


def checked_address(
    given: SavedAddress | GivenAddress, saved: Mapping[str, str | None] | None, needed: Needed = every_part
) -> Checked:
    """The address as an order keeps it; `saved` is the one that `given` names, and `needed` what it may not lack.

    Raises: AddressUnknown, AddressNotValid.
    """
    if isinstance(given, GivenAddress):
        return check("/shippingAddress", given.model_dump(by_alias=True), needed)
    if saved is None:
        error = FieldError(pointer="/shippingAddress/addressId", message="not one of your addresses")
        raise AddressUnknown("Use one of your saved addresses, or send the full address.", errors=[error])
    return check("/shippingAddress", saved, needed)
