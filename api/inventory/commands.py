"""Changes of stock outside a checkout: expired reservations, and what sellers book."""

from uuid import UUID

import orjson
from fastapi import Response

from api.inventory import booking, statements
from api.inventory.booking import opened, place_of
from api.inventory.errors import BelowZero, SameWarehouse, StockChanged, UnitsOwed
from api.inventory.queries import own_goods, own_variant, version_of
from api.inventory.schemas import AdjustedStock, AdjustStock, CountedStock, TransferredStock, TransferStock
from api.inventory.statements import StockMove
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.ids import new_id
from api.kernel.schemas import Wire
from api.kernel.statement import OPEN_GATE, compose

EXPIRY_BATCH = 100


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
    """Book a manual adjustment. Raises: VariantNotFound, StockOfKeys, WarehouseNotFound, BelowZero."""

    async def work(tx: Tx) -> Stored:
        await own_goods(tx, actor, request.variant_id)
        place = await opened(tx, request.variant_id, request.warehouse_id)
        if place.units + request.change < 0:
            raise _below_zero("/change", "Take away at most what can be sold there now.", place.units)
        move = StockMove(request.variant_id, request.warehouse_id, request.change, "adjustment")
        stock = await _booked(tx, move)
        return _stored(
            AdjustedStock(
                transaction_id=move.transaction_id,
                variant_id=request.variant_id,
                warehouse_id=request.warehouse_id,
                available=place.after(request.change),
                stock=stock,
            )
        )

    return await run_once(ctx, key, work)


async def count(
    ctx: Context, actor: Actor, *, variant_id: UUID, warehouse_id: UUID, counted: int, expected: int | None
) -> CountedStock:
    """Set the sellable units of one place to what was counted, and book the difference; the same count again changes
    nothing.

    `expected`: the variant's version when it was read, None for any. Raises: VariantNotFound, StockOfKeys,
    WarehouseNotFound, StockChanged; UnitsOwed where more are counted than can be sold: which of them are for those
    orders, no count says.
    """

    async def work(tx: Tx) -> CountedStock:
        variant = await own_goods(tx, actor, variant_id, pointer="/path/variantId")
        place = await place_of(tx, variant_id, warehouse_id)
        version = await version_of(tx, variant_id)
        if expected is not None and expected != version:
            raise StockChanged(
                "Read the stock again, then count what has changed.",
                extra={"available": place.units, "version": version},
            )
        change, stock, move = counted - place.units, variant.stock, None
        if change and place.owed:
            raise UnitsOwed(
                "Book what has come as a receipt or an adjustment: the orders that wait for it get it first.",
                extra={"owed": place.owed},
            )
        if change:
            await opened(tx, variant_id, warehouse_id)
            move = StockMove(variant_id, warehouse_id, change, "count")
            stock = await _booked(tx, move)
        return CountedStock(
            transaction_id=None if move is None else move.transaction_id,
            variant_id=variant_id,
            warehouse_id=warehouse_id,
            change=change,
            available=counted,
            stock=stock,
            version=version if move is None else await version_of(tx, variant_id),
        )

    return await ctx.db.run(work)


async def transfer(ctx: Context, actor: Actor, key: RequestKey, request: TransferStock) -> Response:
    """Move units from one warehouse to another: both rows of the journal in one statement.

    Raises: SameWarehouse, VariantNotFound, WarehouseNotFound, BelowZero.
    """
    if request.from_warehouse_id == request.to_warehouse_id:
        error = FieldError(pointer="/toWarehouseId", message="the units are there already")
        raise SameWarehouse("Name another warehouse.", errors=[error])

    async def work(tx: Tx) -> Stored:
        await own_goods(tx, actor, request.variant_id)
        source = await place_of(tx, request.variant_id, request.from_warehouse_id)
        goal = await opened(tx, request.variant_id, request.to_warehouse_id)
        if source.units < request.quantity:
            raise _below_zero("/quantity", "Move at most what can be sold there now.", source.units)
        transfer_id = new_id()
        moves = [
            StockMove(request.variant_id, request.from_warehouse_id, -request.quantity, "transfer"),
            StockMove(request.variant_id, request.to_warehouse_id, request.quantity, "transfer"),
        ]
        await booking.book(tx, moves, transfer_id)
        body = TransferredStock(
            transfer_id=transfer_id,
            **request.model_dump(),
            from_available=source.units - request.quantity,
            to_available=goal.after(request.quantity),
        )
        await outbox.emit(
            tx, "variant", request.variant_id, "StockTransferred", body.model_dump(mode="json", by_alias=True)
        )
        return _stored(body)

    return await run_once(ctx, key, work)


async def set_low_stock(ctx: Context, actor: Actor, variant_id: UUID, units: int) -> None:
    """From how many units few are left. Raises: VariantNotFound."""

    async def work(tx: Tx) -> None:
        await own_variant(tx, actor, variant_id, lock=True, pointer="/path/variantId")
        await tx.execute(statements.SET_LOW_STOCK, {"variant_id": variant_id, "low_stock_at": units})

    await ctx.db.run(work)


async def _booked(tx: Tx, move: StockMove) -> int:
    """Book the move with its event; returns the variant's stock after it."""
    stock = (await booking.book(tx, [move]))[move.variant_id]
    payload = {
        "variantId": move.variant_id,
        "warehouseId": move.warehouse_id,
        "change": move.change,
        "stock": stock,
    }
    await outbox.emit(tx, "variant", move.variant_id, "StockAdjusted", payload)
    return stock


def _below_zero(pointer: str, advice: str, available: int) -> BelowZero:
    error = FieldError(pointer=pointer, message=f"{available} can be taken away")
    return BelowZero(advice, errors=[error], extra={"available": available})


def _stored(body: Wire) -> Stored:
    return Stored(201, orjson.dumps(body.model_dump(mode="json", by_alias=True)))
