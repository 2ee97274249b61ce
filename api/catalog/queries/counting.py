"""How many products a list has, and what brands, prices and ratings there are in it.

The search index counts them, in memory and in time that grows little with the shop. Before the first index is built,
the database counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import ARRAY, Numeric, Select, String, and_, cast, collate, column, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by, array

from api.catalog.brands.keys import key_in_sql
from api.catalog.facets import PRICE_RANGES, RATING_STEPS, price_range_label
from api.catalog.models import PricePoint
from api.catalog.queries.listing import ProductQuery, Shape, categories_asked, choices, scope
from api.catalog.schemas import PriceRange, ProductFilters, RatingStep
from api.kernel.db import ReadTx

MAX_BRANDS = 50
_SHAPES = 512


@dataclass(frozen=True, slots=True)
class Counts:
    """`total` counts what the whole query matches. The groups are counted in its categories, for its seller, by prime
    and stock, whatever brand, price and rating it asks for.

    `brands`: the most frequent, then by key, each under all its spellings and named by one. `prices` by bucket of
    `facets`: a product in each that holds one of its prices. `ratings` by RATING_STEPS.
    """

    total: int
    brands: Sequence[str]
    prices: Mapping[int, int]
    ratings: Sequence[int]

    def filters(self) -> ProductFilters:
        return ProductFilters(
            brands=list(self.brands),
            price_ranges=price_ranges(self.prices),
            ratings=[RatingStep(rating=step, count=n) for step, n in zip(RATING_STEPS, self.ratings, strict=True)],
        )


NONE = Counts(0, (), {}, [0] * len(RATING_STEPS))


class ListCounter(Protocol):
    """Search implements it, the application holds it."""

    async def count(self, query: ProductQuery) -> Counts | None:
        """As of the newest commit of the index; None before there is one."""

    async def spellings(self, brands: Sequence[str]) -> tuple[str, ...] | None:
        """Every spelling, of products on sale, of brands by their keys (`brands.keys`); None as above."""

    async def brands(self) -> list[tuple[str, int]] | None:
        """Every brand as sellers spell it, with its number of products on sale; None as above."""


@dataclass(frozen=True, slots=True)
class _Row:
    total: int
    brands: list[str] | None
    prices: dict[str, int] | None
    ratings: list[int]


async def count_in_database(tx: ReadTx, query: ProductQuery) -> Counts:
    """Counts every product of the query's scope: for a shop without an index."""
    binds = query.binds()
    found = await tx.first_as(_Row, _statement(frozenset(binds)), binds)
    if found is None:
        raise AssertionError("counts without groups are one row")
    prices = {int(bucket): count for bucket, count in (found.prices or {}).items()}
    return Counts(found.total, found.brands or [], prices, found.ratings)


def price_ranges(counts: Mapping[int, int]) -> list[PriceRange]:
    """Bucket -> count as the ranges that are not empty, cheapest first."""
    return [PriceRange(range=price_range_label(bucket), count=counts[bucket]) for bucket in sorted(counts)]


@lru_cache(maxsize=_SHAPES)
def _statement(shape: Shape) -> Select[Any]:  # Any: the columns of _Row
    point = (PricePoint.price, PricePoint.lower_price, PricePoint.brand, PricePoint.average_rating)
    listed = select(*point).where(*scope(shape))
    if "categories" in shape:
        listed = listed.where(PricePoint.category_id.in_(select(categories_asked())))
    points = listed.cte("points")
    # Each product once.
    counted = select(points).where(*choices(frozenset(), points.c)).cte("counted")
    key = key_in_sql(counted.c.brand).label("key")
    spelled = func.mode().within_group(collate(counted.c.brand, "C"))
    by_brand = (
        select(spelled.label("brand"), key, func.count().label("n"))
        .where(counted.c.brand.is_not(None))
        .group_by(key)
        .order_by(func.count().desc(), collate(key, "C"))
        .limit(MAX_BRANDS)
        .subquery()
    )
    ranges = (
        func.unnest(*(literal(list(ends), ARRAY(Numeric)) for ends in zip(*PRICE_RANGES, strict=True)))
        .table_valued(column("lower", Numeric), column("upper", Numeric), with_ordinality="nth", name="ranges")
        .render_derived()
    )
    # In each range, the products whose least price in it this is.
    least = or_(points.c.lower_price.is_(None), points.c.lower_price < ranges.c.lower)
    in_range = and_(points.c.price.between(ranges.c.lower, ranges.c.upper), least)
    by_price = (
        select((ranges.c.nth - 1).label("bucket"), func.count().label("n"))
        .join_from(ranges, points, in_range)
        .group_by(ranges.c.nth)
        .subquery()
    )
    matching = select(func.count()).select_from(points).where(*choices(shape, points.c))
    by_number = (by_brand.c.n.desc(), collate(by_brand.c.key, "C"))
    brands = select(func.array_agg(aggregate_order_by(by_brand.c.brand, *by_number)))
    prices = select(cast(func.jsonb_object_agg(cast(by_price.c.bucket, String), by_price.c.n), JSONB))
    ratings = [
        select(func.count()).select_from(counted).where(counted.c.average_rating >= step).scalar_subquery()
        for step in RATING_STEPS
    ]
    return select(
        matching.scalar_subquery().label("total"),
        brands.scalar_subquery().label("brands"),
        prices.scalar_subquery().label("prices"),
        array(ratings).label("ratings"),
    )
