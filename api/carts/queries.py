"""Reads of the actor's own cart."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, Uuid, bindparam, false, func, select

from api.carts.models import Cart, CartItem
from api.carts.schemas import CartBody, CartLine, CartProduct, CartVariant
from api.catalog.queries.offers import Offer, offers_of
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.money import ZERO
from api.kernel.settings import Settings
from api.pricing.totals import PricedLine, Tariff, totals


@dataclass(frozen=True, slots=True)
class CartItemRef:
    """What checkout needs of one line; it takes prices from the catalog, not from here."""

    product_id: UUID
    variant_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class _Item:
    """One line of a cart."""

    cart_item_id: UUID
    variant_id: UUID
    quantity: int
    price_at_addition: Decimal


@dataclass(frozen=True, slots=True)
class _Row:
    """A cart and one of its lines; an empty cart is one row whose line is null."""

    cart_id: UUID
    version: int
    cart_item_id: UUID | None
    variant_id: UUID | None
    quantity: int | None
    price_at_addition: Decimal | None

    @property
    def item(self) -> _Item | None:
        if self.cart_item_id is None or self.variant_id is None:
            return None
        return _Item(self.cart_item_id, self.variant_id, self.quantity or 0, self.price_at_addition or ZERO)


def owned_by(actor: Actor) -> ColumnElement[bool]:
    """The cart of a member is found by user, a guest's by session; an actor with neither has none."""
    if actor.user_id is not None:
        return Cart.user_id == actor.user_id
    return Cart.session_id == actor.session_id if actor.session_id else false()


async def cart_of(tx: ReadTx, actor: Actor, settings: Settings) -> tuple[int, CartBody]:
    """Version (0 for none) and body of the actor's cart: two statements."""
    rows = await _lines(tx, actor) if actor.signed_in or actor.session_id else []
    version = rows[0].version if rows else 0
    items = [item for row in rows if (item := row.item) is not None]
    offers = await offers_of(tx, [item.variant_id for item in items]) if items else {}
    # The oldest line's; what costs another currency cannot be in the same order, nor in the same sum.
    currency = offers[items[0].variant_id].currency if items else settings.currency
    lines = [_line(item, offers[item.variant_id], currency) for item in items]
    buyable = [line for line in lines if line.available]
    sums = totals((PricedLine(line.quantity, line.price) for line in buyable), Tariff.of(settings))
    by_variant = {line.variant.variant_id: line.quantity for line in buyable}
    return version, CartBody(
        cart_id=rows[0].cart_id if rows else None,
        items=lines,
        item_count=sum(line.quantity for line in lines),
        currency=currency,
        subtotal=sums.subtotal,
        tax=sums.tax,
        shipping=sums.shipping,
        total=sums.total,
        savings=sum((_saving(offers[variant], quantity) for variant, quantity in by_variant.items()), ZERO),
    )


async def items_for_checkout(tx: ReadTx, actor: Actor) -> list[CartItemRef]:
    """The lines of the actor's unexpired cart, in variant id order; empty without a cart."""
    statement = select(CartItem.product_id, CartItem.variant_id, CartItem.quantity).join(
        Cart, Cart.cart_id == CartItem.cart_id
    )
    live = (owned_by(actor), Cart.expires_at > func.now())
    return await tx.all_as(CartItemRef, statement.where(*live).order_by(CartItem.variant_id))


async def _lines(tx: ReadTx, actor: Actor) -> list[_Row]:
    statement = _LINES["member" if actor.user_id is not None else "guest"]
    return await tx.all_as(_Row, statement, {"owner": actor.user_id or actor.session_id})


def _lines_of(owner: ColumnElement[bool]) -> Select[Any]:  # Any: the columns of _Row
    columns = (
        Cart.cart_id,
        Cart.version,
        CartItem.cart_item_id,
        CartItem.variant_id,
        CartItem.quantity,
        CartItem.price_at_addition,
    )
    statement = select(*columns).outerjoin(CartItem, CartItem.cart_id == Cart.cart_id)
    return statement.where(owner, Cart.expires_at > func.now()).order_by(CartItem.created_at, CartItem.cart_item_id)


_LINES = {
    "member": _lines_of(Cart.user_id == bindparam("owner", type_=Uuid)),
    "guest": _lines_of(Cart.session_id == bindparam("owner", type_=String)),
}


def _line(item: _Item, offer: Offer, currency: str) -> CartLine:
    return CartLine(
        cart_item_id=item.cart_item_id,
        product=CartProduct(
            product_id=offer.product_id,
            title=offer.title,
            brand=offer.brand,
            thumbnail=offer.thumbnail,
            prime_eligible=offer.prime_eligible,
        ),
        variant=CartVariant(variant_id=offer.variant_id, sku=offer.sku, attributes=offer.attributes, stock=offer.stock),
        quantity=item.quantity,
        price=offer.price,
        price_when_added=item.price_at_addition,
        price_changed=offer.price != item.price_at_addition,
        subtotal=offer.price * item.quantity,
        currency=offer.currency,
        available=offer.on_sale and offer.stock >= item.quantity and offer.currency == currency,
    )


def _saving(offer: Offer, quantity: int) -> Decimal:
    return (
        (offer.list_price - offer.price) * quantity
        if offer.list_price is not None and offer.list_price > offer.price
        else ZERO
    )
