"""What a seller says is on the shelf: sets the sellable units of variants, and journals the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.models import ProductVariant
from api.inventory.models import InventoryTransaction, Warehouse, WarehouseStock
from api.kernel.db import Tx
from api.kernel.ids import new_id

# Where goods lie in a shop that has no warehouse yet.
_FIRST_WAREHOUSE = {
    "code": "MAIN",
    "name": "Main warehouse",
    "city": "Columbus",
    "country": "US",
    "latitude": 39.96,
    "longitude": -83.0,
}


@dataclass(frozen=True, slots=True)
class _Move:
    """`change` units more or less on one shelf; `before` is the variant's stock over all shelves."""

    variant_id: UUID
    warehouse_id: UUID
    change: int
    before: int
    kind: str


async def set_stock(tx: Tx, counts: Mapping[UUID, int]) -> None:
    """Make `counts` (units, not negative) what can be sold of each variant now; units held by open checkouts are not
    among them.

    More goes to the variant's first shelf, less is taken from the fullest ones. Locks: variants in id order, then
    shelves.
    """
    if not counts:
        return
    ids = sorted(counts)
    variants = select(ProductVariant.variant_id, ProductVariant.stock_quantity).where(
        ProductVariant.variant_id.in_(ids)
    )
    stock = {
        row.variant_id: row.stock_quantity
        for row in await tx.all(variants.order_by(ProductVariant.variant_id).with_for_update(key_share=True))
    }
    shelves = await _shelves(tx, ids)
    moves: list[_Move] = []
    for variant_id in ids:
        own = shelves.get(variant_id, [])
        if counts[variant_id] > stock[variant_id]:
            home = own[0][0] if own else await _first_warehouse(tx)
            change = counts[variant_id] - stock[variant_id]
            moves.append(_Move(variant_id, home, change, stock[variant_id], "adjustment" if own else "initial"))
        else:
            moves += _taken(variant_id, own, stock[variant_id], counts[variant_id])
    for move in moves:
        await _book(tx, move)


def _taken(variant_id: UUID, shelves: Sequence[tuple[UUID, int]], stock: int, target: int) -> list[_Move]:
    """Moves that take a variant down from `stock` to `target` units, from the fullest shelf on."""
    moves = []
    for warehouse_id, available in sorted(shelves, key=lambda shelf: -shelf[1]):
        part = min(available, stock - target)
        if part > 0:
            moves.append(_Move(variant_id, warehouse_id, -part, stock, "adjustment"))
            stock -= part
    return moves


async def _shelves(tx: Tx, variant_ids: Sequence[UUID]) -> dict[UUID, list[tuple[UUID, int]]]:
    """(warehouse, available) by variant, locked."""
    columns = (WarehouseStock.variant_id, WarehouseStock.warehouse_id, WarehouseStock.available)
    statement = select(*columns).where(WarehouseStock.variant_id.in_(variant_ids))
    ordered = statement.order_by(WarehouseStock.variant_id, WarehouseStock.warehouse_id).with_for_update(key_share=True)
    found: dict[UUID, list[tuple[UUID, int]]] = {}
    for row in await tx.all(ordered):
        found.setdefault(row.variant_id, []).append((row.warehouse_id, row.available))
    return found


async def _first_warehouse(tx: Tx) -> UUID:
    """The first warehouse by code, made when there is none."""
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


async def _book(tx: Tx, move: _Move) -> None:
    """One shelf, the variant's sum and the journal."""
    shelf = upsert(WarehouseStock).values(
        variant_id=move.variant_id, warehouse_id=move.warehouse_id, available=max(move.change, 0)
    )
    await tx.execute(
        shelf.on_conflict_do_update(
            index_elements=["variant_id", "warehouse_id"],
            set_={"available": WarehouseStock.available + move.change, "updated_at": func.now()},
        )
    )
    changed = {"stock_quantity": move.before + move.change, "updated_at": func.now()}
    await tx.execute(update(ProductVariant).where(ProductVariant.variant_id == move.variant_id).values(changed))
    await tx.execute(
        insert(InventoryTransaction).values(
            transaction_id=new_id(),
            variant_id=move.variant_id,
            warehouse_id=move.warehouse_id,
            quantity_change=move.change,
            transaction_type=move.kind,
            previous_quantity=move.before,
            new_quantity=move.before + move.change,
        )
    )
