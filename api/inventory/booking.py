"""Changes of stock in a transaction that the caller holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert

from api.inventory.models import WarehouseStock
from api.inventory.statements import StockMove, move_stock
from api.kernel.db import Tx
from api.kernel.statement import OPEN_GATE, compose


@dataclass(frozen=True, slots=True)
class _Stock:
    """The sellable units of a variant over all warehouses."""

    variant_id: UUID
    stock: int


async def book(tx: Tx, moves: Sequence[StockMove]) -> dict[UUID, int]:
    """Book `moves` with their journal rows; returns the stock after them, by variant.

    The caller has checked, under the variants' locks, that none goes below zero.
    """
    statement, values = compose([OPEN_GATE, move_stock(moves)], "variant_id, stock FROM stock_moved")
    return {row.variant_id: row.stock for row in await tx.all_as(_Stock, statement, values)}


async def open_level(tx: Tx, variant_id: UUID, warehouse_id: UUID) -> None:
    """Create the variant's stock level in the warehouse, with no units.

    The caller holds the variant's lock and found no level.
    """
    await tx.execute(insert(WarehouseStock).values(variant_id=variant_id, warehouse_id=warehouse_id))
