"""A seller's stock count: sets or changes the sellable units of variants, and books the difference in the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.inventory import booking
from api.inventory.errors import BelowZero, UnitsOwed
from api.inventory.models import Warehouse, WarehouseStock
from api.inventory.statements import SET_COUNTED, STOCK_LOCKED, StockMove
from api.kernel.db import Tx
from api.kernel.ids import new_id

# The warehouse that is created in a shop without one.
_FIRST_WAREHOUSE = {
    "code": "MAIN",
    "name": "Main warehouse",
    "city": "Columbus",
    "country": "US",
    "latitude": 39.96,
    "longitude": -83.0,
}


@dataclass(frozen=True, slots=True)
class Stock:
    """A variant's sellable units over all warehouses, and those that are owed."""

    variant_id: UUID
    stock: int
    owed: int


@dataclass(frozen=True, slots=True)
class Level:
    """A variant's sellable units in one warehouse, and those that it owes."""

    variant_id: UUID
    warehouse_id: UUID
    available: int
    owed: int = 0


async def set_stock(tx: Tx, counts: Mapping[UUID, int]) -> None:
    """Set the sellable units of each variant to `counts` (not negative); units reserved by open checkouts are not
    included. Locks: variants in id order, then stock levels. Raises: UnitsOwed for more units of a variant of which
    some are owed: which of them are for those orders, no count says."""
    if not counts:
        return
    variants = await tx.all_as(Stock, STOCK_LOCKED, {"variants": sorted(counts)})
    levels = await _levels(tx, sorted(counts))
    moves: list[StockMove] = []
    for variant in variants:
        own = levels.get(variant.variant_id, [])
        change = counts[variant.variant_id] - variant.stock
        if change > 0 and variant.owed:
            raise UnitsOwed(
                "Book what has come in its warehouse: the orders that wait for it get it first.",
                extra={"variantId": str(variant.variant_id), "owed": variant.owed},
            )
        if change > 0 and not own:
            moves.append(await _first(tx, variant.variant_id, change))
        else:
            moves += counted(variant.variant_id, own, change)
    if moves:
        await booking.book(tx, moves)


async def change_stock(tx: Tx, changes: Mapping[UUID, int]) -> None:
    """Add units to variants or take them away, whatever was sold meanwhile. What comes goes where units are owed first.
    Locks: as set_stock. Raises: BelowZero for more than can be sold now."""
    if not changes:
        return
    variants = await tx.all_as(Stock, STOCK_LOCKED, {"variants": sorted(changes)})
    levels = await _levels(tx, sorted(changes))
    moves: list[StockMove] = []
    for variant in variants:
        own, change = levels.get(variant.variant_id, []), changes[variant.variant_id]
        if change < -variant.stock:
            raise BelowZero(
                "Take away at most what can be sold now.",
                extra={"variantId": str(variant.variant_id), "available": variant.stock},
            )
        if change > 0 and not own:
            moves.append(await _first(tx, variant.variant_id, change))
        elif change:
            moves += counted(variant.variant_id, sorted(own, key=lambda level: -level.owed), change)
    if moves:
        await booking.book(tx, moves)


async def set_counted(tx: Tx, counts: Mapping[UUID, int]) -> None:
    """Say how many there are of variants that are made of others: they have no stock of their own, and no journal. One
    that another transaction has locked is left to that."""
    if counts:
        await tx.execute(SET_COUNTED, {"variants": list(counts), "units": list(counts.values())})


async def _first(tx: Tx, variant_id: UUID, units: int) -> StockMove:
    """The first units of a variant, in the first warehouse."""
    warehouse_id = await _first_warehouse(tx)
    await booking.open_level(tx, variant_id, warehouse_id)
    return StockMove(variant_id, warehouse_id, units, "initial")


def counted(variant_id: UUID, levels: Sequence[Level], change: int) -> list[StockMove]:
    """The moves for a difference of `change` units: added units go to the first of `levels`,
    missing ones are taken from the fullest."""
    if change > 0:
        return [StockMove(variant_id, levels[0].warehouse_id, change, "adjustment")]
    moves = []
    for level in sorted(levels, key=lambda level: -level.available):
        taken = min(level.available, -change)
        if taken > 0:
            moves.append(StockMove(variant_id, level.warehouse_id, -taken, "adjustment"))
            change += taken
    return moves


async def _levels(tx: Tx, variant_ids: Sequence[UUID]) -> dict[UUID, list[Level]]:
    """The stock levels by variant, locked."""
    statement = (
        select(WarehouseStock.variant_id, WarehouseStock.warehouse_id, WarehouseStock.available, WarehouseStock.owed)
        .where(WarehouseStock.variant_id.in_(variant_ids))
        .order_by(WarehouseStock.variant_id, WarehouseStock.warehouse_id)
        .with_for_update(key_share=True)
    )
    found: dict[UUID, list[Level]] = {}
    for level in await tx.all_as(Level, statement):
        found.setdefault(level.variant_id, []).append(level)
    return found


async def _first_warehouse(tx: Tx) -> UUID:
    """The first warehouse by code, created when there is none."""
    first = select(Warehouse.warehouse_id).order_by(Warehouse.code).limit(1)
    warehouse_id: UUID | None = await tx.scalar(first)
    if warehouse_id is None:
        await tx.execute(
            upsert(Warehouse)
            .values(warehouse_id=new_id(), **_FIRST_WAREHOUSE)
            .on_conflict_do_nothing(index_elements=["code"])
        )
        warehouse_id = await tx.scalar(first)
    assert warehouse_id is not None
    return warehouse_id
