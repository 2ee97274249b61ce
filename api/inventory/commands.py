"""Changes of stock outside a checkout: expired reservations, and sellers' adjustments."""

import orjson
from fastapi import Response
from sqlalchemy import text

from api.inventory import statements
from api.inventory.errors import BelowZero, VariantNotFound, WarehouseNotFound
from api.inventory.queries import seller_values
from api.inventory.schemas import AdjustedStock, AdjustStock
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.ids import new_id
from api.kernel.statement import OPEN_GATE, compose

SWEEP_BATCH = 100

_LOCK = text(
    """SELECT v.variant_id FROM product_variants v JOIN products p USING (product_id)
    WHERE v.variant_id = :variant_id AND p.deleted_at IS NULL
      AND (p.seller_id = CAST(:seller_id AS uuid) OR CAST(:is_admin AS boolean)) FOR NO KEY UPDATE OF v"""
)
_SHELF = text(
    """SELECT coalesce(s.available, 0) AS available FROM warehouses w
    LEFT JOIN warehouse_stock s ON s.warehouse_id = w.warehouse_id AND s.variant_id = :variant_id WHERE w.warehouse_id =
    :warehouse_id"""
)
_ADJUST = text(
    """WITH variant AS (
        UPDATE product_variants SET stock_quantity = stock_quantity + :change, updated_at = now() WHERE variant_id =
        :variant_id
        RETURNING stock_quantity),
    shelf AS (
        UPDATE warehouse_stock SET available = available + :change, updated_at = now()
        WHERE variant_id = :variant_id AND warehouse_id = :warehouse_id RETURNING available),
    new_shelf AS (
        INSERT INTO warehouse_stock (variant_id, warehouse_id, available) SELECT :variant_id, :warehouse_id, :change
        WHERE NOT EXISTS (SELECT 1 FROM shelf) RETURNING available),
    journal AS (
        INSERT INTO inventory_transactions
            (transaction_id, variant_id, warehouse_id, quantity_change, transaction_type, previous_quantity,
            new_quantity)
        SELECT :transaction_id, :variant_id, :warehouse_id, :change, 'adjustment', stock_quantity - :change,
        stock_quantity FROM variant
        RETURNING 1)
    SELECT (SELECT stock_quantity FROM variant) AS stock,
           (SELECT available FROM shelf UNION ALL SELECT available FROM new_shelf) AS available"""
)


async def release_expired(ctx: Context) -> int:
    """Give back reservations past their time, each with its record; returns how many. A checkout that still wanted one
    finds it gone."""
    released = 0
    while True:
        statement, values = compose(
            [OPEN_GATE, statements.release_due(SWEEP_BATCH)], "(SELECT count(*) FROM kept) AS released"
        )
        row = await ctx.db.once(statement, values)
        released += row.released if row else 0
        if row is None or row.released < SWEEP_BATCH:
            return released


async def adjust(ctx: Context, actor: Actor, key: RequestKey, request: AdjustStock) -> Response:
    """Book units in or out by hand. Raises: VariantNotFound, WarehouseNotFound, BelowZero."""

    async def work(tx: Tx) -> Stored:
        body = await _adjust(tx, actor, request)
        return Stored(201, orjson.dumps(body.model_dump(mode="json", by_alias=True)))

    return await run_once(ctx, key, work)


async def _adjust(tx: Tx, actor: Actor, request: AdjustStock) -> AdjustedStock:
    place = {"variant_id": request.variant_id, "warehouse_id": request.warehouse_id}
    if await tx.first(_LOCK, {"variant_id": request.variant_id, **seller_values(actor)}) is None:
        raise VariantNotFound
    shelf = await tx.first(_SHELF, place)
    if shelf is None:
        raise WarehouseNotFound
    if shelf.available + request.change < 0:
        raise BelowZero("Take away at most what can be sold there now.", extra={"available": shelf.available})
    transaction_id = new_id()
    row = await tx.first(_ADJUST, {**place, "change": request.change, "transaction_id": transaction_id})
    if row is None:
        raise AssertionError("the adjustment returned nothing")
    payload = {
        "variantId": request.variant_id,
        "warehouseId": request.warehouse_id,
        "change": request.change,
        "stock": row.stock,
    }
    await outbox.emit(tx, "variant", request.variant_id, "StockAdjusted", payload)
    return AdjustedStock(
        transaction_id=transaction_id,
        variant_id=request.variant_id,
        warehouse_id=request.warehouse_id,
        available=row.available,
        stock=row.stock,
    )
