"""The rows that the search index is built from: one complete row per product, by change time or by id range."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from api.catalog.models import Category, PricePoint, Product, ProductCounter, ProductVariant
from api.catalog.queries.listing import IN_STOCK, LIVE, SHOWN, THUMBNAIL
from api.catalog.schemas import Condition
from api.kernel.db import PLANNED_EACH_TIME, PLANNED_ONCE_WITH_SORTS, ReadTx, all_as

_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class IndexedProduct:
    """A product as it is indexed; `live` False means that search must not find it. `variants`: `price` as text and
    `attributes` of those that it is shown by. `language` None: the shop's own. `codes`: SKU and GTIN of all its
    variants."""

    product_id: UUID
    live: bool
    language: str | None
    translations: dict[str, dict[str, Any]] | None  # Any: JSON
    title: str
    brand: str | None
    seller_id: UUID
    category_id: UUID
    category_path: str
    description: str | None
    specifications: dict[str, object]
    variants: list[dict[str, Any]]  # Any: JSON
    currency: str
    rating: Decimal
    review_count: int
    view_count: int
    prime_eligible: bool
    condition: Condition
    in_stock: bool
    thumbnail: str
    codes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LiveCount:
    """How many products are on sale, and the database's time."""

    now: datetime
    products: int


async def changed_since(
    tx: ReadTx, since: datetime, overlap: timedelta, limit: int
) -> tuple[datetime, list[IndexedProduct]]:
    """The database's time now, and at most `limit` products of which a row, or the category, changed after
    `since` - `overlap`.

    A row's change time is the start of its transaction, so a row that commits late can be older than rows already read.
    The overlap must therefore be longer than any transaction of the shop (statement and idle timeouts bound those).
    """
    now: datetime = await tx.scalar(_NOW)
    return now, await tx.all_as(IndexedProduct, _CHANGED, {"after": since - overlap, "take": limit})


async def rows_of(tx: ReadTx, products: Collection[UUID]) -> list[IndexedProduct]:
    """These products, whether on sale or not."""
    _, found = await tx.batch(PLANNED_ONCE_WITH_SORTS, all_as(IndexedProduct, _ROWS_OF, {"products": list(products)}))
    return found


async def all_live(tx: ReadTx, after: UUID | None, limit: int) -> list[IndexedProduct]:
    """The next `limit` products on sale in id order, for a rebuild."""
    binds = {"after": after or _NOWHERE, "take": limit}
    _, found = await tx.batch(PLANNED_EACH_TIME, all_as(IndexedProduct, _LIVE_AFTER, binds))
    return found


async def descriptions_of(
    tx: ReadTx, products: Collection[UUID]
) -> dict[str, tuple[str | None, dict[str, dict[str, Any]] | None]]:  # Any: JSON
    """By id, what each says of itself in its own language, and its translations."""
    rows = await tx.all(_DESCRIPTIONS, {"products": list(products)})
    return {str(row[0]): (row[1], row[2]) for row in rows}


async def category_names(tx: ReadTx) -> dict[str, dict[str, str]]:
    """What categories are called in other languages: path -> language -> name, of those that have such names."""
    return {row[0]: row[1] for row in await tx.all(_NAMES)}


async def live_count(tx: ReadTx) -> LiveCount:
    """The number of products that an index built before `now` must hold."""
    found = await tx.first_as(LiveCount, _LIVE_COUNT)
    if found is None:
        raise AssertionError("a count without groups is one row")
    return found


def _feed() -> Select[Any]:  # Any: the columns of an IndexedProduct
    variant = func.jsonb_build_object(
        "price", cast(ProductVariant.price, String), "attributes", ProductVariant.attributes
    )
    of_product = (ProductVariant.product_id == Product.product_id, ProductVariant.removed_at.is_(None))
    variants = func.jsonb_agg(aggregate_order_by(variant, ProductVariant.variant_id)).filter(SHOWN).label("variants")
    numbers = func.array_cat(func.array_agg(ProductVariant.sku), func.array_agg(ProductVariant.gtin))
    codes = func.array_remove(numbers, null()).label("codes")
    # Once for each product: as two columns it would be read twice.
    shown = select(variants, codes).where(*of_product).correlate(Product).lateral("shown")
    columns = select(
        Product.product_id,
        and_(LIVE, shown.c.variants.is_not(None)).label("live"),
        Product.language,
        Product.translations,
        Product.title,
        Product.brand,
        Product.seller_id,
        Product.category_id,
        Category.path.label("category_path"),
        Product.description,
        Product.specifications,
        func.coalesce(shown.c.variants, cast(literal([]), JSONB)).label("variants"),
        Product.currency,
        Product.average_rating.label("rating"),
        Product.review_count,
        func.coalesce(ProductCounter.view_count, 0).label("view_count"),
        Product.prime_eligible,
        Product.condition,
        IN_STOCK.label("in_stock"),
        THUMBNAIL.label("thumbnail"),
        func.coalesce(shown.c.codes, cast(literal([]), ARRAY(String))).label("codes"),
    )
    return (
        columns.join(Category, Category.category_id == Product.category_id)
        .outerjoin(ProductCounter, ProductCounter.product_id == Product.product_id)
        .join(shown, true())
    )


def _changed() -> Select[Any]:  # Any: the columns of an IndexedProduct
    """Built once: the worker asks twice a second."""
    products = select(Product.product_id).where(Product.updated_at > bindparam("after"))
    variants = select(ProductVariant.product_id).where(ProductVariant.updated_at > bindparam("after"))
    moved = select(Category.category_id).where(Category.updated_at > bindparam("after"))
    placed = select(Product.product_id).where(Product.category_id.in_(moved))
    changed = products.union(variants, placed).limit(bindparam("take", type_=Integer))
    return _feed().where(Product.product_id.in_(changed))


_DESCRIPTIONS = select(Product.product_id, Product.description, Product.translations).where(
    Product.product_id == any_(bindparam("products", type_=ARRAY(Uuid))), LIVE
)
_NAMES = select(Category.path, Category.names).where(Category.names.is_not(None), Category.removed_at.is_(None))
_NOW = select(func.now())
_CHANGED = _changed()
# A table of ids, so that a plan that is kept begins with them: of a condition it does not know how many rows are left.
_ASKED = (
    func.unnest(bindparam("products", type_=ARRAY(Uuid)))
    .table_valued(column("product_id", Uuid), name="asked")
    .render_derived()
)
_ROWS_OF = _feed().join(_ASKED, _ASKED.c.product_id == Product.product_id)
_LIVE_AFTER = (
    _feed()
    .where(LIVE, Product.product_id > bindparam("after"))
    .order_by(Product.product_id)
    .limit(bindparam("take", type_=Integer))
)
_LIVE_COUNT = (
    select(func.now().label("now"), func.count().label("products"))
    .select_from(PricePoint)
    .where(PricePoint.on_sale, PricePoint.lower_price.is_(None))
)
