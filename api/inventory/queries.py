"""Reading stock, for the seller whose product it is."""

from uuid import UUID

from sqlalchemy import text

from api.inventory.errors import VariantNotFound
from api.inventory.schemas import ShelfBody, StockChangeBody, VariantStock
from api.kernel.actor import Actor
from api.kernel.db import ReadTx

RECENT = 50

_VARIANT = text(
    """SELECT v.variant_id, v.product_id, v.sku, v.stock_quantity FROM product_variants v JOIN products p USING
    (product_id)
    WHERE v.variant_id = :variant_id AND p.deleted_at IS NULL
      AND (p.seller_id = CAST(:seller_id AS uuid) OR CAST(:is_admin AS boolean))"""
)
_SHELVES = text(
    """SELECT s.warehouse_id, w.code, w.name, w.country, s.available, s.reserved, s.inbound FROM warehouse_stock s
    JOIN warehouses w USING (warehouse_id) WHERE s.variant_id = :variant_id ORDER BY w.code"""
)
_RECENT = text(
    """SELECT transaction_id, warehouse_id, transaction_type, quantity_change, new_quantity, reference_id, created_at
    FROM inventory_transactions WHERE variant_id = :variant_id ORDER BY transaction_no DESC LIMIT :limit"""
)


def seller_values(actor: Actor) -> dict[str, object]:
    """Binds that limit a statement to the actor's own products; an administrator sees all."""
    return {"seller_id": actor.user_id if actor.kind == "seller" else None, "is_admin": actor.kind == "admin"}


async def stock_of(tx: ReadTx, actor: Actor, variant_id: UUID) -> VariantStock:
    """Everything about one variant's stock. Raises: VariantNotFound."""
    variant = await tx.first(_VARIANT, {"variant_id": variant_id, **seller_values(actor)})
    if variant is None:
        raise VariantNotFound
    shelves = await tx.all(_SHELVES, {"variant_id": variant_id})
    recent = await tx.all(_RECENT, {"variant_id": variant_id, "limit": RECENT})
    return VariantStock(
        variant_id=variant.variant_id,
        product_id=variant.product_id,
        sku=variant.sku,
        stock=variant.stock_quantity,
        warehouses=[ShelfBody.model_validate(dict(row._mapping)) for row in shelves],  # noqa: SLF001 - SQLAlchemy's documented access
        recent=[
            StockChangeBody(
                transaction_id=row.transaction_id,
                warehouse_id=row.warehouse_id,
                type=row.transaction_type,
                change=row.quantity_change,
                new_quantity=row.new_quantity,
                reference_id=row.reference_id,
                at=row.created_at,
            )
            for row in recent
        ],
    )
