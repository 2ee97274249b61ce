"""Reading stock: for the seller whose product it is, and as columns of larger statements, for carts, product pages and
the checkout."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import NullType

from api.delivery.promises import Origin
from api.inventory.allocation import StockLevel
from api.inventory.errors import ReplenishmentNotFound, VariantNotFound
from api.inventory.models import InventoryReservation, InventoryTransaction, Replenishment, Warehouse, WarehouseStock
from api.inventory.schemas import (
    ReplenishmentBody,
    StockChangeBody,
    StockedVariant,
    StockLevelBody,
    VariantStock,
    WarehouseBody,
)
from api.inventory.statements import OWN_VARIANT, OWN_VARIANT_LOCKED, OWN_VARIANTS
from api.inventory.warehouses.kept import EDITION
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams

RECENT = 50
_HELD_FOR = (
    select(InventoryReservation.variant_id)
    .where(InventoryReservation.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))))
    .distinct()
)


@dataclass(frozen=True, slots=True)
class OwnVariant:
    """A variant of the actor; `stock` = sellable units over all warehouses."""

    variant_id: UUID
    product_id: UUID
    sku: str
    stock: int
    low_stock_at: int


async def own_variant(tx: ReadTx, actor: Actor, variant_id: UUID, *, lock: bool = False) -> OwnVariant:
    """The variant, if the actor sells it or is an administrator. Raises: VariantNotFound."""
    variant = await tx.first_as(
        OwnVariant,
        OWN_VARIANT_LOCKED if lock else OWN_VARIANT,
        {"variant_id": variant_id, **_whose(actor)},
    )
    if variant is None:
        raise VariantNotFound
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
        low_stock_at=variant.low_stock_at,
        version=changes[0].number if changes else 0,
        warehouses=await tx.all_as(StockLevelBody, levels),
        recent=changes,
    )


async def variants_held_for(tx: ReadTx, order_ids: Collection[UUID]) -> set[UUID]:
    """The variants of which units are or were reserved for these orders."""
    return {row[0] for row in await tx.all(_HELD_FOR, {"order_ids": list(order_ids)})}


# In the order of the fields of Stocked. The types are the driver's: nothing is to be converted.
_FACTS = ((WarehouseStock.warehouse_id, "warehouses"), (WarehouseStock.available, "available"))


@dataclass(slots=True)
class Stocked:
    """The warehouses that have units of a variant, and how many: lists in one order, None without any. `edition`: of
    the warehouses, when that was read. Not frozen: a read makes many."""

    warehouses: Sequence[UUID] | None
    available: Sequence[int] | None
    edition: UUID | None

    def levels_of(self, variant_id: UUID, origins: Mapping[UUID, Origin]) -> list[StockLevel]:
        """Its stock in each warehouse."""
        if self.warehouses is None or self.available is None:
            return []
        return [
            StockLevel(variant_id, warehouse, origins[warehouse].country, available)
            for warehouse, available in zip(self.warehouses, self.available, strict=True)
        ]


def levels_of(variant: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> LateralFromClause:
    """What a variant of the outer statement's row has where: one row, of nulls without units."""
    return (
        select(*(func.array_agg(column, type_=NullType()).label(name) for column, name in _FACTS))
        .where(WarehouseStock.variant_id == variant, WarehouseStock.available > 0)
        .correlate_except(WarehouseStock)
        .lateral("stocked")
    )


def columns_of(levels: LateralFromClause) -> list[ColumnElement[Any]]:  # Any: arrays of several types
    """The columns of Stocked."""
    return [*(levels.c[name] for _, name in _FACTS), EDITION.label("edition")]


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
