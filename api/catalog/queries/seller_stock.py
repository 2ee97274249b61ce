"""A seller's current stock, fewest units first."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select

from api.catalog.models import Product, ProductVariant
from api.catalog.queries.listing import SELLABLE
from api.kernel.actor import Actor
from api.kernel.db import ReadTx

LOW_STOCK_UNITS = 15


@dataclass(frozen=True, slots=True)
class VariantStock:
    """`stock_quantity`: units that can be sold now, over all warehouses."""

    variant_id: UUID
    product_id: UUID
    sku: str
    stock_quantity: int
    title: str


@dataclass(frozen=True, slots=True)
class StockTotals:
    """Counts of variants and units; `low` variants have 1 to LOW_STOCK_UNITS units; `values` at the variants' prices,
    by currency."""

    variants: int
    units: int
    sold_out: int
    low: int
    values: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class _CurrencyTotals:
    currency: str
    variants: int
    units: int
    sold_out: int
    low: int
    value: Decimal


async def scarcest(tx: ReadTx, actor: Actor, limit: int) -> list[VariantStock]:
    """The seller's variants on sale with the fewest units."""
    statement = (
        select(
            ProductVariant.variant_id,
            ProductVariant.product_id,
            ProductVariant.sku,
            ProductVariant.stock_quantity,
            Product.title,
        )
        .join(Product, Product.product_id == ProductVariant.product_id)
        .where(Product.seller_id == actor.user_id, SELLABLE)
        .order_by(ProductVariant.stock_quantity, Product.title)
        .limit(limit)
    )
    return await tx.all_as(VariantStock, statement)


async def totals(tx: ReadTx, actor: Actor) -> StockTotals:
    """Counts over all of the seller's variants on sale; their value is a sum per currency."""
    stock = ProductVariant.stock_quantity
    statement = (
        select(
            Product.currency,
            func.count().label("variants"),
            func.sum(stock).label("units"),
            func.count().filter(stock == 0).label("sold_out"),
            func.count().filter(stock.between(1, LOW_STOCK_UNITS)).label("low"),
            func.sum(stock * ProductVariant.price).label("value"),
        )
        .select_from(ProductVariant)
        .join(Product, Product.product_id == ProductVariant.product_id)
        .where(Product.seller_id == actor.user_id, SELLABLE)
        .group_by(Product.currency)
        .order_by(Product.currency)
    )
    rows = await tx.all_as(_CurrencyTotals, statement)
    return StockTotals(
        variants=sum(row.variants for row in rows),
        units=sum(row.units for row in rows),
        sold_out=sum(row.sold_out for row in rows),
        low=sum(row.low for row in rows),
        values={row.currency: row.value for row in rows},
    )
