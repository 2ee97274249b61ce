"""Reads what a request asks for in one round trip, and turns it into a plan: variants, warehouses and amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from api.carts.statements import lines_part as cart_lines_part
from api.catalog.artwork import artwork_path
from api.checkout import statements
from api.checkout.crowd import Queue
from api.checkout.errors import (
    AddressUnknown,
    CartBeingOrdered,
    CartEmpty,
    CartOrdered,
    NotOrderable,
    OutOfStock,
    TotalChanged,
)
from api.checkout.schemas import FullAddress, PlaceOrder, Plan, PlanCart, PlanCartLine, PlanLine, SavedAddress
from api.inventory.allocation import Allocation, NotEnough, StockLevel, allocate
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import FieldError
from api.kernel.idempotency import KeptKey, RequestKey, found_part
from api.kernel.ids import new_id, new_order_number
from api.kernel.money import MAX_AMOUNT
from api.kernel.settings import Settings
from api.kernel.statement import Part, compose
from api.orders.statements import Snapshot
from api.pricing import list_price
from api.pricing.delivery import estimated_delivery
from api.pricing.tariff import Tariff
from api.pricing.totals import STANDARD_CLASS, PricedLine, line_taxes, totals


@dataclass(frozen=True, slots=True)
class Offer:
    """The offer of one variant, what it is called, and its stock in each warehouse. `list_price` per unit."""

    variant_id: UUID
    product_id: UUID
    price: Decimal
    seller_id: UUID
    currency: str
    for_sale: bool
    title: str
    sku: str
    attributes: dict[str, object]
    image_url: str
    list_price: Decimal | None
    levels: Sequence[StockLevel]


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One line of the request or of the cart."""

    product_id: UUID
    variant_id: UUID
    quantity: int
    cart_item_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class QuotedCart:
    """The cart that a request orders: the checkout that claims it, and (id, number) of the order that took what was in
    it, if nothing changed since."""

    cart_id: UUID
    version: int
    claimed_by: UUID | None
    order: tuple[UUID, str] | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What the database knows about a request: its key if it was sent before, its cart, its lines and their offers, and
    the saved address that it names."""

    kept: KeptKey | None
    cart: QuotedCart | None
    lines: Sequence[WantedLine]
    offers: dict[UUID, Offer]
    saved_address: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of QUOTED: null where the outer joins found nothing."""

    request: int
    request_hash: bytes | None
    key_status: str | None
    response_status: int | None
    response_headers: dict[str, str] | None
    response_body: bytes | None
    wanted_product: UUID | None
    wanted_variant: UUID | None
    quantity: int | None
    product_id: UUID | None
    price: Decimal | None
    seller_id: UUID | None
    currency: str | None
    for_sale: bool | None
    title: str | None
    sku: str | None
    attributes: dict[str, object] | None
    base_price: Decimal | None
    list_price: Decimal | None
    image: str | None
    warehouses: list[UUID] | None
    countries: list[str] | None
    available: list[int] | None
    address: dict[str, str] | None
    cart_item_id: UUID | None
    cart_id: UUID | None
    cart_version: int | None
    cart_claimed_by: UUID | None
    cart_order_id: UUID | None
    cart_order_number: str | None

    def kept(self) -> KeptKey | None:
        if self.request_hash is None or self.key_status is None:
            return None
        return KeptKey(
            self.request_hash, self.key_status, self.response_status, self.response_headers, self.response_body
        )

    def line(self) -> WantedLine | None:
        if self.wanted_product is None or self.wanted_variant is None or self.quantity is None:
            return None
        return WantedLine(self.wanted_product, self.wanted_variant, self.quantity, self.cart_item_id)

    def cart(self) -> QuotedCart | None:
        if self.cart_id is None or self.cart_version is None:
            return None
        number = self.cart_order_number
        order = (self.cart_order_id, number) if self.cart_order_id is not None and number is not None else None
        return QuotedCart(self.cart_id, self.cart_version, self.cart_claimed_by, order)

    def offer(self) -> Offer | None:
        if self.wanted_variant is None or self.product_id is None or self.price is None or self.currency is None:
            return None
        if self.seller_id is None or self.title is None or self.sku is None or self.base_price is None:
            return None
        stock = zip(self.warehouses or (), self.countries or (), self.available or (), strict=True)
        return Offer(
            variant_id=self.wanted_variant,
            product_id=self.product_id,
            price=self.price,
            seller_id=self.seller_id,
            currency=self.currency,
            for_sale=bool(self.for_sale),
            title=self.title,
            sku=self.sku,
            attributes=self.attributes or {},
            image_url=self.image or artwork_path(self.product_id),
            list_price=list_price.of_variant(self.price, self.base_price, self.list_price),
            levels=[StockLevel(self.wanted_variant, *level) for level in stock],
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose quote is to be read."""

    ctx: Context
    actor: Actor
    key: RequestKey
    request: PlaceOrder

    @property
    def saved(self) -> tuple[UUID, UUID | None] | None:
        """The saved address that it names, and whose it must be."""
        address = self.request.shipping_address
        return (address.address_id, self.actor.user_id) if isinstance(address, SavedAddress) else None


async def read_quote(ctx: Context, actor: Actor, key: RequestKey, request: PlaceOrder) -> Quote:
    """The key, the lines with their offers and stock, and the address: one statement, which requests may share.

    It runs on a connection for writing: those keep one plan for all values, and planning this costs six times its run.
    """
    queue = _OF_CARTS if request.items is None else _OF_LINES
    return await queue.submit(ctx, _Asked(ctx, actor, key, request))


async def _read_lines(batch: Sequence[_Asked]) -> list[Quote]:
    return await _read(batch, statements.lines_part([one.request.items or () for one in batch]))


async def _read_carts(batch: Sequence[_Asked]) -> list[Quote]:
    return await _read(batch, cart_lines_part([one.actor for one in batch]))


async def _read(batch: Sequence[_Asked], lines: Part) -> list[Quote]:
    statement, values = compose([found_part([one.key for one in batch]), lines], statements.QUOTED)
    saved = {place: address for place, one in enumerate(batch, 1) if (address := one.saved) is not None}
    values |= statements.saved_values(saved)
    rows = await batch[0].ctx.db.run_alone(lambda tx: tx.all_as(_Row, statement, values))
    return [_quote(list(of_request)) for _, of_request in groupby(rows, lambda row: row.request)]


def _quote(rows: Sequence[_Row]) -> Quote:
    return Quote(
        kept=rows[0].kept(),
        cart=rows[0].cart(),
        lines=[line for row in rows if (line := row.line()) is not None],
        offers={offer.variant_id: offer for row in rows if (offer := row.offer()) is not None},
        saved_address=rows[0].address,
    )


_OF_LINES, _OF_CARTS = Queue(_read_lines, lambda _: ()), Queue(_read_carts, lambda _: ())


def make_plan(settings: Settings, request: PlaceOrder, quote: Quote) -> Plan:
    """Price and allocate.

    Raises: CartBeingOrdered, CartOrdered, CartEmpty, NotOrderable, AddressUnknown, OutOfStock, TotalChanged.
    """
    _require_lines(quote)
    _require_offers(quote)
    address = _address(request.shipping_address, quote.saved_address)
    allocations, tariff = _allocate(quote, address["country"]), Tariff.of(settings)
    priced = [PricedLine(line.quantity, quote.offers[line.variant_id].price) for line in allocations]
    amounts = totals(priced, tariff)
    if amounts.total > MAX_AMOUNT:
        raise NotOrderable("The order is too large to be paid at once; split it.")
    if request.expected_total is not None and request.expected_total != amounts.total:
        raise TotalChanged("Prices have changed; look at the cart again.", extra={"total": float(amounts.total)})
    return Plan(
        order_id=new_id(),
        order_number=new_order_number(),
        payment_id=new_id(),
        gateway=settings.payment_gateway,
        currency=quote.offers[allocations[0].variant_id].currency,
        subtotal=amounts.subtotal,
        tax=amounts.tax,
        shipping=amounts.shipping,
        discount=amounts.discount,
        total=amounts.total,
        address=address,
        estimated_delivery=_delivery(request),
        from_cart=request.items is None,
        cart=_plan_cart(quote),
        lines=_plan_lines(allocations, quote.offers, tariff.tax_rate, line_taxes(amounts.tax, priced)),
    )


def _plan_cart(quote: Quote) -> PlanCart | None:
    if quote.cart is None:
        return None
    lines = [
        PlanCartLine(cart_item_id=line.cart_item_id, quantity=line.quantity)
        for line in quote.lines
        if line.cart_item_id is not None
    ]
    return PlanCart(cart_id=quote.cart.cart_id, version=quote.cart.version, lines=lines)


def _delivery(request: PlaceOrder) -> date:
    return estimated_delivery(clock.now().date(), request.delivery_speed)


def _require_lines(quote: Quote) -> None:
    cart = quote.cart
    if cart is not None and cart.claimed_by is not None:
        raise CartBeingOrdered(
            "Another request is ordering it. Look at your orders and at the cart in a moment, before you order again.",
            headers={"Retry-After": "2"},
        )
    if quote.lines:
        return
    if cart is not None and cart.order is not None:
        order_id, number = cart.order
        raise CartOrdered(
            f"Order {number} took what was in it; look at that order. To buy more, put it into the cart first.",
            extra={"orderId": str(order_id), "orderNumber": number},
        )
    raise CartEmpty("The cart is empty; put something in or send `items`.")


def _require_offers(quote: Quote) -> None:
    errors = []
    for index, line in enumerate(quote.lines):
        offer = quote.offers.get(line.variant_id)
        if offer is None or offer.product_id != line.product_id:
            errors.append(
                FieldError(pointer=f"/items/{index}/variantId", message="there is no such variant of this product")
            )
        elif not offer.for_sale:
            errors.append(FieldError(pointer=f"/items/{index}/productId", message="this product is not for sale"))
    if errors:
        raise NotOrderable("Correct or remove the items named in `errors`.", errors=errors)
    if len({offer.currency for offer in quote.offers.values()}) > 1:
        raise NotOrderable("Items in different currencies cannot share an order; place one order per currency.")


def _address(given: SavedAddress | FullAddress, saved: dict[str, str] | None) -> dict[str, str]:
    if isinstance(given, FullAddress):
        return given.model_dump(by_alias=True, exclude_none=True)
    if saved is None:
        error = FieldError(pointer="/shippingAddress/addressId", message="not one of your addresses")
        raise AddressUnknown("Use one of your saved addresses, or send the full address.", errors=[error])
    return saved


def _allocate(quote: Quote, country: str) -> list[Allocation]:
    """Choose the warehouses; lines of one variant are checked together."""
    demand: dict[UUID, int] = {}
    for line in quote.lines:
        demand[line.variant_id] = demand.get(line.variant_id, 0) + line.quantity
    try:
        return allocate(demand, [level for offer in quote.offers.values() for level in offer.levels], country)
    except NotEnough as error:
        items = [
            {
                "variantId": str(variant),
                "productId": str(quote.offers[variant].product_id),
                "requested": demand[variant],
                "available": there,
            }
            for variant, there in sorted(error.short.items())
        ]
        raise OutOfStock("Lower the quantities named in `items`, or remove them.", extra={"items": items}) from error


def _plan_lines(
    allocations: Sequence[Allocation], offers: dict[UUID, Offer], tax_rate: Decimal, taxes: Sequence[Decimal]
) -> list[PlanLine]:
    return [
        PlanLine(
            order_item_id=new_id(),
            product_id=offers[a.variant_id].product_id,
            variant_id=a.variant_id,
            seller_id=offers[a.variant_id].seller_id,
            warehouse_id=a.warehouse_id,
            quantity=a.quantity,
            unit_price=offers[a.variant_id].price,
            snapshot=_snapshot(offers[a.variant_id], tax_rate, tax),
        )
        for a, tax in zip(allocations, taxes, strict=True)
    ]


def _snapshot(offer: Offer, tax_rate: Decimal, tax: Decimal) -> Snapshot:
    return Snapshot(
        title=offer.title,
        sku=offer.sku,
        attributes=offer.attributes,
        image_url=offer.image_url,
        list_price=offer.list_price,
        tax_rate=tax_rate,
        tax_amount=tax,
        tax_class=STANDARD_CLASS,
    )
