"""Count a product's published reviews anew, and those of its seller with it.

A count that is made anew is right however often an event is read and in whatever order; it reads one index, of 36 bytes
a review. A seller may have a million products, so a seller's sums change by what the product's counters change by, in
the same statement.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, Numeric, Uuid, any_, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.dml import ReturningInsert

from api.catalog.ratings.commands import Rated, set_ratings
from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.models import STARS, ProductRating, ReviewByUser, SellerRating
from api.sellers.commands import rate


@dataclass(frozen=True, slots=True)
class _Counted:
    product_id: UUID
    average_rating: Decimal
    review_count: int


@dataclass(frozen=True, slots=True)
class _Average:
    seller_id: UUID
    rating: Decimal


async def count_anew(tx: Tx, sellers_of: Mapping[UUID, UUID]) -> None:
    """Set `product_ratings` of these products, the sums of the seller of each, and what the catalog shows of them."""
    products = sorted(sellers_of)
    asked = {"products": products, "sellers": [sellers_of[product] for product in products]}
    found = await tx.all_as(_Counted, _COUNT, asked)
    failpoints.hit("reviews.after_count")
    await set_ratings(tx, [Rated(one.product_id, one.average_rating, one.review_count) for one in found])


async def rate_sellers(ctx: Context, tx: Tx, sellers: Collection[UUID]) -> None:
    """What stores show: the average over all published reviews of their products."""
    rated = await tx.all_as(_Average, _AVERAGES, {"sellers": list(sellers)})
    await rate(ctx, {one.seller_id: one.rating for one in rated})


_AVERAGES = select(
    SellerRating.seller_id,
    func.coalesce(
        func.round(cast(SellerRating.stars, Numeric) / func.nullif(SellerRating.review_count, 0), 2), 0
    ).label("rating"),
).where(SellerRating.seller_id == any_(bindparam("sellers", type_=ARRAY(Uuid))))


def _count() -> ReturningInsert[tuple[UUID, Decimal, int]]:
    pairs = (bindparam("products", type_=ARRAY(Uuid)), bindparam("sellers", type_=ARRAY(Uuid)))
    asked = func.unnest(*pairs).table_valued(column("product_id", Uuid), column("seller_id", Uuid), name="asked")
    asked = asked.render_derived()
    per_star = {f"stars_{n}": func.count().filter(ReviewByUser.rating == n) for n in STARS}
    count = func.count(ReviewByUser.review_id)
    average = func.round(cast(func.coalesce(func.avg(ReviewByUser.rating), 0), Numeric), 2)
    counted: Any = (  # Any: columns of several types
        select(
            asked.c.product_id,
            asked.c.seller_id,
            *(value.label(name) for name, value in per_star.items()),
            average.label("average_rating"),
            cast(count, Integer).label("review_count"),
        )
        .outerjoin(
            ReviewByUser,
            (ReviewByUser.product_id == asked.c.product_id) & (ReviewByUser.status == "published"),
        )
        .group_by(asked.c.product_id, asked.c.seller_id)
        .cte("counted")
    )
    # As they are when nobody else can change them. The condition has them all read before the first is written.
    before: Any = (
        select(ProductRating)
        .join(asked, asked.c.product_id == ProductRating.product_id)
        .order_by(ProductRating.product_id)
        .with_for_update(of=ProductRating)
        .cte("before")
    )
    names = ["product_id", *per_star, "average_rating", "review_count"]
    made = upsert(ProductRating).from_select(
        names,
        select(*(counted.c[name] for name in names))
        .where(select(func.count()).select_from(before).scalar_subquery() >= 0)
        .order_by(counted.c.product_id),
    )
    new: dict[str, Any] = {name: getattr(made.excluded, name) for name in names[1:]}  # Any: as above
    counting = made.on_conflict_do_update(index_elements=["product_id"], set_={**new, "updated_at": func.now()})
    return counting.add_cte(_moved(counted, before)).returning(
        ProductRating.product_id, ProductRating.average_rating, ProductRating.review_count
    )


def _moved(counted: Any, before: Any) -> Any:  # Any: columns of several types
    """Add to each seller's sums what the counters of the seller's products gain."""
    stars = [sum(n * rows.c[f"stars_{n}"] for n in STARS) for rows in (counted, before)]
    gained = (
        func.sum(now - func.coalesce(then, 0)) for now, then in (stars, (counted.c.review_count, before.c.review_count))
    )
    gains = (
        select(counted.c.seller_id, *(cast(gain, BigInteger) for gain in gained))
        .outerjoin(before, before.c.product_id == counted.c.product_id)
        .group_by(counted.c.seller_id)
        .order_by(counted.c.seller_id)
    )
    made = upsert(SellerRating).from_select(["seller_id", "stars", "review_count"], gains)
    sums = {
        "stars": SellerRating.stars + made.excluded.stars,
        "review_count": SellerRating.review_count + made.excluded.review_count,
        "updated_at": func.now(),
    }
    return made.on_conflict_do_update(index_elements=["seller_id"], set_=sums).cte("moved")


_COUNT = _count()
