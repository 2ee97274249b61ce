"""A page of products with its filters: two statements, whatever the size of the page."""

from collections.abc import Mapping, Sequence
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
    Integer,
    Numeric,
    Select,
    String,
    and_,
    any_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by, array

from api.catalog.artwork import artwork_path_of
from api.catalog.facets import PRICE_EDGES, RATING_STEPS, price_range_label
from api.catalog.models import Product, ProductCounter, ProductImage, ProductVariant
from api.catalog.queries.categories import reference_binds, within
from api.catalog.schemas import PriceRange, ProductCard, ProductFilters, RatingStep, Sort
from api.kernel.db import ReadTx

MAX_BRANDS = 50

IN_STOCK = exists().where(ProductVariant.product_id == Product.product_id, ProductVariant.stock_quantity > 0)
_FIRST_IMAGE = (
    select(ProductImage.url)
    .where(ProductImage.product_id == Product.product_id)
    .order_by(ProductImage.position)
    .limit(1)
    .scalar_subquery()
)
THUMBNAIL = func.coalesce(_FIRST_IMAGE, artwork_path_of(Product.product_id))
LIVE = and_(Product.status == "active", Product.deleted_at.is_(None))
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
    """The query's filters; money in the shop's currency, `min_rating` 0 to 5."""

    category: str | None = None
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
            "seller_id": self.seller_id,
            "brands": list(self.brands) or None,
            "min_price": self.min_price,
            "max_price": self.max_price,
            "min_rating": self.min_rating,
            "prime": self.prime,
            "in_stock": self.in_stock,
        }
        named = reference_binds(self.category) if self.category is not None else {}
        return {**named, **{name: value for name, value in given.items() if value is not None}}


class _ListedProduct(ProductCard):
    """A card with its sort values as text; the next page continues after them."""

    position: list[str]


@dataclass(frozen=True, slots=True)
class _Counts:
    """`prices` by bucket, `ratings` by RATING_STEPS."""

    total: int
    brands: list[str] | None
    prices: dict[str, int] | None
    ratings: list[int]


Shape = frozenset[str]
# Statements are built once per shape: building and hashing one takes several times as long as Postgres takes to run it.
_SHAPES = 512


async def product_page(
    tx: ReadTx, query: ProductQuery, *, limit: int, offset: int, after: Sequence[str] | None
) -> tuple[list[ProductCard], list[str] | None]:
    """At most `limit` cards, and the position of the last one when more follow.

    `after` is such a position and replaces `offset`. Raises: ValueError when it does not fit the sort.
    """
    binds = query.binds()
    columns = _SORTS[query.sort][0]
    statement = _page_statement(frozenset(binds), query.sort, keyset=after is not None)
    if after is not None:
        binds |= _parse_position(columns, after)
    binds |= {"take": limit + 1, "skip": 0 if after is not None else offset}
    found = await tx.all_as(_ListedProduct, statement, binds)
    return [*found[:limit]], found[limit - 1].position if len(found) > limit else None


async def product_filters(tx: ReadTx, query: ProductQuery) -> tuple[int, ProductFilters]:
    """How many products match, and what brands, prices and ratings there are within the category."""
    binds = query.binds()
    found = await tx.first_as(_Counts, _filters_statement(frozenset(binds)), binds)
    if found is None:
        raise AssertionError("counts without groups are one row")
    return found.total, ProductFilters(
        brands=found.brands or [],
        price_ranges=price_ranges({int(bucket): count for bucket, count in (found.prices or {}).items()}),
        ratings=[RatingStep(rating=step, count=n) for step, n in zip(RATING_STEPS, found.ratings, strict=True)],
    )


def price_ranges(counts: Mapping[int, int]) -> list[PriceRange]:
    """Bucket -> count as the ranges that are not empty, cheapest first."""
    return [PriceRange(range=price_range_label(bucket), count=counts[bucket]) for bucket in sorted(counts)]


def _scope(shape: Shape) -> list[ColumnElement[bool]]:
    """The conditions of the set in which the filters are counted."""
    conditions: list[ColumnElement[bool]] = [LIVE]
    if "category_id" in shape or "category_name" in shape:
        conditions.append(Product.category_id.in_(within(by_id="category_id" in shape)))
    if "seller_id" in shape:
        conditions.append(Product.seller_id == bindparam("seller_id"))
    if "prime" in shape:
        conditions.append(Product.prime_eligible == bindparam("prime"))
    if "in_stock" in shape:
        conditions.append(bindparam("in_stock", type_=Boolean) == IN_STOCK)
    return conditions


def _choices(shape: Shape, source: Any) -> list[ColumnElement[bool]]:  # Any: Product or the scope CTE's columns
    """Conditions on brand, price and rating: the ones that `filters` offers to change."""
    conditions: dict[str, ColumnElement[bool]] = {
        "brands": source.brand == any_(bindparam("brands", type_=ARRAY(String))),
        "min_price": source.base_price >= bindparam("min_price"),
        "max_price": source.base_price <= bindparam("max_price"),
        "min_rating": source.average_rating >= bindparam("min_rating", type_=Double),
    }
    return [condition for name, condition in conditions.items() if name in shape]


@lru_cache(maxsize=_SHAPES)
def _page_statement(shape: Shape, sort: Sort, *, keyset: bool) -> Select[Any]:  # Any: a _ListedProduct's columns
    columns, descending = _SORTS[sort]
    position_text = array([cast(part, String) for part in columns]).label("position")
    statement = select(*CARD, position_text).where(*_scope(shape), *_choices(shape, Product))
    if columns is _POPULAR:
        statement = statement.join(ProductCounter, ProductCounter.product_id == Product.product_id)
    if keyset:
        position = tuple_(*(bindparam(f"after_{i}", type_=part.type) for i, part in enumerate(columns)))
        statement = statement.where(tuple_(*columns) < position if descending else tuple_(*columns) > position)
    ordered = statement.order_by(*(part.desc() if descending else part.asc() for part in columns))
    return ordered.limit(bindparam("take", type_=Integer)).offset(bindparam("skip", type_=Integer))


@lru_cache(maxsize=_SHAPES)
def _filters_statement(shape: Shape) -> Select[Any]:  # Any: the columns of _Counts
    scope = select(Product.brand, Product.base_price, Product.average_rating).where(*_scope(shape)).cte("scope")
    by_brand = (
        select(scope.c.brand, func.count().label("n"))
        .where(scope.c.brand.is_not(None))
        .group_by(scope.c.brand)
        .order_by(func.count().desc(), scope.c.brand)
        .limit(MAX_BRANDS)
        .subquery()
    )
    edges = cast(literal(list(PRICE_EDGES), ARRAY(Numeric)), ARRAY(Numeric))
    bucket = func.width_bucket(scope.c.base_price, edges)
    by_price = select(bucket.label("bucket"), func.count().label("n")).select_from(scope).group_by(bucket).subquery()
    matching = select(func.count()).select_from(scope).where(*_choices(shape, scope.c))
    brands = select(func.array_agg(aggregate_order_by(by_brand.c.brand, by_brand.c.n.desc(), by_brand.c.brand)))
    prices = select(cast(func.jsonb_object_agg(cast(by_price.c.bucket, String), by_price.c.n), JSONB))
    ratings = [
        select(func.count()).select_from(scope).where(scope.c.average_rating >= step).scalar_subquery()
        for step in RATING_STEPS
    ]
    return select(
        matching.scalar_subquery().label("total"),
        brands.scalar_subquery().label("brands"),
        prices.scalar_subquery().label("prices"),
        array(ratings).label("ratings"),
    )


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
