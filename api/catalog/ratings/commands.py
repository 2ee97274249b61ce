"""What lists, search and pages show of a product's reviews."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Numeric, Update, Uuid, bindparam, column, func, or_, select, update

from api.catalog.models import Product
from api.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class Rated:
    """`average`: 0 without reviews, otherwise 1 to 5."""

    product_id: UUID
    average: Decimal
    reviews: int


async def set_ratings(tx: Tx, rated: Sequence[Rated]) -> None:
    """Set `average_rating` and `review_count`; a product that has them already is left alone."""
    if rated:
        columns = ([one.product_id for one in rated], [one.average for one in rated], [one.reviews for one in rated])
        await tx.execute(_SET, dict(zip(("rated", "averages", "counts"), columns, strict=True)))


def _set() -> Update:
    given = (("rated", Uuid), ("averages", Numeric(3, 2)), ("counts", Integer))
    lists = func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in given))
    rows = lists.table_valued(*(column(name, kind) for name, kind in given)).render_derived("given")
    # In the order of their ids, as every lock of several products.
    held = (
        select(Product.product_id, rows.c.averages, rows.c.counts)
        .join(rows, rows.c.rated == Product.product_id)
        .where(or_(Product.average_rating != rows.c.averages, Product.review_count != rows.c.counts))
        .order_by(Product.product_id)
        .with_for_update(of=Product)
        .cte("held")
    )
    values = {"average_rating": held.c.averages, "review_count": held.c.counts, "updated_at": func.now()}
    return update(Product).where(Product.product_id == held.c.product_id).values(values)


_SET = _set()
