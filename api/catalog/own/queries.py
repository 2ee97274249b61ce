"""Reads of a seller's own products, newest first."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select

from api.catalog.approval.queries import STATUS_REASON
from api.catalog.models import Product, ProductVariant
from api.catalog.own.schemas import OwnProduct
from api.catalog.queries.listing import THUMBNAIL
from api.catalog.schemas import Status
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams

_OF_PRODUCT = (ProductVariant.product_id == Product.product_id, ProductVariant.removed_at.is_(None))
_COLUMNS = (
    Product.product_id,
    Product.title,
    Product.brand,
    Product.category_id,
    Product.base_price.label("price"),
    Product.currency,
    Product.status,
    Product.condition,
    STATUS_REASON,
    select(func.count()).select_from(ProductVariant).where(*_OF_PRODUCT).scalar_subquery().label("variants"),
    func.coalesce(select(func.sum(ProductVariant.stock_quantity)).where(*_OF_PRODUCT).scalar_subquery(), 0).label(
        "stock"
    ),
    THUMBNAIL.label("thumbnail"),
    Product.version,
    Product.created_at,
    Product.updated_at,
)


@dataclass(frozen=True, slots=True)
class OwnFilter:
    """None: any. `text` is a part of the title, or a SKU."""

    status: Status | None = None
    text: str | None = None


async def own_products(
    tx: ReadTx, actor: Actor, wanted: OwnFilter, page: PageParams, after: UUID | None
) -> list[OwnProduct]:
    """Up to `page.limit` + 1 of the actor's products that are not deleted, behind the product `after`."""
    statement = select(*_COLUMNS).where(Product.seller_id == actor.user_id, Product.deleted_at.is_(None))
    if wanted.status is not None:
        statement = statement.where(Product.status == wanted.status)
    if wanted.text is not None:
        statement = statement.where(_named(wanted.text))
    statement = statement.offset(page.offset) if after is None else statement.where(Product.product_id < after)
    return await tx.all_as(OwnProduct, statement.order_by(Product.product_id.desc()).limit(page.limit + 1))


def _named(text: str) -> ColumnElement[bool]:
    sku = exists().where(*_OF_PRODUCT, func.lower(ProductVariant.sku) == func.lower(text))
    return or_(Product.title.icontains(text, autoescape=True), sku)
