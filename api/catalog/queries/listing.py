"""A page of products: one statement, whose cost grows neither with the shop nor with the categories.

The page's ids are read first, then the cards of those ids. `WALK` reads an index of what is on sale in the order of the
sort, and stops after the page; within categories one such index each, merged while they are read, so that all of them
together give as many entries as one would. Where few of the products that it would pass are asked for, `GATHER` reads
those by what they are asked for, and sorts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Numeric,
    Select,
    String,
    Uuid,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, array

from api.catalog.artwork import artwork_path_of
from api.catalog.models import PricePoint, Product, ProductCounter, ProductImage, ProductVariant
from api.catalog.schemas import Condition, ProductCard, Sort
from api.catalog.statements import live, sellable, shown, titles
from api.kernel.db import PLANNED_EACH_TIME, PLANNED_ONCE, ReadTx, all_as
from api.kernel.languages import Reader
from api.media.naming import THUMBNAIL_SIZE
from api.media.queries import address_of

# Not EXISTS, which Postgres may answer from a table of all variants with stock: this looks at the product's own.
_MOST = (
    select(func.max(ProductVariant.stock_quantity))
    .where(ProductVariant.product_id == Product.product_id, ProductVariant.removed_at.is_(None))
    .scalar_subquery()
)
IN_STOCK = func.coalesce(_MOST, 0) > 0
_FIRST_IMAGE = (
    select(address_of(ProductImage.picture, THUMBNAIL_SIZE))
    .where(ProductImage.product_id == Product.product_id)
    .order_by(ProductImage.position)
    .limit(1)
    .scalar_subquery()
)
# The addresses of a product's pictures, in order.
IMAGES = func.array(
    select(ProductImage.url)
    .where(ProductImage.product_id == Product.product_id)
    .order_by(ProductImage.position)
    .scalar_subquery()
)
THUMBNAIL = func.coalesce(_FIRST_IMAGE, artwork_path_of(Product.product_id))
# Of statements that have these tables. A literal, not a bind: with a value that it does not know yet, Postgres cannot
# use an index of what is on sale.
LIVE = literal_column(f"({live('products')})", Boolean)
SELLABLE = literal_column(f"({sellable('products', 'product_variants')})", Boolean)
SHOWN = literal_column(shown("product_variants"), Boolean)
TITLES = literal_column(f"({titles('products')})", JSONB)
# The least price at which it is offered; its own where it has no variant.
FROM_PRICE = func.coalesce(
    select(PricePoint.price)
    .where(PricePoint.product_id == Product.product_id, PricePoint.lower_price.is_(None))
    .scalar_subquery(),
    Product.base_price,
)
# The columns of a Card; its price, and whether it is in stock, come from where the page is read.
_CARD = (
    Product.product_id,
    Product.title,
    Product.language,
    TITLES.label("titles"),
    Product.brand,
    Product.currency,
    cast(Product.average_rating, Double).label("rating"),
    Product.review_count,
    Product.prime_eligible,
    Product.condition,
    THUMBNAIL.label("thumbnail"),
)
CARD = (*_CARD, FROM_PRICE.label("price"), IN_STOCK.label("in_stock"))
_POPULAR = (ProductCounter.units_sold_90d, ProductCounter.view_count, ProductCounter.product_id)
# Each sort is one index read in one direction; the id makes the order total, so that a cursor never skips or repeats.
_SORTS: dict[Sort, tuple[tuple[Any, ...], bool]] = {  # Any: columns of several types
    "relevance": (_POPULAR, True),
    "popularity": (_POPULAR, True),
    "rating": ((PricePoint.average_rating, PricePoint.review_count, PricePoint.product_id), True),
    "newest": ((PricePoint.created_at, PricePoint.product_id), True),
    "price_asc": ((PricePoint.price, PricePoint.product_id), False),
    "price_desc": ((PricePoint.price, PricePoint.product_id), True),
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

    @property
    def shape(self) -> "Shape":
        return frozenset(self.binds())

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
class Card:
    """What a ProductCard shows, in every language. `title` is in `language`, None being the shop's own; `titles`: in
    others."""

    product_id: UUID
    title: str
    language: str | None
    titles: dict[str, str] | None
    brand: str | None
    price: Decimal
    currency: str
    rating: float
    review_count: int
    prime_eligible: bool
    in_stock: bool
    condition: Condition
    thumbnail: str

    def title_for(self, reader: Reader) -> tuple[str, str | None]:
        """As `Reader.text`."""
        return reader.text(self.title, (self.titles or {}).get(reader.language), self.language)

    def body(self, reader: Reader) -> ProductCard:
        title, language = self.title_for(reader)
        return ProductCard(
            product_id=self.product_id,
            title=title,
            title_language=language,
            brand=self.brand,
            price=self.price,
            currency=self.currency,
            rating=self.rating,
            review_count=self.review_count,
            thumbnail=self.thumbnail,
            prime_eligible=self.prime_eligible,
            in_stock=self.in_stock,
            condition=self.condition,
        )


@dataclass(frozen=True, slots=True)
class ListedProduct(Card):
    """With the sort values as text; the next page continues after them."""

    position: list[str]


Shape = frozenset[str]  # names of binds
# Conditions that `product_counters` does not have.
_NOT_COUNTED = frozenset({"seller_id", "brands", "min_price", "max_price", "min_rating"})
MAX_MERGED = 32
# To plan a statement for its values takes as long as to walk over so many.
WALKED_FREELY = 2_000
# To gather and sort one product takes as long as to walk over so many.
GATHERED = 3
# Filters that say where in the sort's own index a walk begins and ends.
_SORTED_BY: dict[Sort, frozenset[str]] = {
    "price_asc": frozenset({"min_price", "max_price"}),
    "price_desc": frozenset({"min_price", "max_price"}),
    "rating": frozenset({"min_rating"}),
}
# Statements are built once per shape: building and hashing one takes several times as long as Postgres takes to run it.
_SHAPES = 512


Way = Literal["walk", "gather"]


async def product_page(
    tx: ReadTx, query: ProductQuery, *, limit: int, offset: int, after: Sequence[str] | None, way: Way = "walk"
) -> tuple[list[ListedProduct], list[str] | None]:
    """At most `limit` cards, and the position of the last one when more follow; the same in both ways.

    `after` is such a position and replaces `offset`. Raises: ValueError when it does not fit the sort.
    """
    if query.categories == ():
        return [], None
    binds = query.binds()
    columns = _SORTS[query.sort][0]
    merged = 0 if query.categories is None or way == "gather" else _merged_reads(len(query.categories))
    if merged:
        ids = binds.pop("categories")
        binds |= {f"category_{i}": ids[i] if i < len(ids) else None for i in range(merged)}
    statement = page_statement(query.shape, query.sort, way, keyset=after is not None, merged=merged)
    if after is not None:
        binds |= _parse_position(columns, after)
    binds |= {"take": limit + 1, "skip": 0 if after is not None else offset}
    planned = PLANNED_ONCE if way == "walk" else PLANNED_EACH_TIME
    _, found = await tx.batch(planned, all_as(ListedProduct, statement, binds))
    return [*found[:limit]], found[limit - 1].position if len(found) > limit else None


def walked_at_once(query: ProductQuery) -> bool:
    """Whether every entry that a walk passes is on the page or before it."""
    return query.shape <= {"categories"} | _SORTED_BY.get(query.sort, frozenset())


def way_of(query: ProductQuery, passed: int, matching: int, entries: int) -> Way:
    """The cheaper way to a page that ends with the entry `entries` of the `matching` ones, which are among `passed`."""
    if walked_at_once(query):
        return "walk"
    walked = passed if matching <= entries else entries * passed // matching
    return "gather" if walked > WALKED_FREELY + GATHERED * matching else "walk"


def _merged_reads(categories: int) -> int:
    """How many reads of one category each the statement has: a power of two, so that there are few statements. 0 for
    more categories than it pays to plan: they are most of the shop."""
    return 0 if categories > MAX_MERGED else 1 << (categories - 1).bit_length()


def scope(shape: Shape) -> list[ColumnElement[bool]]:
    """The conditions of the set in which the filters are counted, but for its categories and that each product is in it
    once."""
    conditions: list[ColumnElement[bool]] = [PricePoint.on_sale.expression]
    if "seller_id" in shape:
        conditions.append(PricePoint.seller_id == bindparam("seller_id"))
    if "prime" in shape:
        conditions.append(PricePoint.prime_eligible == bindparam("prime"))
    if "in_stock" in shape:
        conditions.append(PricePoint.in_stock == bindparam("in_stock"))
    return conditions


def choices(shape: Shape, source: Any) -> list[ColumnElement[bool]]:  # Any: PricePoint or a CTE's columns
    """Conditions on brand, price and rating, the ones that `filters` offers to change; and of each product the price
    point that it is listed at."""
    lowest = source.lower_price.is_(None)
    conditions: dict[str, ColumnElement[bool]] = {
        "brands": source.brand == any_(bindparam("brands", type_=ARRAY(String))),
        "min_price": source.price >= bindparam("min_price"),
        "max_price": source.price <= bindparam("max_price"),
        "min_rating": source.average_rating >= cast(bindparam("min_rating", type_=Double), Numeric),
    }
    once = or_(lowest, source.lower_price < bindparam("min_price")) if "min_price" in shape else lowest
    return [once, *(condition for name, condition in conditions.items() if name in shape)]


def categories_asked() -> FromClause:
    """The rows of the bind `categories`."""
    ids = bindparam("categories", type_=ARRAY(Uuid))
    return func.unnest(ids).table_valued(column("category_id", Uuid), name="asked").render_derived()


@lru_cache(maxsize=_SHAPES)
def page_statement(
    shape: Shape, sort: Sort, way: Way, *, keyset: bool, merged: int
) -> Select[Any]:  # Any: a ListedProduct's columns
    """`merged`: in how many reads, one for each of the binds `category_0`, ...; 0 for one read."""
    columns, descending = _SORTS[sort]
    page = _page(shape, sort, way, keyset=keyset, merged=merged).cte("page")
    position = [page.c[f"sort_{i}"] for i in range(len(columns))]
    price = page.c.price if "price" in page.c else FROM_PRICE
    return (
        select(
            *_CARD,
            price.label("price"),
            page.c.in_stock,
            array([cast(part, String) for part in position]).label("position"),
        )
        .join(page, position[-1] == Product.product_id)
        .order_by(*_directed(position, descending=descending))
    )


def _page(shape: Shape, sort: Sort, way: Way, *, keyset: bool, merged: int) -> Select[Any]:  # Any: the sort's columns
    """The sort's columns of the page, by the names `sort_0`, ...; the last is the id. With the price, if it is read
    where prices are."""
    columns, descending = _SORTS[sort]
    source = ProductCounter if columns is _POPULAR else PricePoint
    priced = source is PricePoint or bool(shape & _NOT_COUNTED) or way == "gather"
    filtered = PricePoint if way == "gather" else source
    found = select(*(part.label(f"sort_{i}") for i, part in enumerate(columns)), source.in_stock.label("in_stock"))
    if priced:
        found = found.add_columns(PricePoint.price.label("price")).where(*choices(shape, PricePoint))
    found = found.where(*_of_listing(shape, filtered, merged=merged))
    if source is ProductCounter and priced:
        found = found.join(PricePoint, PricePoint.product_id == ProductCounter.product_id)
    if keyset:
        after = tuple_(*(bindparam(f"after_{i}", type_=part.type) for i, part in enumerate(columns)))
        found = found.where(tuple_(*columns) < after if descending else tuple_(*columns) > after)
    if merged:
        found = _merge(found.order_by(*_directed(columns, descending=descending)), source.category_id, merged)
    elif way == "gather":
        # What is found is sorted; the order must not be a reason to walk.
        gathered = found.cte("gathered").prefix_with("MATERIALIZED")
        found = select(*gathered.c)
    ordered = [found.selected_columns[f"sort_{i}"] for i in range(len(columns))]
    whole = found.order_by(*_directed(ordered, descending=descending))
    return whole.limit(bindparam("take", type_=Integer)).offset(bindparam("skip", type_=Integer))


def _of_listing(
    shape: Shape, source: type[ProductCounter] | type[PricePoint], *, merged: int
) -> list[ColumnElement[bool]]:
    """Conditions on what `source` has, but those on one category each."""
    conditions: list[ColumnElement[bool]] = [source.on_sale.expression]
    if "categories" in shape and not merged:
        conditions.append(source.category_id == any_(bindparam("categories", type_=ARRAY(Uuid))))
    if "seller_id" in shape:
        conditions.append(PricePoint.seller_id == bindparam("seller_id"))
    if "prime" in shape:
        conditions.append(source.prime_eligible == bindparam("prime"))
    if "in_stock" in shape:
        conditions.append(source.in_stock == bindparam("in_stock"))
    return conditions


def _merge(each: Select[Any], category: Any, count: int) -> Select[Any]:  # Any: as page_statement; a column of ids
    """`each` within the categories of `category_0`, ...: Postgres merges what is sorted as far as it is read."""
    reads = [each.where(category == bindparam(f"category_{i}", type_=Uuid)) for i in range(count)]
    return select(*(union_all(*reads) if count > 1 else reads[0]).subquery("merged").c)


def _directed(columns: Sequence[Any], *, descending: bool) -> list[Any]:  # Any: columns of several types
    return [part.desc() if descending else part.asc() for part in columns]


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
