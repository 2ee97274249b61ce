"""From a request to a plan: what is sold, from where, for how much. One read joins the nouns' tables, so that a quote
is one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from api.carts.queries import CartItemRef, items_for_checkout
from api.checkout.errors import AddressUnknown, CartEmpty, NotOrderable, OutOfStock, TotalChanged
from api.checkout.record import Running
from api.checkout.schemas import FullAddress, OrderLine, Plan, PlanLine, SavedAddress
from api.inventory.allocation import Allocation, NotEnough, Shelf, allocate
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.errors import FieldError
from api.kernel.ids import new_id, new_order_number
from api.kernel.money import MAX_AMOUNT
from api.pricing.totals import PricedLine, Tariff, totals

DELIVERY_DAYS = {"standard": 5, "prime_2day": 2, "prime_next_day": 1}

_OFFERS = text(
    """SELECT v.variant_id, v.product_id, v.price, p.seller_id, p.currency, p.status = 'active' AND p.deleted_at IS NULL
    AS for_sale,
       coalesce((SELECT json_agg(json_build_array(s.warehouse_id, w.country, s.available))
                 FROM warehouse_stock s JOIN warehouses w USING (warehouse_id)
                 WHERE s.variant_id = v.variant_id AND s.available > 0), '[]') AS shelves,
       (SELECT json_build_object('street', a.street, 'city', a.city, 'state', a.state, 'zipCode', a.zip_code, 'country',
       a.country)
        FROM addresses a WHERE a.address_id = CAST(:address_id AS uuid) AND a.user_id = CAST(:user_id AS uuid)) AS
        address
    FROM product_variants v JOIN products p USING (product_id) WHERE v.variant_id = ANY(CAST(:variants AS uuid[]))"""
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """`demand`: variant -> units, over all lines of the request, so that two lines of one variant are checked
    together."""

    lines: Sequence[OrderLine | CartItemRef]
    demand: dict[UUID, int]
    from_cart: bool


async def make_plan(ctx: Context, running: Running) -> Plan:
    """Price and allocate. Raises: NotOrderable, CartEmpty, AddressUnknown, OutOfStock, TotalChanged."""
    request = running.request
    wanted = await _wanted(ctx, running)
    saved = request.shipping_address.address_id if isinstance(request.shipping_address, SavedAddress) else None
    async with ctx.db.read() as tx:
        rows = await tx.all(
            _OFFERS, {"variants": list(wanted.demand), "address_id": saved, "user_id": running.actor.user_id}
        )
    offers = {row.variant_id: row for row in rows}
    _require_offers(wanted, offers)
    address = _address(request.shipping_address, rows[0].address)
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
        currency=rows[0].currency,
        subtotal=amounts.subtotal,
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=amounts.discount,
        total=amounts.total,
        address=address,
        estimated_delivery=clock.now().date() + timedelta(days=DELIVERY_DAYS[request.delivery_speed]),
        from_cart=wanted.from_cart,
        lines=lines,
    )


async def _wanted(ctx: Context, running: Running) -> _Wanted:
    lines: Sequence[OrderLine | CartItemRef] | None = running.request.items
    if lines is None:
        async with ctx.db.read() as tx:
            lines = await items_for_checkout(tx, running.actor)
    if not lines:
        raise CartEmpty("The cart is empty; put something in or send `items`.")
    demand: dict[UUID, int] = {}
    for line in lines:
        demand[line.variant_id] = demand.get(line.variant_id, 0) + line.quantity
    return _Wanted(lines, demand, from_cart=running.request.items is None)


def _require_offers(wanted: _Wanted, offers: dict[UUID, Row[Any]]) -> None:  # Any: rows of _OFFERS
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


def _allocate(
    demand: dict[UUID, int], offers: dict[UUID, Row[Any]], country: str
) -> list[Allocation]:  # Any: rows of _OFFERS
    shelves = [
        Shelf(variant, UUID(warehouse), place, available)
        for variant, offer in offers.items()
        for warehouse, place, available in offer.shelves
    ]
    try:
        return allocate(demand, shelves, country)
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


def _plan_lines(
    allocations: Sequence[Allocation], offers: dict[UUID, Row[Any]]
) -> list[PlanLine]:  # Any: rows of _OFFERS
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
