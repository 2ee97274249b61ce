"""Create, update, read and cancel sessions; `placing.py` completes them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import Response
from sqlalchemy import Integer, Interval, bindparam, delete, func, insert, select, update

from api.agents import placing
from api.agents.errors import Refused
from api.agents.looks import Json, answer, error, info, instant, look, offered_options, shown
from api.agents.models import CheckoutSession
from api.agents.queries import Session, session_of
from api.agents.schemas import Content, CreateSession, Item, SelectedOption, UpdateSession, WantedItem
from api.kernel import clock, guests
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import RequestInFlight, RequestKey, Stored, run_once
from api.kernel.ids import new_id

ATTEMPTS = 5
MOST_UNITS = 999


async def create(ctx: Context, partner: str, key: RequestKey, form: CreateSession) -> Response:
    """Raises: Refused."""
    content = Content(
        items=_items(form.line_items),
        currency=form.currency.upper(),
        buyer=form.buyer,
        fulfillment=form.fulfillment_details,
    )
    seen, now = await look(ctx, content), clock.now()
    session_id, expires = new_id(), now + timedelta(seconds=ctx.settings.agent_session_seconds)
    view = shown(session_id, seen.body, created=now, updated=now, expires=expires)
    row = {
        "session_id": session_id,
        "partner": partner,
        "guest_session": guests.new_session(ctx.keys),
        "content": content.stored,
        "view": view,
        "created_at": now,
        "updated_at": now,
        "expires_at": expires,
    }

    async def work(tx: Tx) -> Stored:
        await tx.execute(insert(CheckoutSession).values(row))
        return answer(view, 201)

    return await run_once(ctx, key, work)


async def change(ctx: Context, partner: str, key: RequestKey, session_id: str, form: UpdateSession) -> Response:
    """Raises: Refused, RequestInFlight."""
    if (known := await placing.known(ctx, key)) is not None:
        return known.response(replayed=True)
    for _ in range(ATTEMPTS):
        session = await _open(ctx, partner, session_id, 409)
        content, now = _changed(session, form), clock.now()
        seen = await look(ctx, content, session.view)
        if form.selected_fulfillment_options:
            _require_offered(form.selected_fulfillment_options, content, seen.body)
        expires = now + timedelta(seconds=ctx.settings.agent_session_seconds)
        view = shown(session.session_id, seen.body, created=session.created_at, updated=now, expires=expires)
        values = {"content": content.stored, "view": view, "time": now, "end": expires}
        if (answered := await _write(ctx, key, session, values)) is not None:
            return answered
    raise RequestInFlight


async def cancel(ctx: Context, partner: str, key: RequestKey, session_id: str) -> Response:
    """Raises: Refused, RequestInFlight."""
    if (known := await placing.known(ctx, key)) is not None:
        return known.response(replayed=True)
    for _ in range(ATTEMPTS):
        session = await _open(ctx, partner, session_id, 405)
        now = clock.now()
        gone = {"status": "canceled", "messages": [info("The session was canceled.")], "updated_at": instant(now)}
        values = {"status": "canceled", "view": {**session.view, **gone}, "time": now}
        if (answered := await _write(ctx, key, session, values)) is not None:
            return answered
    raise RequestInFlight


async def retrieve(ctx: Context, partner: str, session_id: str) -> Json:
    """The session as it is now. Raises: Refused."""
    async with ctx.db.read() as tx:
        session = await session_of(tx, partner, session_id)
    if session.status == "completing":
        try:
            session = await placing.settled(ctx, session)
        except RequestInFlight:
            return {**session.view, "status": "complete_in_progress", "messages": []}
    if session.status in {"completed", "canceled"}:
        return session.view
    if session.expired:
        return {**session.view, "status": "expired", "messages": [error("expired", "The session has expired.")]}
    seen = await look(ctx, session.wants, session.view)
    times = {"created": session.created_at, "updated": session.updated_at, "expires": session.expires_at}
    view = shown(session.session_id, seen.body, **times)
    if view != session.view:
        # What it says from now on is what the agent agrees to.
        async with ctx.db.autocommit() as tx:
            await tx.execute(_SEEN, {"seen_id": session.session_id, "seen_version": session.version, "seen_view": view})
    return view


async def forget_expired(tx: Tx, limit: int, kept_seconds: int) -> int:
    """Delete sessions that expired so long ago, at most `limit`; returns how many."""
    values = {"take": limit, "kept": timedelta(seconds=kept_seconds)}
    return (await tx.execute(_FORGET, values)).rowcount


def _items(items: list[Item]) -> list[WantedItem]:
    """One for each variant. Raises: Refused."""
    found: dict[UUID, int] = {}
    for place, item in enumerate(items):
        try:
            variant = UUID(item.id)
        except ValueError:
            path = f"$.line_items[{place}].id"
            raise Refused(400, "invalid_item_id", "The shop has no such item.", param=path) from None
        found[variant] = found.get(variant, 0) + item.quantity
        if found[variant] > MOST_UNITS:
            path = f"$.line_items[{place}].quantity"
            raise Refused(400, "quantity_exceeded", f"At most {MOST_UNITS} of one item.", param=path)
    return [WantedItem(variant_id=variant, quantity=units) for variant, units in found.items()]


def _changed(session: Session, form: UpdateSession) -> Content:
    """What the session wants with what was sent. Raises: Refused."""
    before, sent = session.wants, form.model_fields_set
    changes: dict[str, object] = {}
    if "line_items" in sent:
        changes["items"] = _items(form.line_items)
    if "buyer" in sent:
        changes["buyer"] = form.buyer
    if "fulfillment_details" in sent:
        changes["fulfillment"] = form.fulfillment_details
    if "selected_fulfillment_options" in sent:
        options = form.selected_fulfillment_options
        changes["option"] = options[0].option_id if options else None
    return before.model_copy(update=changes)


def _require_offered(options: list[SelectedOption], content: Content, body: Mapping[str, Any]) -> None:
    """One option for everything. Raises: Refused."""
    ids = {str(item.variant_id) for item in content.items}
    for place, one in enumerate(options):
        path = f"$.selected_fulfillment_options[{place}]"
        if offered_options(body).get(one.option_id) != one.type:
            offered = ", ".join(sorted(offered_options(body))) or "none yet"
            raise Refused(400, "invalid_option", f"The options are: {offered}.", param=f"{path}.option_id")
        if not ids.issuperset(one.item_ids):
            raise Refused(400, "invalid_item_id", "It is not in the session.", param=f"{path}.item_ids")
    if len({one.option_id for one in options}) > 1 or {item for one in options for item in one.item_ids} != ids:
        raise Refused(400, "unsupported", "One option is for all items.", param="$.selected_fulfillment_options")


async def _open(ctx: Context, partner: str, session_id: str, status: int) -> Session:
    """The session, which nobody completes. Raises: Refused with `status` when it has ended, RequestInFlight."""
    async with ctx.db.read() as tx:
        session = await session_of(tx, partner, session_id)
    if session.status == "completing":
        session = await placing.reopened(ctx, session)
    placing.require_open(session, status)
    return session


async def _write(ctx: Context, key: RequestKey, session: Session, values: Json) -> Response | None:
    """Change the row and keep the answer, its view; None when the session was changed meanwhile."""

    async def work(tx: Tx) -> Stored:
        if not await placing.changed(tx, session, **values):
            raise _Moved
        return answer(values["view"], 200)

    try:
        return await run_once(ctx, key, work)
    except _Moved:
        return None


class _Moved(Exception):
    """Another request has changed the session."""


_SEEN = (
    update(CheckoutSession)
    .where(
        CheckoutSession.session_id == bindparam("seen_id"),
        CheckoutSession.version == bindparam("seen_version"),
        CheckoutSession.status == "open",
    )
    .values(view=bindparam("seen_view"))
)
_FORGET = delete(CheckoutSession).where(
    CheckoutSession.session_id.in_(
        select(CheckoutSession.session_id)
        .where(CheckoutSession.expires_at < func.now() - bindparam("kept", type_=Interval))
        .limit(bindparam("take", type_=Integer))
    )
)
