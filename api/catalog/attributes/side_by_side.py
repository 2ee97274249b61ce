"""Cards of products with their attributes, for lists that name products one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, any_, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from api.catalog.models import Category, Product, ProductVariant
from api.catalog.queries.listing import CARD, LIVE, Card
from api.catalog.schemas import ProductCard
from api.kernel.db import ReadTx
from api.kernel.languages import Reader

_NAMED = Product.product_id == any_(bindparam("product_ids", type_=ARRAY(Uuid)))
_CARDS = select(*CARD).where(LIVE, _NAMED)


@dataclass(frozen=True, slots=True)
class Described:
    """What a product is: its category, specifications, and the attributes of each variant, the oldest first."""

    product_id: UUID
    category_id: UUID
    category_path: str
    specifications: dict[str, object]
    variants: list[dict[str, object]]


def _described() -> Select[Any]:  # Any: the columns of a Described
    each = aggregate_order_by(ProductVariant.attributes, ProductVariant.variant_id)
    variants = (
        select(func.coalesce(func.jsonb_agg(each), cast(literal([]), JSONB)))
        .where(ProductVariant.product_id == Product.product_id, ProductVariant.removed_at.is_(None))
        .scalar_subquery()
    )
    return (
        select(
            Product.product_id,
            Product.category_id,
            Category.path.label("category_path"),
            Product.specifications,
            variants.label("variants"),
        )
        .join(Category, Category.category_id == Product.category_id)
        .where(LIVE, _NAMED)
    )


_DESCRIBED = _described()


async def cards_on_sale(tx: ReadTx, product_ids: Sequence[UUID], reader: Reader) -> dict[UUID, ProductCard]:
    """Cards by product id, of those that are on sale, also when they are sold out."""
    cards = await tx.all_as(Card, _CARDS, {"product_ids": list(product_ids)}) if product_ids else []
    return {card.product_id: card.body(reader) for card in cards}


async def described(tx: ReadTx, product_ids: Sequence[UUID]) -> dict[UUID, Described]:
    """By product id, of those that are on sale."""
    found = await tx.all_as(Described, _DESCRIBED, {"product_ids": list(product_ids)})
    return {one.product_id: one for one in found}
