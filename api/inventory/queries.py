"""Reading stock, for the seller whose product it is."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.inventory.errors import VariantNotFound
from api.inventory.models import InventoryReservation, InventoryTransaction, Warehouse, WarehouseStock
from api.inventory.schemas import StockChangeBody, StockLevelBody, VariantStock
from api.inventory.statements import OWN_VARIANT, OWN_VARIANT_LOCKED
from api.kernel.actor import Actor
from api.kernel.db import ReadTx

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


async def own_variant(tx: ReadTx, actor: Actor, variant_id: UUID, *, lock: bool = False) -> OwnVariant:
    """The variant, if the actor sells it or is an administrator. Raises: VariantNotFound."""
    variant = await tx.first_as(
        OwnVariant,
        OWN_VARIANT_LOCKED if lock else OWN_VARIANT,
        {
            "variant_id": variant_id,
            "seller_id": actor.user_id if actor.kind == "seller" else None,
            "is_admin": actor.kind == "admin",
        },
    )
    if variant is None:
        raise VariantNotFound
    return variant


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
    return VariantStock(
        variant_id=variant.variant_id,
        product_id=variant.product_id,
        sku=variant.sku,
        stock=variant.stock,
        warehouses=await tx.all_as(StockLevelBody, levels),
        recent=await tx.all_as(StockChangeBody, recent),
    )


async def variants_held_for(tx: ReadTx, order_ids: Collection[UUID]) -> set[UUID]:
    """The variants of which units are or were reserved for these orders."""
    return {row[0] for row in await tx.all(_HELD_FOR, {"order_ids": list(order_ids)})}
