"""Variants of a product."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import case, func, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.errors import SkuTaken
from api.catalog.models import ProductVariant
from api.catalog.schemas import VariantIn
from api.inventory.stocktake import set_stock
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class _Saved:
    variant_id: UUID
    sku: str


async def save_variants(tx: Tx, product_id: UUID, variants: Sequence[VariantIn], price: Decimal) -> None:
    """Insert the variants, or change those of this product that have the same SKU; stock is set where it is given.

    Raises: ValidationFailed when a SKU is named twice; SkuTaken when another product has it.
    """
    named = [variant.sku for variant in variants if variant.sku is not None]
    if len(set(named)) != len(named):
        raise ValidationFailed(
            "A SKU appears twice.", errors=[FieldError(pointer="/variants", message="each sku once")]
        )
    if not variants:
        return
    by_sku = {variant.sku or f"SK-{secrets.token_hex(6).upper()}": variant for variant in variants}
    rows = [
        {
            "variant_id": new_id(),
            "product_id": product_id,
            "sku": sku,
            "attributes": variant.attributes,
            "price": variant.price or price,
        }
        for sku, variant in by_sku.items()
    ]
    statement = upsert(ProductVariant).values(rows)
    incoming = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["sku"],
        set_={"attributes": incoming.attributes, "price": incoming.price, "updated_at": func.now()},
        where=ProductVariant.product_id == incoming.product_id,
    )
    saved = await tx.all_as(_Saved, statement.returning(ProductVariant.variant_id, ProductVariant.sku))
    if len(saved) != len(rows):
        raise SkuTaken("Another product uses one of these SKUs; choose others.")
    counts = {row.variant_id: by_sku[row.sku].stock for row in saved}
    await set_stock(tx, {variant_id: stock for variant_id, stock in counts.items() if stock is not None})


async def follow_price(tx: Tx, product_id: UUID, old_price: Decimal, new_price: Decimal) -> None:
    """Set the new price on the variants that had the product's old price."""
    price = case((ProductVariant.price == old_price, new_price), else_=ProductVariant.price)
    statement = update(ProductVariant).where(ProductVariant.product_id == product_id)
    await tx.execute(statement.values(price=price, updated_at=func.now()))
