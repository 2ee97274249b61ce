"""Reads of carts: one statement, with today's offers. Every answer that shows a cart is made of it."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Integer, String, Uuid, any_, bindparam, func, or_, select, true

from api.carts.models import Cart, CartItem
from api.carts.statements import session_of
from api.catalog.purchase import Occasion, Purchase, option_json, purchase
from api.catalog.queries.offers import (
    KEPT_OFFERS,
    NO_KITS,
    OFFER_TEXT,
    OFFERED,
    OFFERED_LEVELS,
    OFFERED_VARIANT,
    Component,
    Kit,
    Offer,
    Taking,
    offer_of,
)
from api.catalog.restrictions.rules import not_sold_to
from api.delivery.promises import Origin, Speed
from api.kernel.actor import Actor
from api.kernel.db import Query, ReadTx, Result, done
from api.kernel.languages import Reader
from api.kernel.money import ZERO
from api.pricing.explanation import Charge, Named, beyond_goods, of_goods
from api.pricing.list_price import saving
from api.pricing.promotions import Reduction
from api.promotions.deals import NO_CODES, Codes, Deal, dealt


class Line(NamedTuple):
    """A line of a cart, with the offer of its variant."""

    cart_item_id: UUID
    quantity: int
    price_at_addition: Decimal
    price_seen: Decimal | None
    offer: Offer
    # How many of it the earlier lines leave; None: as many as there are.
    left: int | None = None

    @property
    def product_id(self) -> UUID:
        return self.offer.product_id

    @property
    def variant_id(self) -> UUID:
        return self.offer.variant_id

    @property
    def price_changed(self) -> bool:
        """Whether the price is another than when the line was added, or than the one last shown as changed."""
        return self.offer.price != (self.price_at_addition if self.price_seen is None else self.price_seen)

    def buyable_in(self, currency: str, country: str) -> bool:
        """Whether it can be part of an order in that currency, to that country."""
        offer, units = self.offer, self.quantity
        there = offer.stock >= units or offer.to_be_had >= units
        there = there and (self.left is None or self.left >= units)
        return offer.on_sale and there and offer.currency == currency and not self.barred_in(country)

    def barred_in(self, country: str) -> bool:
        """Whether it is not sold there."""
        return self.offer.barred_in(country)

    @property
    def why_not(self) -> str | None:
        """Why there is not so much of it, in words: of a kit, and of what kits in the cart are made of."""
        kit = self.offer.kit
        if kit is not None and (why := kit.why_not(self.quantity)) is not None:
            return why
        if self.left is None or self.left >= self.quantity or self.left >= self.offer.to_be_had:
            return None
        return f"the lines before it leave {self.left}"

    @property
    def backordered(self) -> int:
        """How many of its units no warehouse has."""
        return max(self.quantity - self.offer.stock, 0)


@dataclass(frozen=True, slots=True)
class StoredCart:
    """An unexpired cart. `lines`: the oldest first. `coupons`: its codes, with a space between two."""

    cart_id: UUID
    version: int
    lines: list[Line] = field(default_factory=list)
    coupons: str | None = None

    @property
    def edition(self) -> UUID | None:
        """Of the warehouses, when the cart was read."""
        return self.lines[0].offer.edition if self.lines else None


@dataclass(frozen=True, slots=True)
class CartState:
    """What a stream of changes says of a cart; `units`: of all lines together."""

    cart_id: UUID | None
    version: int
    units: int

    @property
    def event_id(self) -> str:
        return f"{self.cart_id or 'none'}:{self.version}"


NO_CART = CartState(None, 0, 0)


@dataclass(frozen=True, slots=True)
class _OwnedState:
    user_id: UUID | None
    session_id: str | None
    cart_id: UUID
    version: int
    units: int


def owners(actors: Sequence[Actor]) -> dict[str, object]:
    """The binds of OWNED."""
    return {
        "users": [actor.user_id for actor in actors if actor.user_id is not None],
        "sessions": [session for actor in actors if (session := session_of(actor)) is not None],
    }


def carts_query(actors: Sequence[Actor]) -> Query[dict[UUID, StoredCart]]:
    """The carts of the actors, by id; those who have none are absent."""
    return Query(_CARTS, owners(actors), _carts)


def lock_query(actors: Sequence[Actor]) -> Query[None]:
    """Lock the actors' carts against changes, always in the same order."""
    return done(_LOCK, owners(actors))


async def cart_of(tx: ReadTx, actor: Actor) -> StoredCart | None:
    """The actor's cart."""
    if actor.new_session or not (actor.signed_in or actor.session_id):
        return None
    found = await tx.fetch(carts_query([actor]))
    return next(iter(found.values()), None)


async def states_of(tx: ReadTx, actors: Sequence[Actor]) -> dict[str, CartState]:
    """The carts of the actors, by their keys; those who have none are absent."""
    rows = await tx.all_as(_OwnedState, _STATES, owners(actors))
    found = {(row.user_id, row.session_id): CartState(row.cart_id, row.version, row.units) for row in rows}
    own = {actor.key: (actor.user_id, session_of(actor)) for actor in actors}
    return {key: found[owner] for key, owner in own.items() if owner in found}


def cart_body(
    cart: StoredCart | None,
    default_currency: str,
    occasion: Occasion,
    origins: Mapping[UUID, Origin],
    speed: Speed = "standard",
    *,
    reader: Reader,
    codes: Codes = NO_CODES,
    kits: Mapping[UUID, Kit] = NO_KITS,
) -> bytes:
    """What the shop answers: the JSON of a CartBody, written without making one, which costs three times as much.

    The cart has the currency of its oldest line; a line in another currency cannot be in the same order or sum.
    `kits`: of the lines that are kits.
    """
    lines = cart.lines if cart else []
    currency = lines[0].offer.currency if lines else default_currency
    country = occasion.place.country
    if kits:
        lines = _with_kits(lines, kits, currency, country)
    buyable = [line for line in lines if line.buyable_in(currency, country)]
    wanted = [line.offer.wanted(line.quantity, origins) for line in buyable]
    products = {line.variant_id: line.product_id for line in buyable} if codes.offered else {}
    deal = dealt(codes, wanted, products, currency, occasion.now)
    occasion = deal.on(occasion)
    bought = purchase(deal.wanted, occasion, speed, explained=False)
    sums = bought.totals
    reductions = {one.variant_id: tuple(one.reductions) for one in deal.wanted} if deal.coupons else {}
    return orjson.dumps(
        {
            "cartId": cart.cart_id if cart else None,
            "items": [_line(line, currency, country, reductions, reader) for line in lines],
            "itemCount": sum([line.quantity for line in lines]),
            "currency": currency,
            "subtotal": float(sums.subtotal),
            "tax": float(sums.tax),
            "taxIncluded": float(sums.tax_included),
            "shipping": float(sums.shipping),
            "discount": float(sums.discount),
            "total": float(sums.total),
            "savings": float(sum([_saving(line.offer, line.quantity) for line in buyable], ZERO)),
            "explanation": _charges(buyable, deal, bought, occasion, reader),
            "coupons": [one.as_json() for one in deal.coupons],
            "shippingTo": {"country": occasion.place.country, "state": occasion.place.region},
            "delivery": option_json(bought.chosen) if bought.chosen else None,
            "deliveryOptions": [option_json(option) for option in bought.options],
        }
    )


def _charges(lines: Sequence[Line], deal: Deal, bought: Purchase, occasion: Occasion, reader: Reader) -> list[object]:
    """The JSON of the charges."""
    named = [
        Named(line.offer.title_for(reader)[0], one.line, one.reductions)
        for line, one in zip(lines, deal.wanted, strict=True)
    ]
    beyond = beyond_goods(named, bought.totals, shipping_included=occasion.tariff.tax.shipping_included)
    goods: list[object] = [_goods(line.offer, line.quantity, reader) for line in lines]
    return goods + [_charge(one) for one in beyond]


def _charge(one: Charge) -> dict[str, object]:
    return {"kind": one.kind, "text": one.text, "amount": float(one.amount), "included": one.included}


# What a line shows depends on its offer, which many carts share, and on little else.
@lru_cache(maxsize=KEPT_OFFERS)
def _goods(offer: Offer, units: int, reader: Reader) -> orjson.Fragment:
    """The JSON of what a line costs before discounts."""
    return orjson.Fragment(orjson.dumps(_charge(of_goods(offer.title_for(reader)[0], units, offer.price))))


@lru_cache(maxsize=KEPT_OFFERS)
def _saving(offer: Offer, units: int) -> Decimal:
    return saving(offer.price, offer.list_price, units)


OWNED = or_(
    Cart.user_id == any_(bindparam("users", type_=ARRAY(Uuid))),
    Cart.session_id == any_(bindparam("sessions", type_=ARRAY(String))),
)
# Of a cart, then of its line as StoredCart and Line have them; the line's are null where the cart is empty.
_CART = (Cart.cart_id, Cart.version, Cart.coupons)
_LINE = (CartItem.cart_item_id, CartItem.quantity, CartItem.price_at_addition, CartItem.price_seen, OFFER_TEXT)
_CARTS = (
    select(*_CART, *_LINE)
    .select_from(Cart)
    .outerjoin(CartItem, CartItem.cart_id == Cart.cart_id)
    .outerjoin(OFFERED, CartItem.variant_id == OFFERED_VARIANT)
    .outerjoin(OFFERED_LEVELS, true())
    .where(OWNED, Cart.expires_at > func.now())
    .order_by(CartItem.created_at, CartItem.cart_item_id)
)


_STATES = (
    select(
        Cart.user_id,
        Cart.session_id,
        Cart.cart_id,
        Cart.version,
        func.coalesce(func.sum(CartItem.quantity), 0).cast(Integer).label("units"),
    )
    .outerjoin(CartItem, CartItem.cart_id == Cart.cart_id)
    .where(OWNED, Cart.expires_at > func.now())
    .group_by(Cart.cart_id)
)
_LOCK = select(Cart.cart_id).where(OWNED).order_by(Cart.cart_id).with_for_update(key_share=True)


def _carts(result: Result) -> dict[UUID, StoredCart]:
    found: dict[UUID, StoredCart] = {}
    for cart_id, version, coupons, item_id, quantity, at_addition, seen, offer in result.rows:
        cart = found.get(cart_id)
        if cart is None:
            cart = found[cart_id] = StoredCart(cart_id, version, coupons=coupons)
        if item_id is not None:
            cart.lines.append(Line(item_id, quantity, at_addition, seen, offer_of(offer)))
    return found


def _with_kits(lines: Sequence[Line], kits: Mapping[UUID, Kit], currency: str, country: str) -> list[Line]:
    """The lines, with what kits are made of, and how many of each the lines before it leave: they want units of the
    same variants."""
    taking, found = Taking(), list[Line]()
    for each in lines:
        offer = each.offer
        if each.variant_id in kits:
            offer = copy(offer)  # many carts share the one that was read
            offer.made_of(kits[each.variant_id])
        line = each._replace(offer=offer, left=taking.left(offer))
        found.append(line)
        if line.buyable_in(currency, country):
            taking.take(offer, line.quantity)
    return found


def _line(
    line: Line, currency: str, country: str, reductions: Mapping[UUID, tuple[Reduction, ...]], reader: Reader
) -> orjson.Fragment:
    """The JSON of a CartLine."""
    off = reductions.get(line.variant_id, ()) if reductions else ()
    rest = _but_its_id(line[1:], currency, country, off, reader)
    return orjson.Fragment(b'{"cartItemId":%b,%b' % (orjson.dumps(line.cart_item_id), rest))


@lru_cache(maxsize=KEPT_OFFERS)
def _but_its_id(
    content: tuple[int, Decimal, Decimal | None, Offer, int | None],
    currency: str,
    country: str,
    reductions: tuple[Reduction, ...],
    reader: Reader,
) -> bytes:
    """The rest of it: the same for every cart with such a line."""
    line = Line(UUID(int=0), *content)
    offer = line.offer
    title, language = offer.title_for(reader)
    return orjson.dumps(
        {
            "product": {
                "productId": offer.product_id,
                "title": title,
                "titleLanguage": language,
                "brand": offer.brand,
                "thumbnail": offer.thumbnail,
                "primeEligible": offer.prime_eligible,
                "condition": offer.condition,
                "kind": offer.kind,
            },
            "variant": {
                "variantId": offer.variant_id,
                "sku": offer.sku,
                "attributes": orjson.Fragment(offer.attributes),
                "stock": offer.stock,
            },
            "quantity": line.quantity,
            "price": float(offer.price),
            "lowestPrice30d": None if offer.lowest_price_30d is None else float(offer.lowest_price_30d),
            "priceWhenAdded": float(line.price_at_addition),
            "priceChanged": line.price_changed,
            "subtotal": float(offer.price * line.quantity),
            "discounts": [{"promotion": one.name, "amount": float(one.amount)} for one in reductions],
            "currency": offer.currency,
            "available": (buyable := line.buyable_in(currency, country)),
            "backordered": line.backordered if buyable else 0,
            "minAge": offer.min_age if offer.restrictions or offer.kit else None,
            "restriction": not_sold_to(country) if line.barred_in(country) else None,
            "components": [_component(one, reader) for one in offer.kit.components] if offer.kit else None,
            "unavailable": None if buyable else line.why_not,
        }
    )[1:]


def _component(one: Component, reader: Reader) -> dict[str, object]:
    """The JSON of a ComponentBody."""
    return {
        "variantId": one.variant_id,
        "productId": one.product_id,
        "title": one.title_for(reader)[0],
        "sku": one.sku,
        "units": one.units,
        "stock": one.stock,
        "forSale": one.on_sale,
    }
