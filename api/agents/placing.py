"""Complete a session: place its order through the checkout, once.

Each attempt has one idempotency key at the checkout, whoever asks, so all requests that complete a session get the
same order. A next attempt begins only after the key of the last is kept with a refusal: a request that comes late to
that key is refused too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy import bindparam, func, update

from api.agents.errors import Refused
from api.agents.looks import HANDLER, Json, Look, answer, error, instant, look, price_change, shown
from api.agents.models import CheckoutSession
from api.agents.queries import Session, session_of
from api.agents.schemas import CompleteSession, Content
from api.checkout.commands import place_order
from api.checkout.schemas import OrderLine, PaymentMethod, PlaceOrder
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Problem
from api.kernel.idempotency import ANSWERED, RequestInFlight, RequestKey, Stored, find, keep_part, run_once
from api.kernel.money import minor_units
from api.kernel.settings import Settings
from api.kernel.statement import compose

ATTEMPTS = 5
_GIVEN_UP = Stored(409, orjson.dumps({"type": "/problems/given-up", "detail": "The attempt was given up."}))


async def known(ctx: Context, key: RequestKey) -> Stored | None:
    """The answer that was kept for this request. Raises: IdempotencyKeyReused, RequestInFlight."""
    async with ctx.db.read() as tx:
        return await find(tx, key)


def require_open(session: Session, status: int) -> None:
    """Raises: Refused, when the session has ended."""
    ended = "expired" if session.expired else session.status
    if ended not in {"open", "completing"}:
        raise Refused(status, f"session_{ended}", f"The session is {ended}.")


async def complete(ctx: Context, partner: str, key: RequestKey, session_id: str, form: CompleteSession) -> Response:
    """The session with its order, or what keeps it from being ordered. Raises: Refused, Problem."""
    if (kept := await known(ctx, key)) is not None:
        return kept.response(replayed=True)
    payment = form.payment_data
    if payment.handler_id != HANDLER:
        raise Refused(400, "unsupported", f"The handler is {HANDLER!r}.", param="$.payment_data.handler_id")
    if payment.instrument.type != "card":
        raise Refused(400, "unsupported", "The instrument is a card.", param="$.payment_data.instrument.type")
    for _ in range(ATTEMPTS):
        async with ctx.db.read() as tx:
            session = await session_of(tx, partner, session_id)
        if session.status == "completing":
            session = await settled(ctx, session)
        if session.status == "completed" and session.completing_key == key.key:
            return await _keep(ctx, key, session.view)
        require_open(session, 409)
        if session.status == "completing" and (before := await known(ctx, session.order_key)) is not None:
            session = await reopened(ctx, session)
            if session.completing_key == key.key and session.status == "open":
                return await _refused(ctx, key, session, orjson.loads(before.body))
            continue
        content = session.wants
        if form.buyer is not None:
            content = content.model_copy(update={"buyer": form.buyer})
        seen = await look(ctx, content, session.view)
        if not seen.ready or minor_units(seen.total) != _total(session.view):
            return await _not_yet(ctx, key, session, content, seen)
        begun = await _begin(ctx, session, content, seen, key.key)
        if begun is not None:
            return await _place(ctx, key, begun, seen, payment.instrument.credential.token)
    raise RequestInFlight


async def settled(ctx: Context, session: Session) -> Session:
    """A session that is being completed, completed if its order is placed. Raises: RequestInFlight."""
    placed = await known(ctx, session.order_key)
    if placed is None or placed.status != 201:
        return session
    view = _completed(ctx.settings, session, placed)
    async with ctx.db.autocommit() as tx:
        await tx.execute(_COMPLETE, _completion(session.session_id, view, placed))
    return await _again(ctx, session)


async def reopened(ctx: Context, session: Session) -> Session:
    """A session that was being completed, open again, or completed if its order is placed. From now on nobody can place
    the order of the attempt. Raises: RequestInFlight."""
    statement, values = compose([keep_part(session.order_key, _GIVEN_UP)], ANSWERED)
    if not await ctx.db.run_alone(lambda tx: tx.scalar(statement, values)):
        session = await settled(ctx, session)
    if session.status == "completing":
        async with ctx.db.autocommit() as tx:
            await tx.execute(_REOPEN, {"opened_id": session.session_id, "opened_attempt": session.attempt})
    return await _again(ctx, session)


async def _again(ctx: Context, session: Session) -> Session:
    async with ctx.db.read() as tx:
        return await session_of(tx, session.partner, str(session.session_id))


async def changed(tx: Tx, session: Session, **new: object) -> bool:
    """Write the session with other `status`, `key`, `content`, `view`, `time` or `end`, unless another request has
    changed it since it was read; whether it was written."""
    values = {
        "changed_id": session.session_id,
        "changed_version": session.version,
        "new_status": session.status,
        "new_key": session.completing_key,
        "new_content": session.content,
        "new_view": session.view,
        "new_time": session.updated_at,
        "new_end": session.expires_at,
        **{f"new_{name}": value for name, value in new.items()},
    }
    return (await tx.execute(_CHANGE, values)).rowcount == 1


async def _begin(ctx: Context, session: Session, content: Content, seen: Look, key: str) -> Session | None:
    """Say that the session is being completed, as it is seen; None when it was changed meanwhile."""
    wanted, view = content.stored, _view(session, seen.body)
    async with ctx.db.autocommit() as tx:
        begun = await changed(tx, session, status="completing", key=key, content=wanted, view=view)
    return await _again(ctx, session) if begun else None


async def _place(ctx: Context, key: RequestKey, session: Session, seen: Look, token: str) -> Response:
    """Raises: the problems of an order that may be placed later with the same key."""
    try:
        placed = await place_order(ctx, session.buyer, session.order_key, _order(session, seen, token))
    except Problem as problem:
        if problem.status >= 500 or isinstance(problem, RequestInFlight):
            raise
        refusal = {"type": problem.type_uri(), "detail": problem.detail}
    else:
        stored = Stored(placed.status_code, bytes(placed.body))
        if stored.status == 201:
            view = _completed(ctx.settings, session, stored)

            async def work(tx: Tx) -> Stored:
                await tx.execute(_COMPLETE, _completion(session.session_id, view, stored))
                return answer(view, 200)

            return await run_once(ctx, key, work)
        refusal = orjson.loads(stored.body)
    session = await reopened(ctx, session)
    if session.status == "completed":
        return await _keep(ctx, key, session.view)
    return await _refused(ctx, key, session, refusal)


def _order(session: Session, seen: Look, token: str) -> PlaceOrder:
    if seen.address is None:
        raise AssertionError("a session without an address is not ready")
    return PlaceOrder(
        items=[
            OrderLine(
                product_id=UUID(line["product_id"]), variant_id=UUID(line["variant_id"]), quantity=line["quantity"]
            )
            for line in seen.body["line_items"]
        ],
        shipping_address=seen.address,
        delivery_speed=seen.body["selected_fulfillment_options"][0]["option_id"],
        email=session.wants.email,
        expected_total=seen.total,
        payment_method=PaymentMethod(type="credit_card", token=token),
    )


async def _not_yet(ctx: Context, key: RequestKey, session: Session, content: Content, seen: Look) -> Response:
    """It is not ready, or costs something else than the agent has seen: the session as it is now."""
    body = seen.body
    if seen.ready and not any(message.get("code") == "price_change" for message in body["messages"]):
        changed = price_change("The total has changed.", "$.totals")
        body = {**body, "messages": [*body["messages"], changed]}
    return await _keep(ctx, key, _view(session, body), session, content)


async def _refused(ctx: Context, key: RequestKey, session: Session, refusal: Mapping[str, Any]) -> Response:
    """The session as it is now, with why its order was not placed."""
    seen = await look(ctx, session.wants, session.view)
    message, ready = _message(str(refusal["type"]).rpartition("/")[2], str(refusal["detail"]))
    status = seen.body["status"] if ready else "not_ready_for_payment"
    body = {**seen.body, "status": status, "messages": [*seen.body["messages"], message]}
    return await _keep(ctx, key, _view(session, body), session, session.wants)


def _message(code: str, detail: str) -> tuple[Json, bool]:
    """What a problem of the checkout is called, and whether another attempt may succeed."""
    if code == "payment-declined":
        return error("payment_declined", detail), True
    if code == "total-changed":
        return price_change(detail, "$.totals"), True
    if code == "out-of-stock":
        return error("out_of_stock", detail, "$.line_items"), False
    if code == "given-up":
        return error("conflict", detail), True
    return error("invalid", detail), False


async def _keep(
    ctx: Context, key: RequestKey, view: Json, session: Session | None = None, content: Content | None = None
) -> Response:
    """Keep the answer to this request; with a session also what it says and wants now."""

    async def work(tx: Tx) -> Stored:
        if session is not None and content is not None:
            await changed(tx, session, view=view, content=content.stored)
        return answer(view, 200)

    return await run_once(ctx, key, work)


def _view(session: Session, body: Json) -> Json:
    times: dict[str, datetime] = {
        "created": session.created_at, "updated": session.updated_at, "expires": session.expires_at,
    }  # fmt: skip
    return shown(session.session_id, body, **times)


def _completed(settings: Settings, session: Session, placed: Stored) -> Json:
    order = orjson.loads(placed.body)
    return {
        **session.view,
        "status": "completed",
        "messages": [],
        "updated_at": instant(clock.now()),
        "order": {
            "id": order["orderId"],
            "checkout_session_id": str(session.session_id),
            "order_number": order["orderNumber"],
            "permalink_url": f"{settings.api_url.rstrip('/')}/api/v1/orders/{order['orderId']}",
        },
    }


def _completion(session_id: UUID, view: Json, placed: Stored) -> dict[str, object]:
    order = UUID(orjson.loads(placed.body)["orderId"])
    return {"completed_id": session_id, "placed_order": order, "final": view}


def _total(view: Mapping[str, Any]) -> int:
    return next(int(one["amount"]) for one in view["totals"] if one["type"] == "total")


# A session that nobody has changed since it was read.
_CHANGE = (
    update(CheckoutSession)
    .where(
        CheckoutSession.session_id == bindparam("changed_id"),
        CheckoutSession.version == bindparam("changed_version"),
        CheckoutSession.status.in_(("open", "completing")),
    )
    .values(
        status=bindparam("new_status"),
        version=CheckoutSession.version + 1,
        completing_key=bindparam("new_key"),
        content=bindparam("new_content"),
        view=bindparam("new_view"),
        updated_at=bindparam("new_time"),
        expires_at=bindparam("new_end"),
    )
)
_REOPEN = (
    update(CheckoutSession)
    .where(
        CheckoutSession.session_id == bindparam("opened_id"),
        CheckoutSession.attempt == bindparam("opened_attempt"),
        CheckoutSession.status == "completing",
    )
    .values(status="open", attempt=CheckoutSession.attempt + 1, version=CheckoutSession.version + 1)
)
_COMPLETE = (
    update(CheckoutSession)
    .where(CheckoutSession.session_id == bindparam("completed_id"), CheckoutSession.status != "completed")
    .values(
        status="completed",
        order_id=bindparam("placed_order"),
        view=bindparam("final"),
        version=CheckoutSession.version + 1,
        updated_at=func.now(),
    )
)
