"""Where products belong: who sells them, the categories that they are in, and who may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from api.catalog.errors import ProductNotFound
from api.catalog.models import Category, Product
from api.kernel.actor import Actor
from api.kernel.db import Query, Result


@dataclass(frozen=True, slots=True)
class Placement:
    """`categories`: the product's own and those above it, with those that were merged into them."""

    product_id: UUID
    seller_id: UUID
    categories: list[UUID]


UNKNOWN = "There is no product with this id."
# What is live everybody may see, anything else that is not deleted its seller alone.
VISIBLE = and_(
    Product.deleted_at.is_(None), or_(Product.status == "active", Product.seller_id == bindparam("viewer", type_=Uuid))
)
_SOLD_BY = select(Product.seller_id).where(Product.product_id == bindparam("product_id", type_=Uuid), VISIBLE)
# A category that was merged is found with the one that it was merged into.
_ABOVE, _NAMED = aliased(Category), aliased(Category)
_PLACEMENTS = (
    select(Product.product_id, Product.seller_id, func.array_agg(_NAMED.category_id).label("categories"))
    .join(Category, Category.category_id == Product.category_id)
    .join(
        _ABOVE,
        and_(
            _ABOVE.removed_at.is_(None),
            or_(_ABOVE.path == Category.path, func.starts_with(Category.path, _ABOVE.path + "/")),
        ),
    )
    .join(_NAMED, or_(_NAMED.category_id == _ABOVE.category_id, _NAMED.merged_into == _ABOVE.category_id))
    .where(Product.product_id == any_(bindparam("placed", type_=ARRAY(Uuid))))
    .group_by(Product.product_id)
)


def placements_query(product_ids: Sequence[UUID]) -> Query[dict[UUID, Placement]]:
    """By product, withdrawn ones included."""
    return Query(_PLACEMENTS, {"placed": list(product_ids)}, _placements)


def _placements(result: Result) -> dict[UUID, Placement]:
    return {row[0]: Placement(*row) for row in result.rows}


def visible_query(actor: Actor, product_id: UUID) -> Query[UUID]:
    """Who sells a product that the actor may see. Raises, when its result is read: ProductNotFound."""
    return Query(_SOLD_BY, {"product_id": product_id, "viewer": actor.user_id}, _seller)


def _seller(result: Result) -> UUID:
    if not result.rows:
        raise ProductNotFound(UNKNOWN)
    seller_id: UUID = result.rows[0][0]
    return seller_id
