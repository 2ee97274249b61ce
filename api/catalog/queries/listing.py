"""A page of products: one statement, whatever the size of the page and of the shop.

The page's ids are read first, from an index that has the sort's columns and only what is on sale; then the cards of
those ids. Within categories each category is one such read, and the pages are merged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
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
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import array

from api.catalog.artwork import artwork_path_of
from api.catalog.models import Product, ProductCounter, ProductImage, ProductVariant
from api.catalog.schemas import Sort
from api.kernel.db import PLANNED_ONCE, ReadTx, all_as

# Not EXISTS, which Postgres may answer from a table of all variants with stock: this looks at the product's own.
_MOST = (
    select(func.max(ProductVariant.stock_quantity))
    .where(ProductVariant.product_id == Product.product_id)
    .scalar_subquery()
)
IN_STOCK = func.coalesce(_MOST, 0) > 0
_FIRST_IMAGE = (
    select(ProductImage.url)
    .where(ProductImage.product_id == Product.product_id)
    .order_by(ProductImage.position)
    .limit(1)
    .scalar_subquery()
)
THUMBNAIL = func.coalesce(_FIRST_IMAGE, artwork_path_of(Product.product_id))
# A literal, not a bind: with a value that it does not know yet, Postgres cannot use an index of what is on sale.
LIVE = and_(Product.status == literal_column("'active'"), Product.deleted_at.is_(None))
# The columns of a ProductCard.
CARD = (
    Product.product_id,
    Product.title,
    Product.brand,
    Product.base_price.label("price"),
    Product.currency,
    cast(Product.average_rating, Double).label("rating"),
    Product.review_count,
    Product.prime_eligible,
    IN_STOCK.label("in_stock"),
    THUMBNAIL.label("thumbnail"),
)
_POPULAR = (ProductCounter.units_sold_90d, ProductCounter.view_count, ProductCounter.product_id)
# Each sort is one index read in one direction; the id makes the order total, so that a cursor never skips or repeats.
_SORTS: dict[Sort, tuple[tuple[Any, ...], bool]] = {  # Any: columns of several types
    "relevance": (_POPULAR, True),
    "popularity": (_POPULAR, True),
    "rating": ((Product.average_rating, Product.review_count, Product.product_id), True),
    "newest": ((Product.created_at, Product.product_id), True),
    "price_asc": ((Product.base_price, Product.product_id), False),
    "price_desc": ((Product.base_price, Product.product_id), True),
}
_FROM_TEXT: dict[type, Any] = {
    int: int,
    Decimal: Decimal,
    UUID: UUID,
    datetime: datetime.fromisoformat,
}  # Any: one parser per type


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """The query's filters; money in the shop's currency, `min_rating` 0 to 5.

    `categories`: the ids of those that are asked for with all below them; None for every one.
    """

    categories: tuple[UUID, ...] | None = None
    seller_id: UUID | None = None
    brands: tuple[str, ...] = ()
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    min_rating: float | None = None
    prime: bool | None = None
    in_stock: bool | None = None
    sort: Sort = "relevance"

    def binds(self) -> dict[str, Any]:  # Any: values of several types
        """Values of the binds that this query's statements have, by name; the names are the query's shape."""
        given = {
            "categories": None if self.categories is None else list(self.categories),
            "seller_id": self.seller_id,
            "brands": list(self.brands) or None,
            "min_price": self.min_price,
            "max_price": self.max_price,
            "min_rating": self.min_rating,
            "prime": self.prime,
            "in_stock": self.in_stock,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """What a ProductCard shows, and the sort values as text; the next page continues after them."""

    product_id: UUID
    title: str
    brand: str | None
    price: Decimal
    currency: str
    rating: float
    review_count: int
    prime_eligible: bool
    in_stock: bool
    thumbnail: str
    position: list[str]


Shape = frozenset[str]  # names of binds
# Statements are built once per shape: building and hashing one takes several times as long as Postgres takes to run it.
_SHAPES = 512


async def product_page(
    tx: ReadTx, query: ProductQuery, *, limit: int, offset: int, after: Sequence[str] | None
) -> tuple[list[ListedProduct], list[str] | None]:
    """At most `limit` cards, and the position of the last one when more follow.

    `after` is such a position and replaces `offset`. Raises: ValueError when it does not fit the sort.
    """
    binds = query.binds()
    columns = _SORTS[query.sort][0]
    if query.categories == ():
        return [], None
    statement = page_statement(frozenset(binds), query.sort, keyset=after is not None)
    if after is not None:
        binds |= _parse_position(columns, after)
    binds |= {"take": limit + 1, "skip": 0 if after is not None else offset}
    _, found = await tx.batch(PLANNED_ONCE, all_as(ListedProduct, statement, binds))
    return [*found[:limit]], found[limit - 1].position if len(found) > limit else None


def scope(shape: Shape) -> list[ColumnElement[bool]]:
    """The conditions of the set in which the filters are counted, but for its categories."""
    conditions: list[ColumnElement[bool]] = [LIVE]
    if "seller_id" in shape:
        conditions.append(Product.seller_id == bindparam("seller_id"))
    if "prime" in shape:
        conditions.append(Product.prime_eligible == bindparam("prime"))
    if "in_stock" in shape:
        conditions.append(bindparam("in_stock", type_=Boolean) == IN_STOCK)
    return conditions


def choices(shape: Shape, source: Any) -> list[ColumnElement[bool]]:  # Any: Product or a CTE's columns
    """Conditions on brand, price and rating: the ones that `filters` offers to change."""
    conditions: dict[str, ColumnElement[bool]] = {
        "brands": source.brand == any_(bindparam("brands", type_=ARRAY(String))),
        "min_price": source.base_price >= bindparam("min_price"),
        "max_price": source.base_price <= bindparam("max_price"),
        "min_rating": source.average_rating >= bindparam("min_rating", type_=Double),
    }
    return [condition for name, condition in conditions.items() if name in shape]


def categories_asked() -> FromClause:
    """The rows of the bind `categories`."""
    ids = bindparam("categories", type_=ARRAY(Uuid))
    return func.unnest(ids).table_valued(column("category_id", Uuid), name="asked").render_derived()


@lru_cache(maxsize=_SHAPES)
def page_statement(shape: Shape, sort: Sort, *, keyset: bool) -> Select[Any]:  # Any: a ListedProduct's columns
    columns, descending = _SORTS[sort]
    page = _merged(shape, sort, keyset=keyset).cte("page")
    position_text = array([cast(page.c[f"sort_{i}"], String) for i in range(len(columns))]).label("position")
    order = [page.c[f"sort_{i}"] for i in range(len(columns))]
    return (
        select(*CARD, position_text)
        .join(page, page.c[f"sort_{len(columns) - 1}"] == Product.product_id)
        .order_by(*(part.desc() if descending else part.asc() for part in order))
    )


def _merged(shape: Shape, sort: Sort, *, keyset: bool) -> Select[Any]:  # Any: the sort's columns
    """The sort's columns of the page, by the names `sort_0`, ...; the last is the id."""
    columns, descending = _SORTS[sort]
    take, skip = bindparam("take", type_=Integer), bindparam("skip", type_=Integer)
    whole = select(*(part.label(f"sort_{i}") for i, part in enumerate(columns)))
    if columns is _POPULAR:
        whole = whole.join(Product, Product.product_id == ProductCounter.product_id)
    whole = whole.where(*scope(shape), *choices(shape, Product))
    if keyset:
        position = tuple_(*(bindparam(f"after_{i}", type_=part.type) for i, part in enumerate(columns)))
        whole = whole.where(tuple_(*columns) < position if descending else tuple_(*columns) > position)
    ordered = whole.order_by(*(part.desc() if descending else part.asc() for part in columns))
    if "categories" not in shape:
        return ordered.limit(take).offset(skip)
    asked = categories_asked()
    category = ProductCounter.category_id if columns is _POPULAR else Product.category_id
    each = ordered.where(category == asked.c.category_id).limit(take + skip).lateral("each")
    merged = select(*each.c).select_from(asked.join(each, true()))
    by = [each.c[f"sort_{i}"] for i in range(len(columns))]
    return merged.order_by(*(part.desc() if descending else part.asc() for part in by)).limit(take).offset(skip)


def _parse_position(
    columns: Sequence[Any], after: Sequence[str]
) -> dict[str, Any]:  # Any: columns and values of several types
    """Binds of a cursor's position. Raises: ValueError when it has another length than the sort."""
    if len(after) != len(columns):
        raise ValueError("the position has another length than the sort")
    return {
        f"after_{i}": _FROM_TEXT[part.type.python_type](text)
        for i, (part, text) in enumerate(zip(columns, after, strict=True))
    }
