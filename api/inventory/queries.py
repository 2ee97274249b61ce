"""Reading stock: for the seller whose product it is, and as columns of larger statements, for carts, product pages and
the checkout."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, bindparam, exists, func, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import NullType

from api.delivery.promises import Origin
from api.inventory.allocation import StockLevel
from api.inventory.backorders.room import Room, room_of
from api.inventory.errors import KitHasNoStock, ReplenishmentNotFound, StockOfKeys, VariantNotFound
from api.inventory.models import InventoryReservation, InventoryTransaction, Replenishment, Warehouse, WarehouseStock
from api.inventory.schemas import (
    ReplenishmentBody,
    StockChangeBody,
    StockedVariant,
    StockLevelBody,
    VariantStock,
    WarehouseBody,
)
from api.inventory.statements import OWN_VARIANT, OWN_VARIANT_LOCKED, OWN_VARIANTS, ROOMS
from api.inventory.warehouses.kept import EDITION
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, Tx
from api.kernel.pagination import PageParams

RECENT = 50
_HELD_FOR = (
    select(InventoryReservation.variant_id)
    .where(InventoryReservation.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))))
    .distinct()
)


@dataclass(frozen=True, slots=True)
class OwnVariant:
    """A variant of the actor; `stock` = sellable units over all warehouses, `owed` = units that were sold before they
    were there."""

    variant_id: UUID
    product_id: UUID
    sku: str
    stock: int
    owed: int
    low_stock_at: int
    kind: str


async def own_variant(
    tx: ReadTx, actor: Actor, variant_id: UUID, *, lock: bool = False, pointer: str = "/variantId"
) -> OwnVariant:
    """The variant, if the actor sells it or is an administrator; with `lock`, to change its stock. `pointer`: to where
    the request names it.

    Raises: VariantNotFound; KitHasNoStock when it is to be changed.
    """
    variant = await tx.first_as(
        OwnVariant,
        OWN_VARIANT_LOCKED if lock else OWN_VARIANT,
        {"variant_id": variant_id, **_whose(actor)},
    )
    if variant is None:
        raise VariantNotFound
    if lock and variant.kind == "kit":
        raise KitHasNoStock(pointer)
    return variant


async def own_goods(tx: Tx, actor: Actor, variant_id: UUID, pointer: str = "/variantId") -> OwnVariant:
    """The variant, locked, whose stock the actor may book. Raises: VariantNotFound, KitHasNoStock, StockOfKeys."""
    variant = await own_variant(tx, actor, variant_id, lock=True, pointer=pointer)
    if variant.kind == "digital":
        raise StockOfKeys("Add keys: its stock is the number of those that are not sold.")
    return variant


def _whose(actor: Actor) -> dict[str, object]:
    return {"seller_id": actor.user_id if actor.kind == "seller" else None, "is_admin": actor.kind == "admin"}


async def version_of(tx: ReadTx, variant_id: UUID) -> int:
    """The number of the variant's latest change of stock; 0 before the first. The caller knows whose variant it is."""
    latest = select(func.max(InventoryTransaction.transaction_no)).where(InventoryTransaction.variant_id == variant_id)
    return await tx.scalar(latest) or 0


async def warehouses(tx: ReadTx, country: str | None, page: PageParams, after: str | None) -> list[WarehouseBody]:
    """Up to `page.limit` + 1 warehouses in the order of their codes, behind the code `after`."""
    statement = select(
        Warehouse.warehouse_id,
        Warehouse.code,
        Warehouse.name,
        Warehouse.city,
        Warehouse.country,
        Warehouse.latitude,
        Warehouse.longitude,
    )
    if country is not None:
        statement = statement.where(Warehouse.country == country)
    statement = statement.offset(page.offset) if after is None else statement.where(Warehouse.code > after)
    return await tx.all_as(WarehouseBody, statement.order_by(Warehouse.code).limit(page.limit + 1))


@dataclass(frozen=True, slots=True)
class VariantFilter:
    """None: any."""

    low: bool | None = None
    warehouse_id: UUID | None = None


async def own_variants(
    tx: ReadTx, actor: Actor, wanted: VariantFilter, page: PageParams, after: UUID | None
) -> list[StockedVariant]:
    """Up to `page.limit` + 1 of the actor's variants in the order of their ids, behind the variant `after`."""
    values = {
        **_whose(actor),
        "low": wanted.low,
        "warehouse_id": wanted.warehouse_id,
        "after": after,
        "limit": page.limit + 1,
        "offset": page.offset if after is None else 0,
    }
    return await tx.all_as(StockedVariant, OWN_VARIANTS, values)


_REPLENISHMENT = (
    Replenishment.replenishment_id,
    Replenishment.variant_id,
    Replenishment.warehouse_id,
    Replenishment.quantity,
    Replenishment.received,
    Replenishment.status,
    Replenishment.expected_on,
    Replenishment.created_at,
)


async def replenishments_of(tx: ReadTx, actor: Actor, variant_id: UUID) -> list[ReplenishmentBody]:
    """The variant's latest replenishments, newest first. Raises: VariantNotFound."""
    await own_variant(tx, actor, variant_id)
    statement = select(*_REPLENISHMENT).where(Replenishment.variant_id == variant_id)
    return await tx.all_as(ReplenishmentBody, statement.order_by(Replenishment.replenishment_id.desc()).limit(RECENT))


async def own_replenishment(tx: ReadTx, actor: Actor, replenishment_id: UUID) -> ReplenishmentBody:
    """The replenishment, with its variant locked. Raises: ReplenishmentNotFound."""
    found = select(Replenishment.variant_id).where(Replenishment.replenishment_id == replenishment_id)
    variant_id: UUID | None = await tx.scalar(found)
    if variant_id is None:
        raise ReplenishmentNotFound
    try:
        await own_variant(tx, actor, variant_id, lock=True)
    except VariantNotFound:
        raise ReplenishmentNotFound from None
    # Read behind the lock: who changes it holds the variant.
    body = await tx.first_as(
        ReplenishmentBody, select(*_REPLENISHMENT).where(Replenishment.replenishment_id == replenishment_id)
    )
    if body is None:
        raise ReplenishmentNotFound
    return body


async def stock_of(tx: ReadTx, actor: Actor, variant_id: UUID) -> VariantStock:
    """One variant's stock levels and latest changes. Raises: VariantNotFound."""
    variant = await own_variant(tx, actor, variant_id)
    levels = (
        select(
            WarehouseStock.warehouse_id,
            Warehouse.code,
            Warehouse.name,
            Warehouse.country,
            WarehouseStock.available,
            WarehouseStock.reserved,
            WarehouseStock.inbound,
            WarehouseStock.owed,
            WarehouseStock.backorder_limit,
            WarehouseStock.backorder_days,
        )
        .join(Warehouse, Warehouse.warehouse_id == WarehouseStock.warehouse_id)
        .where(WarehouseStock.variant_id == variant_id)
        .order_by(Warehouse.code)
    )
    recent = (
        select(
            InventoryTransaction.transaction_id,
            InventoryTransaction.transaction_no.label("number"),
            InventoryTransaction.warehouse_id,
            InventoryTransaction.transaction_type.label("type"),
            InventoryTransaction.quantity_change.label("change"),
            InventoryTransaction.new_quantity,
            InventoryTransaction.reference_id,
            InventoryTransaction.created_at.label("at"),
        )
        .where(InventoryTransaction.variant_id == variant_id)
        .order_by(InventoryTransaction.transaction_no.desc())
        .limit(RECENT)
    )
    changes = await tx.all_as(StockChangeBody, recent)
    return VariantStock(
        variant_id=variant.variant_id,
        product_id=variant.product_id,
        sku=variant.sku,
        stock=variant.stock,
        owed=variant.owed,
        low_stock_at=variant.low_stock_at,
        version=changes[0].number if changes else 0,
        warehouses=await tx.all_as(StockLevelBody, levels),
        recent=changes,
    )


async def variants_held_for(tx: ReadTx, order_ids: Collection[UUID]) -> set[UUID]:
    """The variants of which units are or were reserved for these orders."""
    return {row[0] for row in await tx.all(_HELD_FOR, {"order_ids": list(order_ids)})}


@dataclass(frozen=True, slots=True)
class _Booked:
    variant_id: UUID
    warehouse_id: UUID
    units: int


_BOOKED = select(
    WarehouseStock.variant_id,
    WarehouseStock.warehouse_id,
    (WarehouseStock.available - WarehouseStock.owed).label("units"),
).where(WarehouseStock.variant_id == any_(bindparam("variant_ids", type_=ARRAY(Uuid))))


async def booked_in(tx: ReadTx, variant_ids: Collection[UUID]) -> dict[tuple[UUID, UUID], int]:
    """What can be sold of these variants less what is owed, by (variant, warehouse)."""
    rows = await tx.all_as(_Booked, _BOOKED, {"variant_ids": list(variant_ids)})
    return {(row.variant_id, row.warehouse_id): row.units for row in rows}


# In the order of the fields of Stocked. The types are the driver's: nothing is to be converted.
_FACTS = ((WarehouseStock.warehouse_id, "warehouses"), (WarehouseStock.available, "available"))
_MAY_OWE = WarehouseStock.owed < WarehouseStock.backorder_limit
# A warehouse, as text, with what ROOMS says of it.
_Told = tuple[str, int, int, int, Sequence[tuple[str, int]] | None]


@dataclass(slots=True, eq=False)
class Stocked:
    """The warehouses that have units of a variant or may owe them, and how many they have: lists in one order, None
    without any. `rooms`: what they may owe. `edition`: of the warehouses, when that was read. Not frozen: a read makes
    many."""

    warehouses: Sequence[UUID] | None
    available: Sequence[int] | None
    rooms: Sequence[_Told] | None
    edition: UUID | None

    def levels_of(self, variant_id: UUID, origins: Mapping[UUID, Origin]) -> list[StockLevel]:
        """Its stock in each warehouse."""
        if self.warehouses is None or self.available is None:
            return []
        levels = [
            StockLevel(variant_id, warehouse, origins[warehouse].country, available)
            for warehouse, available in zip(self.warehouses, self.available, strict=True)
        ]
        if self.rooms is None:
            return levels
        rooms = dict(map(_room, self.rooms))
        return [level._replace(room=rooms.get(level.warehouse_id)) for level in levels]

    @property
    def may_be_owed(self) -> int:
        """How many units may be sold beyond those that can be sent now."""
        return 0 if self.rooms is None else sum(free for _, free, *_ in self.rooms)


def _room(told: _Told) -> tuple[UUID, Room]:
    warehouse, free, owed, days, coming = told
    known = [(date.fromisoformat(day), units) for day, units in coming or ()]
    return UUID(warehouse), room_of(free, owed, days, known, clock.now().date())


def levels_of(
    variant: ColumnElement[UUID] | InstrumentedAttribute[UUID], *only: ColumnElement[bool]
) -> LateralFromClause:
    """What a variant of the outer statement's row has where, and what may be owed: one row, of nulls without any.
    `only`: of which rows it is read."""
    return (
        select(
            *(func.array_agg(column, type_=NullType()).label(name) for column, name in _FACTS),
            literal_column(ROOMS, NullType()).label("rooms"),
        )
        .where(WarehouseStock.variant_id == variant, or_(WarehouseStock.available > 0, _MAY_OWE), *only)
        .correlate_except(WarehouseStock)
        .lateral("stocked")
    )


def may_be_owed(variant: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Whether a warehouse may owe units of the variant of the outer statement's row."""
    return exists().where(WarehouseStock.variant_id == variant, _MAY_OWE)


def columns_of(levels: LateralFromClause) -> list[ColumnElement[Any]]:  # Any: arrays of several types
    """The columns of Stocked."""
    return [*(levels.c[name] for _, name in _FACTS), levels.c.rooms, EDITION.label("edition")]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a warehouse is."""

    code: str
    city: str
    country: str


_SITE = select(Warehouse.code, Warehouse.city, Warehouse.country).where(
    Warehouse.warehouse_id == bindparam("warehouse_id", type_=Uuid)
)


async def site_of(tx: ReadTx, warehouse_id: UUID | None) -> Site | None:
    """The warehouse; None when there is none."""
    return None if warehouse_id is None else await tx.first_as(Site, _SITE, {"warehouse_id": warehouse_id})
