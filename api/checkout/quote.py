"""Turns a request into a plan: variants, warehouses and amounts, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.carts.queries import CartItemRef, items_for_checkout
from api.checkout.errors import AddressUnknown, CartEmpty, NotOrderable, OutOfStock, TotalChanged
from api.checkout.saga.lease import LeasedCheckout
from api.checkout.schemas import FullAddress, OrderLine, Plan, PlanLine, SavedAddress
from api.checkout.statements import OFFERS
from api.inventory.allocation import Allocation, NotEnough, StockLevel, allocate
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.errors import FieldError
from api.kernel.ids import new_id, new_order_number
from api.kernel.money import MAX_AMOUNT
from api.pricing.delivery import estimated_delivery
from api.pricing.tariff import Tariff
from api.pricing.totals import PricedLine, totals


@dataclass(frozen=True, slots=True)
class _Offer:
    """A row of OFFERS: the offer of one variant, and its stock in each warehouse."""

    variant_id: UUID
    product_id: UUID
    price: Decimal
    seller_id: UUID
    currency: str
    for_sale: bool
    warehouses: list[UUID]
    countries: list[str]
    available: list[int]
    address: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """`demand`: variant -> units, over all lines of the request, so that two
    lines of one variant are checked together."""

    lines: Sequence[OrderLine | CartItemRef]
    demand: dict[UUID, int]
    from_cart: bool


async def make_plan(ctx: Context, checkout: LeasedCheckout) -> Plan:
    """Price and allocate. Raises: NotOrderable, CartEmpty, AddressUnknown, OutOfStock, TotalChanged."""
    request = checkout.request
    wanted = await _wanted(ctx, checkout)
    saved = request.shipping_address.address_id if isinstance(request.shipping_address, SavedAddress) else None
    async with ctx.db.read() as tx:
        found = await tx.all_as(
            _Offer, OFFERS, {"variants": list(wanted.demand), "address_id": saved, "user_id": checkout.actor.user_id}
        )
    offers = {offer.variant_id: offer for offer in found}
    _require_offers(wanted, offers)
    address = _address(request.shipping_address, found[0].address)
    lines = _plan_lines(_allocate(wanted.demand, offers, address["country"]), offers)
    amounts = totals([PricedLine(line.quantity, line.unit_price) for line in lines], Tariff.of(ctx.settings))
    if amounts.total > MAX_AMOUNT:
        raise NotOrderable("The order is too large to be paid at once; split it.")
    if request.expected_total is not None and request.expected_total != amounts.total:
        raise TotalChanged("Prices have changed; look at the cart again.", extra={"total": float(amounts.total)})
    return Plan(
        order_id=new_id(),
        order_number=new_order_number(),
        payment_id=new_id(),
        gateway=ctx.settings.payment_gateway,
        currency=found[0].currency,
        subtotal=amounts.subtotal,
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=amounts.discount,
        total=amounts.total,
        address=address,
        estimated_delivery=estimated_delivery(clock.now().date(), request.delivery_speed),
        from_cart=wanted.from_cart,
        lines=lines,
    )


async def _wanted(ctx: Context, checkout: LeasedCheckout) -> _Wanted:
    lines: Sequence[OrderLine | CartItemRef] | None = checkout.request.items
    if lines is None:
        async with ctx.db.read() as tx:
            lines = await items_for_checkout(tx, checkout.actor)
    if not lines:
        raise CartEmpty("The cart is empty; put something in or send `items`.")
    demand: dict[UUID, int] = {}
    for line in lines:
        demand[line.variant_id] = demand.get(line.variant_id, 0) + line.quantity
    return _Wanted(lines, demand, from_cart=checkout.request.items is None)


def _require_offers(wanted: _Wanted, offers: dict[UUID, _Offer]) -> None:
    errors = []
    for index, line in enumerate(wanted.lines):
        offer = offers.get(line.variant_id)
        if offer is None or offer.product_id != line.product_id:
            errors.append(
                FieldError(pointer=f"/items/{index}/variantId", message="there is no such variant of this product")
            )
        elif not offer.for_sale:
            errors.append(FieldError(pointer=f"/items/{index}/productId", message="this product is not for sale"))
    if errors:
        raise NotOrderable("Correct or remove the items named in `errors`.", errors=errors)
    if len({offer.currency for offer in offers.values()}) > 1:
        raise NotOrderable("Items in different currencies cannot share an order; place one order per currency.")


def _address(given: SavedAddress | FullAddress, saved: dict[str, str] | None) -> dict[str, str]:
    if isinstance(given, FullAddress):
        return given.model_dump(by_alias=True, exclude_none=True)
    if saved is None:
        error = FieldError(pointer="/shippingAddress/addressId", message="not one of your addresses")
        raise AddressUnknown("Use one of your saved addresses, or send the full address.", errors=[error])
    return saved


def _allocate(demand: dict[UUID, int], offers: dict[UUID, _Offer], country: str) -> list[Allocation]:
    levels = [
        StockLevel(variant, warehouse, place, available)
        for variant, offer in offers.items()
        for warehouse, place, available in zip(offer.warehouses, offer.countries, offer.available, strict=True)
    ]
    try:
        return allocate(demand, levels, country)
    except NotEnough as error:
        items = [
            {
                "variantId": str(variant),
                "productId": str(offers[variant].product_id),
                "requested": demand[variant],
                "available": there,
            }
            for variant, there in sorted(error.short.items())
        ]
        raise OutOfStock("Lower the quantities named in `items`, or remove them.", extra={"items": items}) from error


def _plan_lines(allocations: Sequence[Allocation], offers: dict[UUID, _Offer]) -> list[PlanLine]:
    return [
        PlanLine(
            order_item_id=new_id(),
            product_id=offers[a.variant_id].product_id,
            variant_id=a.variant_id,
            seller_id=offers[a.variant_id].seller_id,
            warehouse_id=a.warehouse_id,
            quantity=a.quantity,
            unit_price=offers[a.variant_id].price,
        )
        for a in allocations
    ]
