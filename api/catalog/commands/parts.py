"""Pieces of a product that creating and changing it share."""

import secrets
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import case, delete, func, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.errors import CategoryNotFound, SkuTaken
from api.catalog.models import ProductImage, ProductVariant
from api.catalog.queries.categories import find_category
from api.catalog.schemas import VariantIn
from api.inventory.stocktake import set_stock
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.ids import new_id


async def require_category(tx: Tx, reference: str) -> UUID:
    """The id of the named category. Raises: CategoryNotFound."""
    category_id = await find_category(tx, reference)
    if category_id is None:
        raise CategoryNotFound("`category` must be the id, path or name of a category of GET /categories.")
    return category_id


async def save_variants(tx: Tx, product_id: UUID, variants: Sequence[VariantIn], price: Decimal) -> None:
    """Insert the variants, or change those of this product that have the same SKU; stock is set where it was given.

    Raises: ValidationFailed when a SKU is named twice; SkuTaken when another product has it.
    """
    named = [variant.sku for variant in variants if variant.sku is not None]
    if len(set(named)) != len(named):
        raise ValidationFailed(
            "A SKU appears twice.", errors=[FieldError(pointer="/variants", message="each sku once")]
        )
    if not variants:
        return
    rows = [
        {
            "variant_id": new_id(),
            "product_id": product_id,
            "sku": variant.sku or f"SK-{secrets.token_hex(6).upper()}",
            "attributes": variant.attributes,
            "price": variant.price or price,
        }
        for variant in variants
    ]
    statement = upsert(ProductVariant).values(rows)
    incoming = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["sku"],
        set_={"attributes": incoming.attributes, "price": incoming.price, "updated_at": func.now()},
        where=ProductVariant.product_id == incoming.product_id,
    )
    saved = await tx.all(statement.returning(ProductVariant.variant_id, ProductVariant.sku))
    if len(saved) != len(rows):
        raise SkuTaken("Another product uses one of these SKUs; choose others.")
    by_sku = {row.sku: row.variant_id for row in saved}
    counted = {
        by_sku[str(row["sku"])]: variant.stock
        for row, variant in zip(rows, variants, strict=True)
        if variant.stock is not None
    }
    await set_stock(tx, counted)


async def save_images(tx: Tx, product_id: UUID, urls: Sequence[str], *, replace: bool = False) -> None:
    """Store image addresses in the order given."""
    if replace:
        await tx.execute(delete(ProductImage).where(ProductImage.product_id == product_id))
    if urls:
        rows = [
            {"image_id": new_id(), "product_id": product_id, "position": i, "url": url} for i, url in enumerate(urls)
        ]
        await tx.execute(insert(ProductImage).values(rows))


def following(old_price: Decimal, new_price: Decimal) -> dict[str, object]:
    """What a new product price does to its variants: those that cost the same as the product still do."""
    return {
        "price": case((ProductVariant.price == old_price, new_price), else_=ProductVariant.price),
        "updated_at": func.now(),
    }
