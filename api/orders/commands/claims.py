"""Guest orders become a member's: by a token that was mailed to the address they were placed with."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy import (
    ARRAY,
    Integer,
    Select,
    String,
    Update,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import TooManyRequests
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.ids import new_id
from api.kernel.security import hash_opaque_token
from api.mail.tokens import id_of, token_of
from api.orders.errors import ClaimRefused, OrderNotFound
from api.orders.models import Order, OrderToken, Return
from api.orders.queries.detail import order_of
from api.orders.queries.guests import (
    CLAIMABLE,
    USABLE,
    guest_order_by_number,
    guest_order_by_token,
    guest_order_of,
    token_values,
)
from api.orders.schemas import ClaimedOrder, ClaimedOrders, LookUpOrder, LookUpRequest, OrderBody

CLAIM_ASKED = "OrderClaimRequested"
LOOK_UP_ASKED = "OrderLookUpRequested"
MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _Token:
    """A usable token."""

    token_id: UUID
    purpose: str
    order_id: UUID | None
    email: str | None


async def ask_for_claim(ctx: Context, actor: Actor, email: str) -> None:
    """Let a code be mailed to the address, if it has guest orders. The answer is the same when it has none.

    Raises: TooManyRequests for a member who asked too often. An address that was mailed too often gets no mail.
    """
    most, token_id = ctx.settings.claim_mails_per_hour, new_id()

    async def work(tx: Tx) -> bool:
        # Always in this order, so that the counts are exact and two requests never wait for each other.
        await tx.execute(_LOCK, {"name": f"claim:{actor.user_id}"})
        await tx.execute(_LOCK, {"name": f"claim:{email}"})
        asked, mailed = await tx.first(_COUNTS, {"member": actor.user_id, "email": email}) or (0, 0)
        if asked >= most:
            return False
        if mailed >= most:
            return True
        seconds = timedelta(seconds=ctx.settings.claim_token_seconds)
        token_hash = hash_opaque_token(token_of(ctx.keys, token_id))
        values = {"token_id": token_id, "token_hash": token_hash, "purpose": "claim", "user_id": actor.user_id}
        await tx.execute(insert(OrderToken).values(**values, email=email, expires_at=func.now() + seconds))
        await outbox.emit(tx, "order_claim", token_id, CLAIM_ASKED, {})
        return True

    if not await ctx.db.run(work):
        raise TooManyRequests("Use a code that was mailed already, or try again in an hour.", retry_after=3_600)


async def ask_for_look_up(ctx: Context, body: LookUpRequest) -> None:
    """Let the order be mailed again with a new code, when it is a guest's with this number and address."""
    token_id = new_id()

    async def work(tx: Tx) -> None:
        # In turns for each address, so that the count is exact.
        await tx.execute(_LOCK, {"name": f"claim:{body.email}"})
        order_id = await guest_order_by_number(tx, number=body.order_number, email=body.email)
        mailed = (await tx.first(_COUNTS, {"member": None, "email": body.email}) or (0, 0))[1]
        if order_id is None or mailed >= ctx.settings.claim_mails_per_hour:
            return
        seconds = timedelta(seconds=ctx.settings.order_token_seconds)
        token_hash = hash_opaque_token(token_of(ctx.keys, token_id))
        values = {"token_id": token_id, "token_hash": token_hash, "purpose": "order", "order_id": order_id}
        await tx.execute(insert(OrderToken).values(**values, email=body.email, expires_at=func.now() + seconds))
        await outbox.emit(tx, "order_claim", token_id, LOOK_UP_ASKED, {})

    await ctx.db.run(work)


async def claim_orders(ctx: Context, actor: Actor, key: RequestKey, token: str) -> Response:
    """Make the guest orders that the token is for the member's. Raises: ClaimRefused."""
    token_id = id_of(ctx.keys, token)
    if token_id is None:
        raise ClaimRefused

    async def work(tx: Tx) -> Stored:
        known = await tx.first_as(_Token, _FIND, {**token_values(token_id, token), "member": actor.user_id})
        if known is None:
            raise ClaimRefused
        orders = await _moved(tx, actor, known)
        body = ClaimedOrders(claimed=len(orders), orders=orders)
        return Stored(200, orjson.dumps(body.model_dump(mode="json", by_alias=True)))

    return await run_once(ctx, key, work)


async def look_up(ctx: Context, body: LookUpOrder) -> OrderBody:
    """A guest's order as the guest sees it. Raises: OrderNotFound, whatever does not fit."""
    order_id, guest = await guest_looking_up(ctx, body)
    async with ctx.db.read() as tx:
        return await order_of(tx, guest, order_id)


async def guest_looking_up(ctx: Context, body: LookUpOrder) -> tuple[UUID, Actor]:
    """The order, and the guest whose it is. Raises: OrderNotFound, whatever does not fit."""
    token_id = id_of(ctx.keys, body.token)
    if token_id is None:
        raise OrderNotFound
    async with ctx.db.read() as tx:
        found = await guest_order_of(tx, token_id, body.token, number=body.order_number, email=body.email)
    if found is None or found.guest_session is None:
        raise OrderNotFound
    return found.order_id, Actor("anonymous", session_id=found.guest_session)


async def guest_of(ctx: Context, token: str, order_id: UUID) -> Actor:
    """The guest whose order the mailed token opens. Raises: OrderNotFound, whatever does not fit."""
    token_id = id_of(ctx.keys, token)
    if token_id is None:
        raise OrderNotFound
    async with ctx.db.read() as tx:
        found = await guest_order_by_token(tx, token_id, token, order_id)
    if found is None or found.guest_session is None:
        raise OrderNotFound
    return Actor("anonymous", session_id=found.guest_session)


async def forget_expired(tx: Tx, limit: int) -> int:
    """Delete at most `limit` expired tokens; returns how many."""
    return (await tx.execute(_FORGET, {"most": limit})).rowcount


async def _moved(tx: Tx, actor: Actor, token: _Token) -> list[ClaimedOrder]:
    """Move the token's orders to the member, with their returns; they and their tokens are nobody else's then."""
    statement = _MOVE_ONE if token.purpose == "order" else _MOVE_ALL
    values = {"member": actor.user_id, "order_id": token.order_id, "email": token.email, "most": MOST_AT_ONCE}
    orders = await tx.all_as(ClaimedOrder, statement, values)
    moved = {"ids": [order.order_id for order in orders], "member": actor.user_id, "token_id": token.token_id}
    await tx.execute(_MOVE_RETURNS, moved)
    await tx.execute(_USE, moved)
    payload = {"userId": str(actor.user_id), "orderIds": [str(order.order_id) for order in orders]}
    await outbox.emit(tx, "order_claim", token.token_id, "OrdersClaimed", payload)
    return orders


_MEMBER, _IDS = bindparam("member", type_=Uuid), any_(bindparam("ids", type_=ARRAY(Uuid)))
_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0)))
_COUNTS = select(
    func.count().filter(OrderToken.user_id == _MEMBER),
    func.count().filter(OrderToken.email == bindparam("email", type_=String)),
).where(OrderToken.email.is_not(None), OrderToken.created_at > func.now() - timedelta(hours=1))
_FIND = (
    select(OrderToken.token_id, OrderToken.purpose, OrderToken.order_id, OrderToken.email)
    .where(USABLE, or_(OrderToken.purpose == "order", OrderToken.user_id == _MEMBER))
    .with_for_update()
)


def _move(chosen: Select[tuple[UUID]]) -> Update:
    first = chosen.where(CLAIMABLE).order_by(Order.order_id.desc()).limit(bindparam("most", type_=Integer))
    return (
        update(Order)
        .where(Order.order_id.in_(first.with_for_update()))
        .values(user_id=_MEMBER, guest_session=None, updated_at=func.now())
        .returning(Order.order_id, Order.order_number)
    )


_MOVE_ONE = _move(select(Order.order_id).where(Order.order_id == bindparam("order_id", type_=Uuid)))
_MOVE_ALL = _move(select(Order.order_id).where(func.lower(Order.guest_email) == bindparam("email", type_=String)))
_MOVE_RETURNS = update(Return).where(Return.order_id == _IDS).values(user_id=_MEMBER)
_USE = (
    update(OrderToken)
    .where(
        or_(OrderToken.order_id == _IDS, OrderToken.token_id == bindparam("token_id", type_=Uuid)),
        OrderToken.used_at.is_(None),
    )
    .values(used_at=func.now())
)
_OVER = select(OrderToken.token_id).where(OrderToken.expires_at <= func.now()).limit(bindparam("most", type_=Integer))
_FORGET = delete(OrderToken).where(OrderToken.token_id.in_(_OVER.with_for_update(skip_locked=True)))
