"""The codes of a cart: put one in, take one out, and take them along when a guest signs in."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Executable, Interval, String, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.carts.changes import announce, name_of
from api.carts.models import Cart
from api.carts.queries import OWNED, StoredCart, carts_query, owners
from api.carts.statements import session_of
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.pricing.promotions import Refusal, outside
from api.promotions.codes import MOST_CODES, joined, normalised, split
from api.promotions.errors import CodeNotUsable, NoSuchCoupon, TooManyCodes
from api.promotions.queries import codes_of


@dataclass(frozen=True, slots=True)
class _Held:
    """A locked cart and its codes."""

    cart_id: UUID
    coupons: str | None


async def add_coupon(ctx: Context, actor: Actor, given: str) -> StoredCart:
    """Put a code into the actor's cart, which is made if there is none; returns the cart.

    Raises: CodeNotUsable (422) for one that holds for nothing and nobody now; TooManyCodes (409).
    """
    code = normalised(given)
    if code is None:
        raise CodeNotUsable(Refusal.UNKNOWN)
    seconds = ctx.settings.cart_ttl_seconds if actor.signed_in else ctx.settings.guest_cart_ttl_seconds

    async def work(tx: Tx) -> StoredCart:
        await _require_usable(tx, actor, code)
        values = {"new_id": new_id(), "user": actor.user_id, "session": session_of(actor)}
        statement = _OPEN_MEMBER if actor.signed_in else _OPEN_GUEST
        held = await tx.first_as(_Held, statement, {**values, "lifetime": timedelta(seconds=seconds)})
        if held is None:
            raise AssertionError("an upsert returns its row")
        codes = split(held.coupons)
        if code not in codes:
            if len(codes) >= MOST_CODES:
                raise TooManyCodes(f"Take one out first: a cart has at most {MOST_CODES} codes.")
            await _set(tx, held.cart_id, joined([*codes, code]))
        return (await tx.fetch(carts_query([actor])))[held.cart_id]

    cart = await ctx.db.run(work)
    announce(ctx, [name_of(actor)])
    return cart


async def remove_coupon(ctx: Context, actor: Actor, given: str) -> StoredCart:
    """Take a code out of the actor's cart; returns the cart. Raises: NoSuchCoupon."""
    code = normalised(given)

    async def work(tx: Tx) -> StoredCart:
        held = await tx.first_as(_Held, _HELD, owners([actor]))
        codes = split(held.coupons) if held else []
        if held is None or code not in codes:
            raise NoSuchCoupon("Look at the cart's `coupons`.")
        await _set(tx, held.cart_id, joined(one for one in codes if one != code))
        return (await tx.fetch(carts_query([actor])))[held.cart_id]

    cart = await ctx.db.run(work)
    announce(ctx, [name_of(actor)])
    return cart


async def move_coupons(tx: Tx, cart_id: UUID, coupons: str | None) -> None:
    """Add the codes of a cart that was merged into this one, as many as fit. Both were locked for their actor."""
    if coupons is None:
        return
    own = await tx.scalar(_COUPONS, {"of_cart": cart_id})
    every = list(dict.fromkeys([*split(own), *split(coupons)]))
    await tx.execute(_SET, {"of_cart": cart_id, "codes": joined(every[:MOST_CODES])})


async def _require_usable(tx: Tx, actor: Actor, code: str) -> None:
    """Raises: CodeNotUsable."""
    [found] = (await codes_of(tx, actor, None, [code], [])).offered
    refusal = found.refusal
    if refusal is None and found.promotion is not None:
        refusal = outside(found.promotion, found.promotion.currency, clock.now())
    if refusal is not None:
        raise CodeNotUsable(refusal)


async def _set(tx: Tx, cart_id: UUID, codes: str | None) -> None:
    await tx.execute(_SET_AND_RAISE, {"of_cart": cart_id, "codes": codes})


def _open(*, member: bool) -> Executable:
    """Lock the cart, or create it. An expired cart that is not deleted yet is used again."""
    owner = Cart.user_id if member else Cart.session_id
    statement = insert(Cart).values(
        cart_id=bindparam("new_id"),
        user_id=bindparam("user", type_=Uuid),
        session_id=bindparam("session", type_=String),
        expires_at=func.now() + bindparam("lifetime", type_=Interval),
    )
    return statement.on_conflict_do_update(
        index_elements=[owner],
        index_where=owner.is_not(None),
        set_={"expires_at": func.greatest(Cart.expires_at, statement.excluded.expires_at)},
    ).returning(Cart.cart_id, Cart.coupons)


_OPEN_MEMBER, _OPEN_GUEST = _open(member=True), _open(member=False)
_HELD = select(Cart.cart_id, Cart.coupons).where(OWNED, Cart.expires_at > func.now()).with_for_update(key_share=True)
_OF_CART = Cart.cart_id == bindparam("of_cart", type_=Uuid)
_COUPONS = select(Cart.coupons).where(_OF_CART)
_SET = update(Cart).where(_OF_CART).values(coupons=bindparam("codes", type_=String))
_SET_AND_RAISE = _SET.values(version=Cart.version + 1, updated_at=func.now())
