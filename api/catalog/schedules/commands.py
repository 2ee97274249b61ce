"""Set what is to happen to one's own product, and let it happen when it is due.

Whoever sets or does it locks the product first. A row is removed in the commit that does what it says, so it happens
once, also when several workers find it or one dies.
"""

from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Uuid, bindparam, delete, func, insert, select, update

from api.catalog.commands.change import Current, lock_own, save
from api.catalog.commands.keeping import Change
from api.catalog.pages import product_tag
from api.catalog.schedules.models import ScheduledChange
from api.catalog.schedules.queries import Due, Set, due, set_for
from api.catalog.schedules.schemas import PriceWindow, Schedule
from api.catalog.schemas import ProductPatch
from api.kernel import failpoints, outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Problem, ValidationFailed
from api.kernel.feeds import announce_soon
from api.kernel.logs import get_logger
from api.pricing.list_price import is_list_price

log = get_logger(__name__)
# Says that moments were set for a product.
SET = "ScheduleSet"
_OF_PRODUCT = ScheduledChange.product_id == bindparam("product_id", type_=Uuid)
_FORGET = delete(ScheduledChange).where(_OF_PRODUCT)
_NOW = select(func.clock_timestamp())
_NOT_BEGUN = {"since": None, "reduced_to": None}


async def set_schedule(ctx: Context, actor: Actor, product_id: UUID, body: Schedule) -> None:
    """Replace what is set for the product. A price that has begun and is not in the body ends at once.

    Raises: ProductNotFound; ValidationFailed with the pointer to a moment that has passed, or does not follow the one
    that it must follow, and to a price above the list price.
    """

    async def work(tx: Tx) -> bool:
        current = await lock_own(tx, actor, product_id, None)
        found = await set_for(tx, product_id)
        running = next((one for one in found if one.kind == "price_to" and one.since is not None), None)
        now: datetime = await tx.scalar(_NOW)
        goes_on = running is not None and _same(running, body.price)
        _require_right(body, current, now, running, goes_on=goes_on)
        await tx.execute(_FORGET, {"product_id": product_id})
        rows = _rows(product_id, body)
        if goes_on and running is not None and body.price is not None:
            rows = [row for row in rows if row["kind"] not in {"price_from", "price_to"}]
            rows.append({"product_id": product_id, **asdict(replace(running, at=body.price.to or running.at))})
        if rows:
            await tx.execute(insert(ScheduledChange).values(rows))
            await outbox.emit(tx, "schedule", product_id, SET, {"productId": product_id})
        return (
            running is not None
            and not goes_on
            and await _end(tx, ctx, actor, product_id, current=current, running=running)
        )

    if await ctx.db.run(work):
        await announce_soon(ctx.redis, (product_tag(product_id),))


async def do_due(ctx: Context) -> int:
    """Do what is due, each product's in a commit of its own; how many products."""
    done = 0
    while True:
        async with ctx.db.read() as tx:
            found = await due(tx)
        for one in found:
            done += await _do(ctx, one)
        if not found:
            return done


async def _do(ctx: Context, one: Due) -> bool:
    actor = Actor(kind="seller", user_id=one.seller_id)

    async def work(tx: Tx) -> bool:
        if one.deleted_at is not None:
            await tx.execute(_FORGET, {"product_id": one.product_id})
            return False
        await lock_own(tx, actor, one.product_id, None)
        now: datetime = await tx.scalar(_NOW)
        set_ = sorted(await set_for(tx, one.product_id), key=lambda each: each.at)
        kinds = [each for each in set_ if each.at <= now]
        if not kinds:
            return False
        names = {each.kind for each in kinds}
        gone = delete(ScheduledChange).where(_OF_PRODUCT, ScheduledChange.kind.in_(names))
        await tx.execute(gone, {"product_id": one.product_id})
        for each in kinds:
            # A price whose time has passed before anybody worked never was.
            if {"price_from", "price_to"} <= names and each.kind in {"price_from", "price_to"}:
                continue
            current = await lock_own(tx, actor, one.product_id, None)
            await _happen(tx, ctx, actor, one.product_id, current=current, each=each)
        failpoints.hit("schedules.in_change")
        return True

    try:
        happened = await ctx.db.run(work)
        failpoints.hit("schedules.after_change")
    except Problem as problem:
        # What it asks for is refused today, as it would be if the seller asked for it now: it is given up.
        log.warning("a scheduled change is refused", product_id=str(one.product_id), problem=problem.code)
        await ctx.db.run(lambda tx: _give_up(tx, one.product_id))
        return False
    if happened:
        await announce_soon(ctx.redis, (product_tag(one.product_id),))
    return happened


async def _give_up(tx: Tx, product_id: UUID) -> None:
    passed = delete(ScheduledChange).where(_OF_PRODUCT, ScheduledChange.at <= func.now())
    await tx.execute(passed, {"product_id": product_id})


async def _happen(tx: Tx, ctx: Context, actor: Actor, product_id: UUID, *, current: Current, each: Set) -> None:
    if each.kind == "price_to":
        await _end(tx, ctx, actor, product_id, current=current, running=each)
    elif each.kind == "price_from":
        begun = update(ScheduledChange).where(_OF_PRODUCT, ScheduledChange.kind == "price_to")
        before = {"price": current.base_price, "since": each.at, "reduced_to": each.price}
        await tx.execute(begun.values(before), {"product_id": product_id})
        await _save(tx, ctx, actor, product_id, ProductPatch(price=each.price))
    else:
        status = "active" if each.kind == "publish" else "inactive"
        await _save(tx, ctx, actor, product_id, ProductPatch.model_validate({"status": status}))


async def _end(tx: Tx, ctx: Context, actor: Actor, product_id: UUID, *, current: Current, running: Set) -> bool:
    """The product costs again what it did; whether it does. A price that its seller has set meanwhile stays."""
    if current.base_price != running.reduced_to or running.price is None:
        return False
    return await _save(tx, ctx, actor, product_id, ProductPatch(price=running.price))


async def _save(tx: Tx, ctx: Context, actor: Actor, product_id: UUID, body: ProductPatch) -> bool:
    fields = frozenset(body.model_fields_set)
    return await save(
        tx, ctx, actor, product_id, body, images=[], fields=fields, expected=None, change=Change("schedule")
    )


def _same(running: Set, window: PriceWindow | None) -> bool:
    """Whether it is the price that has begun; only its end may be another."""
    return window is not None and (window.price, window.from_) == (running.reduced_to, running.since)


def _require_right(body: Schedule, current: Current, now: datetime, running: Set | None, *, goes_on: bool) -> None:
    wrong: list[FieldError] = []

    def refuse(pointer: str, message: str) -> None:
        wrong.append(FieldError(pointer=pointer, message=message))

    for pointer, moment in (("/publishAt", body.publish_at), ("/unpublishAt", body.unpublish_at)):
        if moment is not None and moment <= now:
            refuse(pointer, "must be in the future")
    if body.publish_at is not None and body.unpublish_at is not None and body.unpublish_at <= body.publish_at:
        refuse("/unpublishAt", "must be later than publishAt")
    if (window := body.price) is not None:
        if not goes_on and window.from_ <= now:
            refuse("/price/from", "must be in the future")
        elif running is not None and not goes_on:
            refuse("/price/from", "another price has begun; send it too, or leave `price` out first, which ends it")
        if window.to is not None and window.to <= max(window.from_, now):
            refuse("/price/to", "must be in the future, and later than from")
        if goes_on and window.to is None:
            refuse("/price/to", "must be sent of a price that has begun with an end")
        if not is_list_price(current.list_price, window.price):
            refuse("/price/price", "must not be higher than listPrice")
    if wrong:
        raise ValidationFailed("The schedule is not possible.", errors=wrong)


def _rows(product_id: UUID, body: Schedule) -> list[dict[str, object]]:
    moments: list[tuple[str, datetime | None, Decimal | None]] = [
        ("publish", body.publish_at, None),
        ("unpublish", body.unpublish_at, None),
    ]
    if body.price is not None:
        moments += [("price_from", body.price.from_, body.price.price), ("price_to", body.price.to, None)]
    return [
        {**_NOT_BEGUN, "product_id": product_id, "kind": kind, "at": at, "price": price}
        for kind, at, price in moments
        if at is not None
    ]
