"""Changes of stock in a transaction that the caller holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, and_, func, insert, select, update

from api.inventory.errors import WarehouseNotFound
from api.inventory.models import Warehouse, WarehouseStock
from api.inventory.statements import StockMove, move_stock
from api.kernel.db import Tx
from api.kernel.statement import OPEN_GATE, compose


@dataclass(frozen=True, slots=True)
class _Stock:
    """The sellable units of a variant over all warehouses."""

    variant_id: UUID
    stock: int


async def book(tx: Tx, moves: Sequence[StockMove], reference: UUID | None = None) -> dict[UUID, int]:
    """Book `moves` with their journal rows, all of one `reference`; returns the stock after them, by variant.

    The caller has checked, under the variants' locks, that none goes below zero.
    """
    statement, values = compose([OPEN_GATE, move_stock(moves, reference)], "variant_id, stock FROM stock_moved")
    return {row.variant_id: row.stock for row in await tx.all_as(_Stock, statement, values)}


async def open_level(tx: Tx, variant_id: UUID, warehouse_id: UUID) -> None:
    """Create the variant's stock level in the warehouse, with no units.

    The caller holds the variant's lock and found no level.
    """
    await tx.execute(insert(WarehouseStock).values(variant_id=variant_id, warehouse_id=warehouse_id))


@dataclass(frozen=True, slots=True)
class Place:
    """`available` is None where the warehouse has no level of the variant. `owed`: units that were sold before they
    were there."""

    available: int | None
    owed: int

    @property
    def units(self) -> int:
        return self.available or 0

    def after(self, change: int) -> int:
        """The units that can be sold there when so many came; what is owed takes them first."""
        return max(self.units - self.owed + change, 0)


async def place_of(tx: Tx, variant_id: UUID, warehouse_id: UUID) -> Place:
    """Raises: WarehouseNotFound."""
    place = await tx.first_as(Place, _place(variant_id, warehouse_id))
    if place is None:
        raise WarehouseNotFound
    return place


async def opened(tx: Tx, variant_id: UUID, warehouse_id: UUID) -> Place:
    """The place, with a level. Raises: WarehouseNotFound."""
    place = await place_of(tx, variant_id, warehouse_id)
    if place.available is None:
        await open_level(tx, variant_id, warehouse_id)
    return place


async def expect(tx: Tx, variant_id: UUID, warehouse_id: UUID, units: int) -> None:
    """`units` more are on their way there; fewer when negative."""
    level = (WarehouseStock.variant_id == variant_id, WarehouseStock.warehouse_id == warehouse_id)
    await tx.execute(update(WarehouseStock).where(*level).values(inbound=WarehouseStock.inbound + units))


def _place(variant_id: UUID, warehouse_id: UUID) -> Select[tuple[int, int]]:
    """The warehouse, with its level of the variant if it has one."""
    level = and_(WarehouseStock.warehouse_id == Warehouse.warehouse_id, WarehouseStock.variant_id == variant_id)
    statement = select(WarehouseStock.available, func.coalesce(WarehouseStock.owed, 0).label("owed"))
    statement = statement.select_from(Warehouse).outerjoin(WarehouseStock, level)
    return statement.where(Warehouse.warehouse_id == warehouse_id)
