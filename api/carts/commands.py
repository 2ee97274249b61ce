"""Fill, change, merge and empty carts. Every change raises the cart's version under its row lock."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Delete,
    Executable,
    Integer,
    Interval,
    Update,
    Uuid,
    bindparam,
    column,
    delete,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from api.carts.additions import MAX_LINES, add
from api.carts.changes import announce, name_of
from api.carts.coupons import move_coupons
from api.carts.errors import CartChanged, CartFull, CartItemNotFound, QuantityTooLarge
from api.carts.models import Cart, CartItem
from api.carts.queries import OWNED, StoredCart, carts_query, lock_query, owners
from api.carts.schemas import MAX_QUANTITY, AddItem
from api.carts.statements import EXPIRED, Addition, expire_part
from api.catalog.errors import VariantNotFound
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Query, Tx, first_as
from api.kernel.errors import FieldError
from api.kernel.ids import new_id
from api.kernel.outbox import FIRST_EVENTS
from api.kernel.plan import Values
from api.kernel.settings import Settings
from api.kernel.statement import compose


@dataclass(frozen=True, slots=True)
class _Changed:
    """The end of a change of a line: `stale` when the cart has another version than the expected one."""

    stale: bool
    done: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that moves from a guest's cart to the member's."""

    product_id: UUID
    variant_id: UUID
    quantity: int
    price_at_addition: Decimal
    price_seen: Decimal | None


@dataclass(frozen=True, slots=True)
class _Held:
    """A locked cart."""

    cart_id: UUID
    claimed_by: UUID | None
    coupons: str | None


async def add_item(ctx: Context, actor: Actor, body: AddItem) -> tuple[UUID, StoredCart]:
    """Add units of a variant to the actor's cart; returns the line's id, and the cart.

    A variant that is out of stock may be added: the cart marks it, and checkout refuses it.
    Raises: VariantNotFound (404) when the variant is not on sale;
    QuantityTooLarge (422) past 999 a line; CartFull (409).
    """
    seconds = ctx.settings.cart_ttl_seconds if actor.signed_in else ctx.settings.guest_cart_ttl_seconds
    added = await add(ctx, Addition(actor, seconds, body.product_id, body.variant_id, body.quantity))
    if added.verdict == "not on sale":
        raise VariantNotFound("No such product and variant is on sale.")
    if added.verdict == "full":
        raise CartFull(f"At most {MAX_LINES} different things fit; order or remove some first.")
    if added.cart_item_id is None or added.cart is None:
        fields = [FieldError(pointer="/quantity", message=f"at most {MAX_QUANTITY} with what the cart already holds")]
        raise QuantityTooLarge("The cart cannot hold that many.", errors=fields)
    return added.cart_item_id, added.cart


async def set_quantity(
    ctx: Context, actor: Actor, item_id: UUID, quantity: int, expected: int | None
) -> StoredCart | None:
    """Set the units of one line; returns the cart.

    Raises: CartItemNotFound, also for other people's lines; CartChanged (412) when `expected` is not its version.
    """
    return await _change(ctx, actor, _SET, {"item": item_id, "units": quantity, "expected": expected})


async def remove_item(ctx: Context, actor: Actor, item_id: UUID, expected: int | None) -> StoredCart | None:
    """Remove a line; returns the cart.

    Raises: CartItemNotFound, also for other people's lines; CartChanged (412) when `expected` is not its version.
    """
    return await _change(ctx, actor, _REMOVE, {"item": item_id, "expected": expected})


async def _change(ctx: Context, actor: Actor, statement: Executable, values: Values) -> StoredCart | None:
    """Change a line of the actor's cart and raise the cart's version: one round trip with the answer."""
    query = first_as(_Changed, statement, {**owners([actor]), **values})
    changed, carts = await ctx.db.run_alone(lambda tx: tx.batch(query, carts_query([actor])))
    if changed is not None and changed.stale:
        raise CartChanged("Read the cart again and repeat the change on its newest version.")
    if changed is None or not changed.done:
        raise CartItemNotFound("Your cart has no such line.")
    announce(ctx, [name_of(actor)])
    return next(iter(carts.values()), None)


async def merge_guest_cart(settings: Settings, tx: Tx, session_id: str | None, user_id: UUID) -> None:
    """Merge a guest's cart into the member's: quantities add up to at most 999, and the guest's cart is deleted.

    A guest's cart that is being ordered becomes the member's, with the lines that the member had, so that the order
    finds it. When both are being ordered they stay two, until the next time that the guest signs in.
    """
    if session_id is None:
        return
    guest = await tx.first_as(_Held, _GUEST, {"session": session_id})
    if guest is None:
        return
    lifetime = timedelta(seconds=settings.cart_ttl_seconds)
    if guest.claimed_by is not None:
        await _adopt(tx, guest.cart_id, user_id, lifetime)
        return
    lines = await _moved_out(tx, guest.cart_id)
    if lines or guest.coupons:
        member = await tx.scalar(_OPEN_MEMBER, {"new_id": new_id(), "user_id": user_id, "lifetime": lifetime})
        await _move_in(tx, member, lines)
        await move_coupons(tx, member, guest.coupons)


async def see_prices(ctx: Context, actor: Actor, cart: StoredCart) -> None:
    """Note that the buyer has been shown the changed prices of the cart, so that they are flagged no more."""
    changed = [line for line in cart.lines if line.price_changed]
    if changed:
        values = {"lines": [line.cart_item_id for line in changed], "prices": [line.offer.price for line in changed]}
        await ctx.db.run_alone(lambda tx: tx.batch(lock_query([actor]), Query(_SEE, values, lambda _: None)))


def announce_merge(ctx: Context, guest: Actor, user_id: UUID) -> None:
    """Say that the guest's cart and the member's may be others than before. Call it after the commit."""
    if guest.session_id is not None:
        member = Actor("customer", user_id)
        announce(ctx, [name_of(member), name_of(Actor("anonymous", session_id=guest.session_id))])


async def _adopt(tx: Tx, cart_id: UUID, user_id: UUID, lifetime: timedelta) -> None:
    """Make a guest's cart the member's."""
    member = await tx.first_as(_Held, _MEMBER, {"member": user_id})
    if member is not None and member.claimed_by is not None:
        return
    if member is not None:
        await _move_in(tx, cart_id, await _moved_out(tx, member.cart_id))
        await move_coupons(tx, cart_id, member.coupons)
    await tx.execute(_ADOPT, {"of_cart": cart_id, "member": user_id, "lifetime": lifetime})


async def _moved_out(tx: Tx, cart_id: UUID) -> list[_Line]:
    """The lines of a cart that is deleted."""
    lines = await tx.all_as(_Line, _LINES, {"of_cart": cart_id})
    await tx.execute(_DELETE, {"of_cart": cart_id})
    return lines


async def _move_in(tx: Tx, cart_id: UUID, lines: Sequence[_Line]) -> None:
    if not lines:
        return
    columns = {field.name: [getattr(line, field.name) for line in lines] for field in fields(_Line)}
    await tx.execute(_MERGE, {"of_cart": cart_id, "cart_item_id": [new_id() for _ in lines], **columns})


async def expire_carts(tx: Tx, limit: int) -> int:
    """Delete at most `limit` expired carts; returns how many. One that is being ordered stays until it was.

    A cart with lines has been abandoned: its event is in the same commit.
    """
    return int(await tx.scalar(*compose([expire_part(limit), FIRST_EVENTS], EXPIRED)))


_CHANGED: dict[str, Any] = {"version": Cart.version + 1, "updated_at": func.now()}  # Any: SQL expressions


def _open_member() -> Executable:
    """Lock the member's cart, or create it. An expired cart that is not deleted yet is used again."""
    statement = insert(Cart).values(
        cart_id=bindparam("new_id"),
        user_id=bindparam("user_id", type_=Uuid),
        expires_at=func.now() + bindparam("lifetime", type_=Interval),
    )
    return statement.on_conflict_do_update(
        index_elements=[Cart.user_id],
        index_where=Cart.user_id.is_not(None),
        set_={**_CHANGED, "expires_at": statement.excluded.expires_at},
    ).returning(Cart.cart_id)


def _merge() -> Executable:
    """Add lines, given as columns, to a cart."""
    moved = (
        CartItem.cart_item_id,
        CartItem.product_id,
        CartItem.variant_id,
        CartItem.quantity,
        CartItem.price_at_addition,
        CartItem.price_seen,
    )
    given = func.unnest(*(bindparam(one.key, type_=ARRAY(one.type)) for one in moved))
    lines = given.table_valued(*(column(one.key, one.type) for one in moved)).render_derived("lines")
    rows = select(bindparam("of_cart", type_=Uuid), *lines.c)
    statement = insert(CartItem).from_select([CartItem.cart_id, *moved], rows)
    both = func.least(CartItem.quantity + statement.excluded.quantity, MAX_QUANTITY)
    return statement.on_conflict_do_update(
        index_elements=["cart_id", "variant_id"], set_={"quantity": both, "updated_at": func.now()}
    )


def _change_statement(change: Update | Delete) -> Executable:
    """Lock the cart, make the change of the line if the version is the expected one, and raise the version if there was
    such a line."""
    expected = bindparam("expected", type_=Integer)
    unexpired = (OWNED, Cart.expires_at > func.now())
    held = select(Cart.cart_id, Cart.version).where(*unexpired).with_for_update(key_share=True).cte("held")
    agreed = or_(expected.is_(None), held.c.version == expected)
    own = (CartItem.cart_id == held.c.cart_id, CartItem.cart_item_id == bindparam("item"), agreed)
    changed = change.where(*own).returning(CartItem.cart_id).cte("changed")
    raised = (
        update(Cart).where(Cart.cart_id == changed.c.cart_id).values(_CHANGED).returning(Cart.cart_id).cte("raised")
    )
    done = select(raised.c.cart_id).exists()
    return select(not_(agreed).label("stale"), done.label("done")).select_from(held)


_HELD = select(Cart.cart_id, Cart.claimed_by, Cart.coupons).with_for_update()
_SEEN = func.unnest(bindparam("lines", type_=ARRAY(Uuid)), bindparam("prices", type_=ARRAY(CartItem.price_seen.type)))
_SHOWN = _SEEN.table_valued(column("line", Uuid), column("price", CartItem.price_seen.type)).render_derived("shown")
_SEE = (
    update(CartItem)
    .where(CartItem.cart_item_id == _SHOWN.c.line)
    .values(price_seen=_SHOWN.c.price, updated_at=func.now())
)
_GUEST = _HELD.where(Cart.session_id == bindparam("session"), Cart.expires_at > func.now())
_MEMBER = _HELD.where(Cart.user_id == bindparam("member", type_=Uuid))
_ADOPT = (
    update(Cart)
    .where(Cart.cart_id == bindparam("of_cart", type_=Uuid))
    .values(
        user_id=bindparam("member", type_=Uuid),
        session_id=None,
        expires_at=func.now() + bindparam("lifetime", type_=Interval),
        **_CHANGED,
    )
)
_LINES = select(*(getattr(CartItem, field.name) for field in fields(_Line))).where(
    CartItem.cart_id == bindparam("of_cart")
)
_DELETE = delete(Cart).where(Cart.cart_id == bindparam("of_cart"))
_OPEN_MEMBER = _open_member()
_MERGE = _merge()
_SET = _change_statement(update(CartItem).values(quantity=bindparam("units"), price_seen=None, updated_at=func.now()))
_REMOVE = _change_statement(delete(CartItem))
