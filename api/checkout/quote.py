"""Reads what a request asks for in one round trip, and turns it into a plan: variants, warehouses and amounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from api.carts.statements import lines_part as cart_lines_part
from api.catalog.artwork import artwork_path
from api.catalog.purchase import Occasion, Purchase, Wanted, option_json, purchase, with_parts
from api.catalog.restrictions.rules import ToBuy, limits_of, require_allowed
from api.checkout import statements
from api.checkout.crowd import Queue
from api.checkout.dividing.destinations import NO_BOOK, Book, Bound, Sums, bound, checked_address, without
from api.checkout.dividing.lines import plan_lines
from api.checkout.dividing.shares import divided, redemptions_of, shared
from api.checkout.errors import (
    CartBeingOrdered,
    CartEmpty,
    CartOrdered,
    CouponNotApplied,
    NotOrderable,
    OutOfStock,
    SpeedNotOffered,
    TotalChanged,
)
from api.checkout.quoting.kits import kits_bought, with_kits
from api.checkout.quoting.offers import Offer, Quote, QuotedCart, WantedLine
from api.checkout.schemas import (
    AskedOrder,
    Plan,
    PlanCart,
    PlanCartLine,
    SavedAddress,
)
from api.delivery.addresses import every_part
from api.delivery.promises import Origin, Speed
from api.inventory.allocation import Allocation, NotEnough
from api.inventory.queries import Stocked
from api.inventory.warehouses.kept import origins_of
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import FieldError
from api.kernel.idempotency import KeptKey, RequestKey, found_part
from api.kernel.ids import new_id, new_order_number
from api.kernel.money import MAX_AMOUNT
from api.kernel.settings import Settings
from api.kernel.statement import Part, compose
from api.pricing import list_price
from api.pricing.tariff import engine
from api.promotions.codes import split as split_codes
from api.promotions.deals import NO_CODES, Codes, Deal, dealt
from api.promotions.queries import buyer_email, codes_of


@dataclass(slots=True)
class _Row(Stocked):
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
    tax_class: str | None
    weight_grams: int | None
    prime_eligible: bool | None
    seller_id: UUID | None
    currency: str | None
    restrictions: str | None
    condition: str | None
    kind: str | None
    for_sale: bool | None
    title: str | None
    titles: dict[str, str] | None
    sku: str | None
    attributes: dict[str, object] | None
    base_price: Decimal | None
    list_price: Decimal | None
    image: str | None
    category: str | None
    address: dict[str, str] | None
    cart_item_id: UUID | None
    cart_id: UUID | None
    cart_version: int | None
    cart_claimed_by: UUID | None
    cart_coupons: str | None
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
        return QuotedCart(self.cart_id, self.cart_version, self.cart_claimed_by, self.cart_coupons, order)

    def offer(self, origins: Mapping[UUID, Origin], language: str) -> Offer | None:
        if self.wanted_variant is None or self.product_id is None or self.price is None or self.currency is None:
            return None
        if self.seller_id is None or self.title is None or self.sku is None:
            return None
        if self.base_price is None or self.tax_class is None:
            return None
        sold_as = Wanted(
            variant_id=self.wanted_variant,
            units=1,
            price=self.price,
            tax_class=self.tax_class,
            grams=self.weight_grams or 0,
            prime=bool(self.prime_eligible),
            levels=self.levels_of(self.wanted_variant, origins),
            origins=origins,
            digital=self.kind == "digital",
        )
        return Offer(
            variant_id=self.wanted_variant,
            product_id=self.product_id,
            seller_id=self.seller_id,
            currency=self.currency,
            for_sale=bool(self.for_sale),
            title=(self.titles or {}).get(language, self.title),
            sku=self.sku,
            attributes=self.attributes or {},
            image_url=self.image or artwork_path(self.product_id),
            list_price=list_price.of_variant(self.price, self.base_price, self.list_price),
            category=self.category or "",
            condition=self.condition,
            limits=None if self.restrictions is None else limits_of(self.restrictions),
            sold_as=sold_as,
            kind=self.kind or "",
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose quote is to be read."""

    ctx: Context
    actor: Actor
    key: RequestKey
    request: AskedOrder
    language: str

    @property
    def saved(self) -> tuple[UUID, UUID | None] | None:
        """The saved address that it names, and whose it must be."""
        address = self.request.shipping_address
        return (address.address_id, self.actor.user_id) if isinstance(address, SavedAddress) else None


async def read_quote(
    ctx: Context, actor: Actor, key: RequestKey, request: AskedOrder, language: str | None = None
) -> Quote:
    """The key, the lines with their offers and stock, and the address: one statement, which requests may share.

    It runs on a connection for writing: those keep one plan for all values, and planning this costs six times its run.
    `language`: the buyer's, of the offers' titles; None: the shop's own.
    """
    asked = _Asked(ctx, actor, key, request, language or ctx.settings.languages.own)
    quote = await (_OF_CARTS if request.items is None else _OF_LINES).submit(ctx, asked)
    kits = [offer for offer in quote.offers.values() if offer.kind == "kit"]
    return await with_kits(ctx, quote, kits, asked.language) if kits and quote.kept is None else quote


async def _read_lines(batch: Sequence[_Asked]) -> list[Quote]:
    return await _read(batch, statements.lines_part([one.request.items or () for one in batch]))


async def _read_carts(batch: Sequence[_Asked]) -> list[Quote]:
    return await _read(batch, cart_lines_part([one.actor for one in batch]))


async def _read(batch: Sequence[_Asked], lines: Part) -> list[Quote]:
    statement, values = compose([found_part([one.key for one in batch]), lines], statements.QUOTED)
    values |= statements.saved_values({place: saved for place, one in enumerate(batch, 1) if (saved := one.saved)})
    db = batch[0].ctx.db
    found = await db.run_alone(lambda tx: tx.all_as(_Row, statement, values))
    origins = await origins_of(db, found[0].edition)
    by_request = zip(batch, groupby(found, lambda row: row.request), strict=True)
    return [_quote(list(rows), origins, one.language) for one, (_, rows) in by_request]


def _quote(rows: Sequence[_Row], origins: Mapping[UUID, Origin], language: str) -> Quote:
    return Quote(
        kept=rows[0].kept(),
        cart=rows[0].cart(),
        lines=[line for row in rows if (line := row.line()) is not None],
        offers={offer.variant_id: offer for row in rows if (offer := row.offer(origins, language)) is not None},
        saved_address=rows[0].address,
    )


_OF_LINES, _OF_CARTS = Queue(_read_lines, lambda _: ()), Queue(_read_carts, lambda _: ())


async def read_codes(ctx: Context, actor: Actor, request: AskedOrder, quote: Quote) -> Codes:
    """What the request's codes, or its cart's, stand for; a request without codes asks nothing."""
    codes = request.coupon_codes if quote.cart is None else split_codes(quote.cart.coupons)
    if not codes:
        return NO_CODES
    async with ctx.db.read() as tx:
        return await codes_of(tx, actor, request.email, codes, [line.product_id for line in quote.lines])


def make_plan(
    settings: Settings,
    actor: Actor,
    request: AskedOrder,
    quote: Quote,
    *,
    book: Book = NO_BOOK,
    codes: Codes = NO_CODES,
) -> Plan:
    """Price and allocate.

    Raises: CartBeingOrdered, CartOrdered, CartEmpty, NotOrderable, AddressUnknown, AddressNotValid, Restricted,
    OutOfStock, SpeedNotOffered, CouponNotApplied, TotalChanged.
    """
    if request.items is None and request.coupon_codes:
        error = FieldError(pointer="/couponCodes", message="put the codes of a cart into the cart")
        raise NotOrderable("Send `couponCodes` with `items`, or `POST /cart/coupons`.", errors=[error])
    _require_lines(quote)
    _require_offers(quote)
    sent = any(quote.offers[line.variant_id].sold_as.is_sent for line in quote.lines)
    needed = every_part if sent else engine(settings).needs
    now, address = clock.now(), checked_address(request.shipping_address, quote.saved_address, needed)
    currency = quote.offers[quote.lines[0].variant_id].currency
    products = {line.variant_id: line.product_id for line in quote.lines} if codes.offered else {}
    deal = dealt(codes, _wanted(quote), products, currency, now)
    going = [Bound(0, address, deal.wanted)]
    if request.destinations is not None:
        going = divided(deal.wanted, bound(address, deal.wanted, request.destinations, book))
    require_allowed(_to_buy(quote, going), request.birth_date, now.date())
    occasions = [deal.on(Occasion.of(settings, now, place=one.address.place, member=actor.member)) for one in going]
    bought = _bought(quote, going, occasions, request.delivery_speed)
    if (amounts := Sums.of(bought)).total > MAX_AMOUNT:
        raise NotOrderable("The order is too large to be paid at once; split it.")
    _require_agreed(request, amounts.total, deal)
    shares = [shared(purchased) for purchased in bought]
    kits = kits_bought(quote.lines, quote.offers)
    return Plan(
        order_id=new_id(),
        order_number=new_order_number(),
        payment_id=new_id(),
        gateway=settings.payment_gateway,
        currency=currency,
        subtotal=amounts.subtotal,
        tax=amounts.tax,
        tax_included=amounts.tax_included,
        shipping=amounts.shipping,
        discount=amounts.discount,
        total=amounts.total,
        address=address.as_json(),
        estimated_delivery=amounts.estimated_delivery,
        from_cart=request.items is None,
        cart=_plan_cart(quote),
        destinations={one.number: one.address.as_json() for one in going if one.number},
        lines=[
            line
            for one, purchased, parts in zip(going, bought, shares, strict=True)
            for line in plan_lines(
                purchased, one, parts, offers=quote.offers, preference=request.shipping_preference, kits=kits
            )
        ],
        redemptions=redemptions_of(deal, shares, buyer_email(actor, request.email)) if deal.coupons else (),
    )


def _plan_cart(quote: Quote) -> PlanCart | None:
    if quote.cart is None:
        return None
    lines = [
        PlanCartLine(cart_item_id=line.cart_item_id, quantity=line.quantity)
        for line in quote.lines
        if line.cart_item_id is not None
    ]
    return PlanCart(cart_id=quote.cart.cart_id, version=quote.cart.version, lines=lines, coupons=quote.cart.coupons)


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
            errors.append(FieldError(pointer=f"/items/{index}/productId", message=offer.why_not))
    if errors:
        raise NotOrderable("Correct or remove the items named in `errors`.", errors=errors)
    if len({offer.currency for offer in quote.offers.values()}) > 1:
        raise NotOrderable("Items in different currencies cannot share an order; place one order per currency.")


def _to_buy(quote: Quote, going: Sequence[Bound]) -> list[ToBuy]:
    """What is restricted, where it goes."""
    first = {line.variant_id: index for index, line in reversed([*enumerate(quote.lines)])}
    return [
        ToBuy(
            offer.product_id,
            offer.variant_id,
            offer.title,
            offer.limits,
            one.address.country,
            f"/items/{first[variant]}",
        )
        for one in going
        for variant in (each.variant_id for each in one.wanted)
        for whole in (quote.offers[variant],)
        for offer in (whole, *whole.components)
        if offer.limits is not None
    ]


def _require_agreed(request: AskedOrder, total: Decimal, deal: Deal) -> None:
    """Raises: CouponNotApplied, TotalChanged."""
    if request.expected_total == total:
        return
    if deal.refused:
        raise CouponNotApplied(
            "Remove the codes named in `coupons`, or order with `total` as the `expectedTotal`.",
            errors=deal.errors("/couponCodes", request.coupon_codes),
            extra={"coupons": deal.refused_json, "total": float(total)},
        )
    if request.expected_total is not None:
        raise TotalChanged("Prices have changed; look at the cart again.", total)


def _wanted(quote: Quote) -> list[Wanted]:
    """What is bought, by variant: lines of one variant are priced and allocated as one."""
    demand: dict[UUID, int] = {}
    for line in quote.lines:
        demand[line.variant_id] = demand.get(line.variant_id, 0) + line.quantity
    return [quote.offers[variant].sold_as._replace(units=units) for variant, units in demand.items()]


def _bought(quote: Quote, going: Sequence[Bound], occasions: Sequence[Occasion], speed: Speed) -> list[Purchase]:
    """Price and promise what is bought, for each destination with the stock that the earlier ones left.

    Raises: OutOfStock, SpeedNotOffered.
    """
    found, taken = list[Purchase](), list[Allocation]()
    for one, occasion in zip(going, occasions, strict=True):
        lines = with_parts(one.wanted)
        wanted = without(lines, taken) if taken else lines
        try:
            bought = purchase(wanted, occasion, speed)
        except NotEnough as error:
            raise _out_of_stock(quote, going, error) from error
        if bought.chosen is None or bought.chosen.promise.speed != speed:
            raise _speed_not_offered(bought, wanted, occasion)
        found.append(bought)
        taken += bought.allocations
    return found


def _out_of_stock(quote: Quote, going: Sequence[Bound], error: NotEnough) -> OutOfStock:
    """Names what is short, with all that is wanted of it and all that there is."""
    whole = [one for each in going for one in each.wanted]
    lines = [line for line in with_parts(whole) if line.variant_id in error.short]
    items = []
    for variant in sorted({line.kit or line.variant_id for line in lines}):
        offer = quote.offers[variant]
        short = [
            {
                "variantId": str(component.variant_id),
                "requested": sum(line.units for line in lines if line.variant_id == component.variant_id),
                "available": component.buyable,
            }
            for component in offer.components
            if component.variant_id in error.short
        ]
        items.append(
            {
                "variantId": str(variant),
                "productId": str(offer.product_id),
                "requested": sum(one.units for one in whole if one.variant_id == variant),
                "available": offer.buyable,
                **({"components": short} if short else {}),
            }
        )
    return OutOfStock("Lower the quantities named in `items`, or remove them.", extra={"items": items})


def _speed_not_offered(bought: Purchase, wanted: Sequence[Wanted], occasion: Occasion) -> SpeedNotOffered:
    online = all(one.digital for one in wanted)
    advice = "Leave `deliverySpeed` out." if online else "Choose one of the speeds in `offered`."
    message = "nothing in the order is sent" if online else _not_offered(wanted, occasion)
    wrong = FieldError(pointer="/deliverySpeed", message=message)
    return SpeedNotOffered(
        advice, errors=[wrong], extra={"offered": [option_json(option) for option in bought.options]}
    )


def _not_offered(wanted: Sequence[Wanted], occasion: Occasion) -> str:
    if not occasion.member:
        return "only members of Prime may choose it"
    if not all(one.prime for one in wanted):
        return "not everything in the order takes part in Prime"
    return "it is not offered from the warehouses to this address"
