"""Create, change and end promotions. A seller's are for their own goods, an administrator's for the shop's."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_new

from api.catalog.queries.categories import find_category
from api.catalog.queries.placement import placements_query
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.ids import new_id
from api.kernel.money import ZERO
from api.kernel.statement import Part
from api.promotions.codes import normalised
from api.promotions.errors import CodeTaken, LimitTooLow, PromotionNotFound, PromotionNotValid, TooManyCodes
from api.promotions.models import Coupon, Promotion
from api.promotions.queries import owner_of, promotion_of
from api.promotions.schemas import MOST_CODES_OF_ONE, CodeIn, PromotionBody, PromotionIn, PromotionPatch
from api.promotions.statements import LOCK_OF_ORDER, release_part


async def create_promotion(ctx: Context, actor: Actor, key: RequestKey, body: PromotionIn) -> Response:
    """Raises: Forbidden, PromotionNotValid, CodeTaken."""

    async def work(tx: Tx) -> Stored:
        created = await _create(tx, ctx.settings.currency, actor, body)
        return Stored(201, orjson.dumps(created.model_dump(mode="json", by_alias=True)))

    return await run_once(ctx, key, work)


async def change_promotion(ctx: Context, actor: Actor, promotion_id: UUID, body: PromotionPatch) -> PromotionBody:
    """Set the fields that were sent. Raises: PromotionNotFound, PromotionNotValid, LimitTooLow, CodeTaken,
    TooManyCodes, Forbidden."""

    async def work(tx: Tx) -> PromotionBody:
        found = await _locked(tx, actor, promotion_id)
        values = _changes(found, body)
        if values:
            await _set(tx, promotion_id, values)
        new = _rows(promotion_id, body.add_codes, "/addCodes", known=found.codes)
        if len(found.codes) + len(new) > MOST_CODES_OF_ONE:
            raise TooManyCodes(f"A promotion has at most {MOST_CODES_OF_ONE} codes; create another one.")
        await _add_codes(tx, new)
        return await promotion_of(tx, actor, promotion_id)

    return await ctx.db.run(work)


async def end_promotion(ctx: Context, actor: Actor, promotion_id: UUID) -> PromotionBody:
    """End it now; one that has ended stays as it is. Raises: PromotionNotFound, Forbidden."""

    async def work(tx: Tx) -> PromotionBody:
        await _locked(tx, actor, promotion_id)
        now = func.now()
        await _set(tx, promotion_id, {"ends_at": func.least(func.coalesce(Promotion.ends_at, now), now)})
        return await promotion_of(tx, actor, promotion_id)

    return await ctx.db.run(work)


async def release_parts(tx: Tx, order_id: UUID) -> list[Part]:
    """What gives back the promotions that an order redeemed; they are locked now. The order was locked before."""
    await tx.execute(LOCK_OF_ORDER, {"order_id": order_id})
    return [release_part(order_id)]


async def _create(tx: Tx, default_currency: str, actor: Actor, body: PromotionIn) -> PromotionBody:
    owner = owner_of(actor)
    _require_value(body)
    if body.starts_at is not None and body.ends_at is not None and body.ends_at <= body.starts_at:
        raise _wrong("/endsAt", "must be after startsAt")
    await _require_product(tx, owner, body.product_id)
    promotion_id = new_id()
    row: dict[str, Any] = {  # Any: values of the columns' types
        "promotion_id": promotion_id,
        "seller_id": owner,
        "name": body.name,
        "kind": body.kind,
        "value": body.value or ZERO,
        "currency": body.currency or default_currency,
        "minimum": body.minimum,
        "max_discount": body.max_discount,
        "product_id": body.product_id,
        "category_id": await _category(tx, body.category),
        "exclusive_group": body.exclusive_group,
        "priority": body.priority,
        "combines": body.combines,
        "total_limit": body.total_limit,
        "per_buyer_limit": body.per_buyer_limit,
        "starts_at": body.starts_at or func.now(),
        "ends_at": body.ends_at,
    }
    await tx.execute(insert(Promotion).values(row))
    await _add_codes(tx, _rows(promotion_id, body.codes, "/codes"))
    return await promotion_of(tx, actor, promotion_id)


def _changes(found: PromotionBody, body: PromotionPatch) -> dict[str, Any]:  # Any: values of the columns' types
    """Raises: PromotionNotValid, LimitTooLow."""
    sent = body.model_fields_set
    values: dict[str, Any] = {}  # Any: the same
    if "name" in sent:
        if body.name is None:
            raise _wrong("/name", "must not be null")
        values["name"] = body.name
    if "total_limit" in sent:
        if body.total_limit is not None and body.total_limit < found.redeemed:
            raise LimitTooLow(found.redeemed)
        values["total_limit"] = body.total_limit
    if "ends_at" in sent:
        if body.ends_at is not None and body.ends_at <= found.starts_at:
            raise _wrong("/endsAt", "must be after startsAt")
        values["ends_at"] = body.ends_at
    return values


async def _locked(tx: Tx, actor: Actor, promotion_id: UUID) -> PromotionBody:
    """The actor's own promotion, locked against changes and redemptions. Raises: PromotionNotFound, Forbidden."""
    own = (Promotion.promotion_id == promotion_id, Promotion.seller_id.is_not_distinct_from(owner_of(actor)))
    if await tx.scalar(select(Promotion.promotion_id).where(*own).with_for_update(key_share=True)) is None:
        raise PromotionNotFound
    return await promotion_of(tx, actor, promotion_id)


async def _set(tx: Tx, promotion_id: UUID, values: dict[str, Any]) -> None:  # Any: SQL expressions
    """An order that was planned before is planned again, because the version is another."""
    changed = {**values, "version": Promotion.version + 1, "updated_at": func.now()}
    await tx.execute(update(Promotion).where(Promotion.promotion_id == promotion_id).values(changed))


def _rows(
    promotion_id: UUID, codes: Sequence[CodeIn], pointer: str, known: Collection[str] = ()
) -> dict[str, dict[str, object]]:
    """Pointer -> row, of the codes that the promotion does not have yet. Raises: PromotionNotValid."""
    rows: dict[str, dict[str, object]] = {}
    seen = set[str]()
    for place, given in enumerate(codes):
        code, named = normalised(given.code), f"{pointer}/{place}/code"
        if code is None:
            raise _wrong(named, "3 to 40 letters, digits and hyphens, a hyphen not first")
        if code in seen:
            raise _wrong(named, "it is named twice")
        seen.add(code)
        if code not in known:
            email = None if given.email is None else given.email.lower()
            rows[named] = {"code": code, "promotion_id": promotion_id, "buyer_email": email}
    return rows


async def _add_codes(tx: Tx, rows: Mapping[str, dict[str, object]]) -> None:
    """Raises: CodeTaken."""
    if not rows:
        return
    added = insert_new(Coupon).values(list(rows.values())).on_conflict_do_nothing().returning(Coupon.code)
    new = {row[0] for row in await tx.all(added)}
    if missing := {pointer: str(row["code"]) for pointer, row in rows.items() if row["code"] not in new}:
        raise CodeTaken(missing)


def _require_value(body: PromotionIn) -> None:
    """Raises: PromotionNotValid."""
    value = body.value
    if body.kind == "free_shipping":
        if value:
            raise _wrong("/value", "free shipping has no value")
    elif value is None or value <= 0:
        raise _wrong("/value", "must be above 0")
    elif body.kind == "percent" and value > Decimal(100):
        raise _wrong("/value", "at most 100 per cent")


async def _require_product(tx: Tx, owner: UUID | None, product_id: UUID | None) -> None:
    """Raises: PromotionNotValid for a product that is not there, or is another seller's."""
    if product_id is None:
        return
    found = (await tx.fetch(placements_query([product_id]))).get(product_id)
    if found is None or owner not in {None, found.seller_id}:
        raise _wrong("/productId", "you sell no such product")


async def _category(tx: Tx, reference: str | None) -> UUID | None:
    """Raises: PromotionNotValid."""
    if reference is None:
        return None
    found = await find_category(tx, reference)
    if found is None:
        raise _wrong("/category", "there is no such category")
    return found


def _wrong(pointer: str, message: str) -> PromotionNotValid:
    return PromotionNotValid(
        "Correct the field named in `errors`.", errors=[FieldError(pointer=pointer, message=message)]
    )
