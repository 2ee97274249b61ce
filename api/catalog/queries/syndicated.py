"""Every product on sale with its variants, in the order of ids: what feeds and site maps are made of."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Text, bindparam, case, cast, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.catalog.models import Category, Product, ProductVariant
from api.catalog.queries.listing import IMAGES, LIVE, TITLES
from api.inventory.queries import may_be_owed
from api.kernel.db import ReadTx
from api.pricing.tax_table import TaxClass

_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ProductOnSale:
    """`variants`: those that are not removed, each with id, sku, attributes, price (text), stock, gtin, and whether
    units may be backordered that are not there. `language`, `titles`: as of a Card."""

    product_id: UUID
    title: str
    language: str | None
    titles: dict[str, str] | None
    seller_id: UUID
    description: str | None
    brand: str | None
    category_path: str
    list_price: Decimal | None
    currency: str
    tax_class: TaxClass
    weight_grams: int | None
    prime_eligible: bool
    condition: str
    kind: str
    updated_at: datetime
    images: list[str]
    variants: list[dict[str, Any]]  # Any: JSON


async def on_sale_after(tx: ReadTx, after: UUID | None, limit: int) -> list[ProductOnSale]:
    """The next `limit` products on sale that have a variant."""
    return await tx.all_as(ProductOnSale, _AFTER, {"after": after or _NOWHERE, "take": limit})


_VARIANT = func.jsonb_build_object(
    "id", ProductVariant.variant_id, "sku", ProductVariant.sku, "attributes", ProductVariant.attributes,
    "price", cast(ProductVariant.price, Text), "stock", ProductVariant.stock_quantity, "gtin", ProductVariant.gtin,
    "backordered", case((ProductVariant.stock_quantity > 0, False), else_=may_be_owed(ProductVariant.variant_id)),
)  # fmt: skip
_OF_PRODUCT = (ProductVariant.product_id == Product.product_id, ProductVariant.removed_at.is_(None))
_VARIANTS = (
    select(func.jsonb_agg(aggregate_order_by(_VARIANT, ProductVariant.variant_id)))
    .where(*_OF_PRODUCT)
    .scalar_subquery()
)
_AFTER = (
    select(
        Product.product_id,
        Product.title,
        Product.language,
        TITLES.label("titles"),
        Product.seller_id,
        Product.description,
        Product.brand,
        Category.path.label("category_path"),
        Product.list_price,
        Product.currency,
        Product.tax_class,
        Product.weight_grams,
        Product.prime_eligible,
        Product.condition,
        Product.kind,
        Product.updated_at,
        IMAGES.label("images"),
        _VARIANTS.label("variants"),
    )
    .join(Category, Category.category_id == Product.category_id)
    .where(
        LIVE, Product.product_id > bindparam("after"), select(ProductVariant.variant_id).where(*_OF_PRODUCT).exists()
    )
    .order_by(Product.product_id)
    .limit(bindparam("take", type_=Integer))
)
