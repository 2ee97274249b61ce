"""Units on their way to a warehouse: announced, received in one or more deliveries, or cancelled."""

from datetime import date
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy import func, insert, update

from api.inventory import booking
from api.inventory.booking import expect, opened
from api.inventory.errors import ReplenishmentClosed
from api.inventory.models import Replenishment
from api.inventory.queries import own_goods, own_replenishment
from api.inventory.schemas import ReceiveStock, ReplenishmentBody, ReplenishStock
from api.inventory.statements import StockMove
from api.kernel import clock, outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.ids import new_id


async def replenish(ctx: Context, actor: Actor, key: RequestKey, request: ReplenishStock) -> Response:
    """Announce units. Raises: VariantNotFound, StockOfKeys, WarehouseNotFound; ValidationFailed for a day that is
    over."""
    _require_future(request.expected_on)

    async def work(tx: Tx) -> Stored:
        await own_goods(tx, actor, request.variant_id)
        await opened(tx, request.variant_id, request.warehouse_id)
        replenishment_id = new_id()
        await tx.execute(
            insert(Replenishment).values(
                replenishment_id=replenishment_id,
                variant_id=request.variant_id,
                warehouse_id=request.warehouse_id,
                quantity=request.quantity,
                expected_on=request.expected_on,
            )
        )
        await expect(tx, request.variant_id, request.warehouse_id, request.quantity)
        return _stored(201, await own_replenishment(tx, actor, replenishment_id))

    return await run_once(ctx, key, work)


async def receive(
    ctx: Context, actor: Actor, key: RequestKey, replenishment_id: UUID, request: ReceiveStock
) -> Response:
    """Book what has arrived as stock. Raises: ReplenishmentNotFound, ReplenishmentClosed for more than is open."""

    async def work(tx: Tx) -> Stored:
        known = await own_replenishment(tx, actor, replenishment_id)
        left = _open_units(known)
        units = left if request.quantity is None else request.quantity
        if not 0 < units <= left:
            raise ReplenishmentClosed(left)
        move = StockMove(known.variant_id, known.warehouse_id, units, "purchase")
        stock = await booking.book(tx, [move], replenishment_id)
        await expect(tx, known.variant_id, known.warehouse_id, -units)
        await _set(tx, replenishment_id, known.received + units, "received" if units == left else "open")
        payload = {
            "variantId": known.variant_id,
            "warehouseId": known.warehouse_id,
            "change": units,
            "stock": stock[known.variant_id],
        }
        await outbox.emit(tx, "variant", known.variant_id, "StockReceived", payload)
        return _stored(200, await own_replenishment(tx, actor, replenishment_id))

    return await run_once(ctx, key, work)


async def cancel(ctx: Context, actor: Actor, replenishment_id: UUID) -> ReplenishmentBody:
    """What is still open does not come; a repeat changes nothing. Raises: ReplenishmentNotFound."""

    async def work(tx: Tx) -> ReplenishmentBody:
        known = await own_replenishment(tx, actor, replenishment_id)
        if known.status != "open":
            return known
        await expect(tx, known.variant_id, known.warehouse_id, -_open_units(known))
        await _set(tx, replenishment_id, known.received, "cancelled")
        return await own_replenishment(tx, actor, replenishment_id)

    return await ctx.db.run(work)


def _open_units(known: ReplenishmentBody) -> int:
    return known.quantity - known.received if known.status == "open" else 0


async def _set(tx: Tx, replenishment_id: UUID, received: int, status: str) -> None:
    statement = update(Replenishment).where(Replenishment.replenishment_id == replenishment_id)
    await tx.execute(statement.values(received=received, status=status, updated_at=func.now()))


def _require_future(expected_on: date | None) -> None:
    if expected_on is not None and expected_on < clock.now().date():
        error = FieldError(pointer="/expectedOn", message="this day is over")
        raise ValidationFailed("Correct the day, or leave it out.", errors=[error])


def _stored(status: int, body: ReplenishmentBody) -> Stored:
    return Stored(status, orjson.dumps(body.model_dump(mode="json", by_alias=True)))
