"""Reads of the actor's own cart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, Uuid, bindparam, func, select

from api.carts.models import Cart, CartItem
from api.carts.schemas import CartBody, CartLine, CartProduct, CartVariant
from api.catalog.queries.offers import Offer, offers_of
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.money import ZERO
from api.kernel.settings import Settings
from api.pricing.list_price import saving
from api.pricing.tariff import Tariff
from api.pricing.totals import PricedLine, totals


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cart, without catalog data."""

    cart_item_id: UUID
    variant_id: UUID
    quantity: int
    price_at_addition: Decimal


@dataclass(frozen=True, slots=True)
class _Row:
    """A cart with one of its lines, or with none when it is empty."""

    cart_id: UUID
    version: int
    cart_item_id: UUID | None
    variant_id: UUID | None
    quantity: int | None
    price_at_addition: Decimal | None

    def line(self) -> Line | None:
        if self.cart_item_id and self.variant_id and self.quantity and self.price_at_addition is not None:
            return Line(self.cart_item_id, self.variant_id, self.quantity, self.price_at_addition)
        return None


OwnerKind = Literal["member", "guest"]
# The cart of a member is found by user, a guest's by session; an actor with neither has none.
OWNED: dict[OwnerKind, ColumnElement[bool]] = {
    "member": Cart.user_id == bindparam("owner", type_=Uuid),
    "guest": Cart.session_id == bindparam("owner", type_=String),
}


def owner_kind(actor: Actor) -> OwnerKind:
    return "guest" if actor.user_id is None else "member"


def owner(actor: Actor) -> dict[str, UUID | str | None]:
    """The bind of OWNED."""
    return {"owner": actor.user_id or actor.session_id or None}


async def cart_of(tx: ReadTx, actor: Actor, settings: Settings) -> tuple[int, CartBody]:
    """Version (0 for none) and body of the actor's cart: two statements."""
    rows = await _rows(tx, actor) if actor.signed_in or actor.session_id else []
    lines = [line for row in rows if (line := row.line()) is not None]
    offers = await offers_of(tx, [line.variant_id for line in lines]) if lines else {}
    version, cart_id = (rows[0].version, rows[0].cart_id) if rows else (0, None)
    return version, cart_body(cart_id, lines, offers, settings.currency, Tariff.of(settings))


def cart_body(
    cart_id: UUID | None, lines: Sequence[Line], offers: Mapping[UUID, Offer], default_currency: str, tariff: Tariff
) -> CartBody:
    """`lines`, oldest first, at today's offers.

    The cart has the currency of its oldest line; a line in another currency cannot be in the same order or sum.
    """
    currency = offers[lines[0].variant_id].currency if lines else default_currency
    items = [_cart_line(line, offers[line.variant_id], currency) for line in lines]
    buyable = [item for item in items if item.available]
    sums = totals((PricedLine(item.quantity, item.price) for item in buyable), tariff)
    savings = (saving(item.price, offers[item.variant.variant_id].list_price, item.quantity) for item in buyable)
    return CartBody(
        cart_id=cart_id,
        items=items,
        item_count=sum(item.quantity for item in items),
        currency=currency,
        subtotal=sums.subtotal,
        tax=sums.tax,
        shipping=sums.shipping,
        total=sums.total,
        savings=sum(savings, ZERO),
    )


async def _rows(tx: ReadTx, actor: Actor) -> list[_Row]:
    return await tx.all_as(_Row, _ROWS[owner_kind(actor)], owner(actor))


def _rows_of(owned: ColumnElement[bool]) -> Select[Any]:  # Any: the columns of _Row
    columns = (
        Cart.cart_id,
        Cart.version,
        CartItem.cart_item_id,
        CartItem.variant_id,
        CartItem.quantity,
        CartItem.price_at_addition,
    )
    statement = select(*columns).outerjoin(CartItem, CartItem.cart_id == Cart.cart_id)
    return statement.where(owned, Cart.expires_at > func.now()).order_by(CartItem.created_at, CartItem.cart_item_id)


_ROWS = {kind: _rows_of(owned) for kind, owned in OWNED.items()}


def _cart_line(line: Line, offer: Offer, currency: str) -> CartLine:
    return CartLine(
        cart_item_id=line.cart_item_id,
        product=CartProduct(
            product_id=offer.product_id,
            title=offer.title,
            brand=offer.brand,
            thumbnail=offer.thumbnail,
            prime_eligible=offer.prime_eligible,
        ),
        variant=CartVariant(variant_id=offer.variant_id, sku=offer.sku, attributes=offer.attributes, stock=offer.stock),
        quantity=line.quantity,
        price=offer.price,
        price_when_added=line.price_at_addition,
        price_changed=offer.price != line.price_at_addition,
        subtotal=offer.price * line.quantity,
        currency=offer.currency,
        available=offer.on_sale and offer.stock >= line.quantity and offer.currency == currency,
    )
