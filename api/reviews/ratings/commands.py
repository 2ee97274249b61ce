"""Count a product's published reviews anew.

A count that is made anew is right however often an event is read and in whatever order; it reads one index, of 36 bytes
a review.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Numeric, Uuid, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.dml import ReturningInsert

from api.catalog.ratings.commands import Rated, set_ratings
from api.kernel import failpoints
from api.kernel.db import Tx
from api.reviews.models import STARS, ProductRating, ReviewByUser


@dataclass(frozen=True, slots=True)
class _Counted:
    product_id: UUID
    average_rating: Decimal
    review_count: int


async def count_anew(tx: Tx, products: Collection[UUID]) -> None:
    """Set `product_ratings` of these products, and what the catalog shows of them."""
    found = await tx.all_as(_Counted, _COUNT, {"products": sorted(products)})
    failpoints.hit("reviews.after_count")
    await set_ratings(tx, [Rated(one.product_id, one.average_rating, one.review_count) for one in found])


def _count() -> ReturningInsert[tuple[UUID, Decimal, int]]:
    asked = func.unnest(bindparam("products", type_=ARRAY(Uuid))).table_valued(column("product_id", Uuid), name="asked")
    asked = asked.render_derived()
    per_star = {f"stars_{n}": func.count().filter(ReviewByUser.rating == n) for n in STARS}
    count = func.count(ReviewByUser.review_id)
    average = func.round(cast(func.coalesce(func.avg(ReviewByUser.rating), 0), Numeric), 2)
    counted: Any = (  # Any: columns of several types
        select(
            asked.c.product_id,
            *(value.label(name) for name, value in per_star.items()),
            average.label("average_rating"),
            cast(count, Integer).label("review_count"),
        )
        .outerjoin(
            ReviewByUser,
            (ReviewByUser.product_id == asked.c.product_id) & (ReviewByUser.status == "published"),
        )
        .group_by(asked.c.product_id)
        .order_by(asked.c.product_id)
    )
    names = ["product_id", *per_star, "average_rating", "review_count"]
    made = upsert(ProductRating).from_select(names, counted)
    new: dict[str, Any] = {name: getattr(made.excluded, name) for name in names[1:]}  # Any: as above
    counting = made.on_conflict_do_update(index_elements=["product_id"], set_={**new, "updated_at": func.now()})
    return counting.returning(ProductRating.product_id, ProductRating.average_rating, ProductRating.review_count)


_COUNT = _count()
