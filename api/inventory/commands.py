"""Changes of stock outside a checkout: expired reservations, and sellers' adjustments."""

from dataclasses import dataclass
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy import Select, and_, select

from api.inventory import booking, statements
from api.inventory.errors import BelowZero, WarehouseNotFound
from api.inventory.models import Warehouse, WarehouseStock
from api.inventory.queries import own_variant
from api.inventory.schemas import AdjustedStock, AdjustStock
from api.inventory.statements import StockMove
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.statement import OPEN_GATE, compose

EXPIRY_BATCH = 100


@dataclass(frozen=True, slots=True)
class _Place:
    """A warehouse; `available` is None where it has no level of the variant."""

    available: int | None


async def release_expired(ctx: Context) -> int:
    """Release expired reservations, each with its journal row; returns how many.

    A checkout that still needs one fails to confirm it.
    """
    released = 0
    while True:
        statement, values = compose(
            [OPEN_GATE, statements.release_due(EXPIRY_BATCH), outbox.FIRST_EVENTS], statements.RELEASED
        )
        row = await ctx.db.once(statement, values)
        count = row[0] if row else 0
        released += count
        if count < EXPIRY_BATCH:
            return released


async def adjust(ctx: Context, actor: Actor, key: RequestKey, request: AdjustStock) -> Response:
    """Book a manual adjustment. Raises: VariantNotFound, WarehouseNotFound, BelowZero."""

    async def work(tx: Tx) -> Stored:
        body = await _adjust(tx, actor, request)
        return Stored(201, orjson.dumps(body.model_dump(mode="json", by_alias=True)))

    return await run_once(ctx, key, work)


async def _adjust(tx: Tx, actor: Actor, request: AdjustStock) -> AdjustedStock:
    await own_variant(tx, actor, request.variant_id, lock=True)
    place = await tx.first_as(_Place, _place(request.variant_id, request.warehouse_id))
    if place is None:
        raise WarehouseNotFound
    available = place.available or 0
    if available + request.change < 0:
        raise BelowZero("Take away at most what can be sold there now.", extra={"available": available})
    if place.available is None:
        await booking.open_level(tx, request.variant_id, request.warehouse_id)
    move = StockMove(request.variant_id, request.warehouse_id, request.change, "adjustment")
    stock = await booking.book(tx, [move])
    body = AdjustedStock(
        transaction_id=move.transaction_id,
        variant_id=request.variant_id,
        warehouse_id=request.warehouse_id,
        available=available + request.change,
        stock=stock[request.variant_id],
    )
    payload = {
        "variantId": body.variant_id,
        "warehouseId": body.warehouse_id,
        "change": request.change,
        "stock": body.stock,
    }
    await outbox.emit(tx, "variant", body.variant_id, "StockAdjusted", payload)
    return body


def _place(variant_id: UUID, warehouse_id: UUID) -> Select[tuple[int]]:
    """The warehouse, with its level of the variant if it has one."""
    level = and_(WarehouseStock.warehouse_id == Warehouse.warehouse_id, WarehouseStock.variant_id == variant_id)
    statement = select(WarehouseStock.available).select_from(Warehouse).outerjoin(WarehouseStock, level)
    return statement.where(Warehouse.warehouse_id == warehouse_id)
