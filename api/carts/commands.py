"""Fill, change, merge and empty carts. Every change raises the cart's version under its row lock."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Integer, Interval, Uuid, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from api.carts.errors import CartChanged, CartFull, CartItemNotFound, QuantityTooLarge
from api.carts.models import Cart, CartItem
from api.carts.queries import OWNED, OwnerKind, owner, owner_kind
from api.carts.schemas import MAX_QUANTITY, AddItem
from api.catalog.errors import VariantNotFound
from api.catalog.queries.offers import offers_query
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Query, Tx, first_as
from api.kernel.errors import FieldError
from api.kernel.ids import new_id
from api.kernel.settings import Settings

MAX_LINES = 200
_NO_LINE = "Your cart has no such line."


@dataclass(frozen=True, slots=True)
class _Opened:
    """The actor's cart, locked, and how many lines it has."""

    cart_id: UUID
    lines: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that moves from a guest's cart to the member's."""

    product_id: UUID
    variant_id: UUID
    quantity: int
    price_at_addition: Decimal


async def add_item(ctx: Context, actor: Actor, body: AddItem) -> UUID:
    """Add units of a variant to the actor's cart; returns the line's id.

    A variant that is out of stock may be added: the cart marks it, and checkout refuses it.
    Raises: VariantNotFound (404) when the variant is not on sale;
    QuantityTooLarge (422) past 999 a line; CartFull (409).
    """

    async def work(tx: Tx) -> UUID:
        found, cart = await tx.batch(offers_query([body.variant_id]), _open_cart(ctx.settings, actor))
        offer = next(iter(found), None)
        if offer is None or not offer.on_sale or offer.product_id != body.product_id:
            raise VariantNotFound("No such product and variant is on sale.")
        assert cart is not None
        line = {
            "new_id": new_id(),
            "of_cart": cart.cart_id,
            "of_product": body.product_id,
            "of_variant": body.variant_id,
            "units": body.quantity,
            "price": offer.price,
        }
        item_id: UUID | None = await tx.scalar(_ADD, line)
        if item_id is None:
            fields = [
                FieldError(pointer="/quantity", message=f"at most {MAX_QUANTITY} with what the cart already holds")
            ]
            raise QuantityTooLarge("The cart cannot hold that many.", errors=fields)
        if cart.lines >= MAX_LINES:
            await _require_room(tx, cart.cart_id)
        return item_id

    return await ctx.db.run(work)


async def set_quantity(ctx: Context, actor: Actor, item_id: UUID, quantity: int, expected: int | None) -> None:
    """Set the units of one line. Raises: CartItemNotFound, also for other people's lines; CartChanged (412)."""

    async def work(tx: Tx) -> None:
        cart_id = await _touch(tx, actor, expected)
        changed = await tx.execute(_SET, {"of_cart": cart_id, "item": item_id, "units": quantity})
        if changed.rowcount != 1:
            raise CartItemNotFound(_NO_LINE)

    await ctx.db.run(work)


async def remove_item(ctx: Context, actor: Actor, item_id: UUID, expected: int | None) -> None:
    """Remove a line. Raises: CartItemNotFound, also for other people's lines; CartChanged (412)."""

    async def work(tx: Tx) -> None:
        cart_id = await _touch(tx, actor, expected)
        gone = await tx.execute(_REMOVE, {"of_cart": cart_id, "item": item_id})
        if gone.rowcount != 1:
            raise CartItemNotFound(_NO_LINE)

    await ctx.db.run(work)


async def merge_guest_cart(settings: Settings, tx: Tx, session_id: str | None, user_id: UUID) -> None:
    """Merge a guest's cart into the member's: quantities add up to at most 999, and the guest's cart is deleted."""
    if session_id is None:
        return
    guest = await tx.scalar(
        select(Cart.cart_id).where(Cart.session_id == session_id, Cart.expires_at > func.now()).with_for_update()
    )
    if guest is None:
        return
    columns = (CartItem.product_id, CartItem.variant_id, CartItem.quantity, CartItem.price_at_addition)
    lines = await tx.all_as(_Line, select(*columns).where(CartItem.cart_id == guest))
    await tx.execute(delete(Cart).where(Cart.cart_id == guest))
    if not lines:
        return
    member = await tx.fetch(_open_cart(settings, Actor(kind="customer", user_id=user_id)))
    assert member is not None
    rows = [{"cart_item_id": new_id(), "cart_id": member.cart_id, **asdict(line)} for line in lines]
    merged = insert(CartItem).values(rows)
    both = func.least(CartItem.quantity + merged.excluded.quantity, MAX_QUANTITY)
    await tx.execute(
        merged.on_conflict_do_update(
            index_elements=["cart_id", "variant_id"], set_={"quantity": both, "updated_at": func.now()}
        )
    )


async def expire_carts(tx: Tx, limit: int) -> int:
    """Delete at most `limit` expired carts; returns how many."""
    due = (
        select(Cart.cart_id)
        .where(Cart.expires_at <= func.now())
        .order_by(Cart.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await tx.execute(delete(Cart).where(Cart.cart_id.in_(due)))
    return gone.rowcount


def _open_cart(settings: Settings, actor: Actor) -> Query[_Opened | None]:
    """Lock the actor's cart, or create it, in one statement. An expired cart that is not deleted yet is used again."""
    member = actor.user_id is not None
    lifetime = timedelta(seconds=settings.cart_ttl_seconds if member else settings.guest_cart_ttl_seconds)
    values = {"new_id": new_id(), "lifetime": lifetime, **owner(actor)}
    return first_as(_Opened, _OPEN[owner_kind(actor)], values)


async def _touch(tx: Tx, actor: Actor, expected: int | None) -> UUID:
    """Lock the actor's cart and raise its version; returns its id."""
    statement = _touch_statement(owner_kind(actor), expects=expected is not None)
    cart_id: UUID | None = await tx.scalar(statement, {**owner(actor), "expected": expected})
    if cart_id is None:
        if expected is not None and await tx.scalar(_UNEXPIRED[owner_kind(actor)], owner(actor)) is not None:
            raise CartChanged("Read the cart again and repeat the change on its newest version.")
        raise CartItemNotFound(_NO_LINE)
    return cart_id


async def _require_room(tx: Tx, cart_id: UUID) -> None:
    if await tx.scalar(_LINES, {"of_cart": cart_id}) > MAX_LINES:
        raise CartFull(f"At most {MAX_LINES} different things fit; order or remove some first.")


_CHANGED: dict[str, Any] = {"version": Cart.version + 1, "updated_at": func.now()}  # Any: SQL expressions


def _open_statement(kind: OwnerKind) -> Executable:
    column = Cart.user_id if kind == "member" else Cart.session_id
    statement = insert(Cart).values(
        cart_id=bindparam("new_id"),
        expires_at=func.now() + bindparam("lifetime", type_=Interval),
        **{column.key: bindparam("owner", type_=column.type)},
    )
    # Written as text: SQLAlchemy would add `carts` to the sub-select's FROM, and count the lines of every cart.
    own = literal_column("carts.cart_id", Uuid)
    lines = select(func.count()).where(CartItem.cart_id == own).scalar_subquery()
    return statement.on_conflict_do_update(
        index_elements=[column],
        index_where=column.is_not(None),
        set_={**_CHANGED, "expires_at": statement.excluded.expires_at},
    ).returning(Cart.cart_id, lines.label("lines"))


def _add_statement() -> Executable:
    statement = insert(CartItem).values(
        cart_item_id=bindparam("new_id"),
        cart_id=bindparam("of_cart"),
        product_id=bindparam("of_product"),
        variant_id=bindparam("of_variant"),
        quantity=bindparam("units"),
        price_at_addition=bindparam("price"),
    )
    added = statement.excluded
    grown = CartItem.quantity + added.quantity
    return statement.on_conflict_do_update(
        index_elements=["cart_id", "variant_id"],
        set_={"quantity": grown, "price_at_addition": added.price_at_addition, "updated_at": func.now()},
        where=grown <= MAX_QUANTITY,
    ).returning(CartItem.cart_item_id)


@cache
def _touch_statement(kind: OwnerKind, *, expects: bool) -> Executable:
    statement = update(Cart).where(OWNED[kind], Cart.expires_at > func.now()).values(_CHANGED)
    if expects:
        statement = statement.where(Cart.version == bindparam("expected", type_=Integer))
    return statement.returning(Cart.cart_id)


_OPEN = {kind: _open_statement(kind) for kind in OWNED}
_ADD = _add_statement()
_UNEXPIRED = {kind: select(Cart.cart_id).where(owned, Cart.expires_at > func.now()) for kind, owned in OWNED.items()}
_ITEM = (CartItem.cart_id == bindparam("of_cart"), CartItem.cart_item_id == bindparam("item"))
_SET = update(CartItem).where(*_ITEM).values(quantity=bindparam("units"), updated_at=func.now())
_REMOVE = delete(CartItem).where(*_ITEM)
_LINES = select(func.count()).where(CartItem.cart_id == bindparam("of_cart"))
