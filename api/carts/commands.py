"""Fill, change, merge and empty carts. Every change raises the cart's version under its row lock."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.carts.errors import CartChanged, CartFull, CartItemNotFound, QuantityTooLarge
from api.carts.models import Cart, CartItem
from api.carts.queries import owned_by
from api.carts.schemas import MAX_QUANTITY, AddItem
from api.catalog.errors import VariantNotFound
from api.catalog.queries.offers import offers_of
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
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
        offer = (await offers_of(tx, [body.variant_id])).get(body.variant_id)
        if offer is None or not offer.on_sale or offer.product_id != body.product_id:
            raise VariantNotFound("No such product and variant is on sale.")
        cart = await _open_cart(ctx.settings, tx, actor)
        statement = insert(CartItem).values(
            cart_item_id=new_id(),
            cart_id=cart.cart_id,
            product_id=body.product_id,
            variant_id=body.variant_id,
            quantity=body.quantity,
            price_at_addition=offer.price,
        )
        added = statement.excluded
        grown = CartItem.quantity + added.quantity
        statement = statement.on_conflict_do_update(
            index_elements=["cart_id", "variant_id"],
            set_={"quantity": grown, "price_at_addition": added.price_at_addition, "updated_at": func.now()},
            where=grown <= MAX_QUANTITY,
        )
        item_id: UUID | None = await tx.scalar(statement.returning(CartItem.cart_item_id))
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
        line = update(CartItem).where(CartItem.cart_id == cart_id, CartItem.cart_item_id == item_id)
        changed = await tx.execute(line.values(quantity=quantity, updated_at=func.now()))
        if changed.rowcount != 1:
            raise CartItemNotFound(_NO_LINE)

    await ctx.db.run(work)


async def remove_item(ctx: Context, actor: Actor, item_id: UUID, expected: int | None) -> None:
    """Remove a line. Raises: CartItemNotFound, also for other people's lines; CartChanged (412)."""

    async def work(tx: Tx) -> None:
        cart_id = await _touch(tx, actor, expected)
        gone = await tx.execute(delete(CartItem).where(CartItem.cart_id == cart_id, CartItem.cart_item_id == item_id))
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
    member = await _open_cart(settings, tx, Actor(kind="customer", user_id=user_id))
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


async def _open_cart(settings: Settings, tx: Tx, actor: Actor) -> _Opened:
    """Lock the actor's cart, or create it, in one statement. An expired cart that is not deleted yet is used again."""
    member = actor.user_id is not None
    lifetime = timedelta(seconds=settings.cart_ttl_seconds if member else settings.guest_cart_ttl_seconds)
    owner: dict[str, UUID | str | None] = {"user_id": actor.user_id} if member else {"session_id": actor.session_id}
    statement = insert(Cart).values(cart_id=new_id(), expires_at=func.now() + lifetime, **owner)
    column = Cart.user_id if member else Cart.session_id
    lines = select(func.count()).where(CartItem.cart_id == Cart.cart_id).scalar_subquery()
    statement = statement.on_conflict_do_update(
        index_elements=[column],
        index_where=column.is_not(None),
        set_={**_changed(), "expires_at": statement.excluded.expires_at},
    )
    cart = await tx.first_as(_Opened, statement.returning(Cart.cart_id, lines.label("lines")))
    assert cart is not None
    return cart


async def _touch(tx: Tx, actor: Actor, expected: int | None) -> UUID:
    """Lock the actor's cart and raise its version; returns its id."""
    wanted = and_(owned_by(actor), Cart.expires_at > func.now())
    statement = update(Cart).where(wanted).values(_changed())
    if expected is not None:
        statement = statement.where(Cart.version == expected)
    cart_id: UUID | None = await tx.scalar(statement.returning(Cart.cart_id))
    if cart_id is None:
        if expected is not None and await tx.scalar(select(Cart.cart_id).where(wanted)) is not None:
            raise CartChanged("Read the cart again and repeat the change on its newest version.")
        raise CartItemNotFound(_NO_LINE)
    return cart_id


async def _require_room(tx: Tx, cart_id: UUID) -> None:
    if await tx.scalar(select(func.count()).where(CartItem.cart_id == cart_id)) > MAX_LINES:
        raise CartFull(f"At most {MAX_LINES} different things fit; order or remove some first.")


def _changed() -> dict[str, Any]:  # Any: SQL expressions
    return {"version": Cart.version + 1, "updated_at": func.now()}
