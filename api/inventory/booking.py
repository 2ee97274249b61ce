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
    """What can be sold of a variant, over all warehouses."""

    variant_id: UUID
    stock: int


async def book(tx: Tx, moves: Sequence[StockMove]) -> dict[UUID, int]:
    """Book `moves` and their journal; the stock after them, by variant. The caller checked that none goes below zero,
    under the variants' locks."""
    statement, values = compose([OPEN_GATE, move_stock(moves)], "variant_id, stock FROM stock_moved")
    return {row.variant_id: row.stock for row in await tx.all_as(_Stock, statement, values)}


async def open_level(tx: Tx, variant_id: UUID, warehouse_id: UUID) -> None:
    """The warehouse gets a level of the variant, with no units. The caller holds the variant's lock and saw none."""
    await tx.execute(insert(WarehouseStock).values(variant_id=variant_id, warehouse_id=warehouse_id))
