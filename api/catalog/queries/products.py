"""One product, whole: three statements (product, variants, seller)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, or_, select

from api.catalog.artwork import artwork_path
from api.catalog.errors import ProductNotFound
from api.catalog.models import Category, Product, ProductImage, ProductVariant
from api.catalog.queries.categories import readable_path
from api.catalog.schemas import ProductDetail, SellerCard, Shipping, Variant
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.settings import Settings
from api.sellers import queries as sellers

_IMAGES = func.array(
    select(ProductImage.url).where(ProductImage.product_id == Product.product_id).order_by(ProductImage.position).scalar_subquery()
)
_UNKNOWN = "There is no product with this id."


async def product_of(tx: ReadTx, actor: Actor, product_id: UUID, settings: Settings) -> tuple[int, ProductDetail]:
    """The version and the seed's detail body. Raises: ProductNotFound, also for what is not on sale unless it is the actor's own."""
    row = await _visible(tx, actor, product_id)
    variants = await variants_of(tx, product_id)
    store = await sellers.store_card(tx, row.seller_id)
    detail = ProductDetail(
        product_id=row.product_id,
        title=row.title,
        description=row.description,
        brand=row.brand,
        category=readable_path(row.path),
        category_id=row.category_id,
        price=row.base_price,
        list_price=row.list_price,
        currency=row.currency,
        discount=discount_percent(row.base_price, row.list_price),
        variants=variants,
        images=row.images or [artwork_path(product_id)],
        specifications=row.specifications,
        seller=SellerCard(
            seller_id=row.seller_id, name=store.name if store else "Former seller", rating=float(store.rating) if store else 0.0
        ),
        shipping=shipping(settings, row.base_price, prime=row.prime_eligible),
        rating=float(row.average_rating),
        review_count=row.review_count,
        prime_eligible=row.prime_eligible,
        in_stock=any(variant.stock > 0 for variant in variants),
        status=row.status,
    )
    return row.version, detail


async def variants_of(tx: ReadTx, product_id: UUID) -> list[Variant]:
    """The product's variants, oldest first, with what can be sold of each now."""
    columns = (
        ProductVariant.variant_id,
        ProductVariant.attributes,
        ProductVariant.price,
        ProductVariant.sku,
        ProductVariant.stock_quantity,
    )
    rows = await tx.all(select(*columns).where(ProductVariant.product_id == product_id).order_by(ProductVariant.variant_id))
    return [Variant(variant_id=r.variant_id, attributes=r.attributes, price=r.price, sku=r.sku, stock=r.stock_quantity) for r in rows]


async def variants_on_sale(tx: ReadTx, actor: Actor, product_id: UUID) -> tuple[str, list[Variant]]:
    """Currency and variants of a product that the actor may see. Raises: ProductNotFound."""
    product = await tx.first(select(Product.currency).where(Product.product_id == product_id, visible_to(actor)))
    if product is None:
        raise ProductNotFound(_UNKNOWN)
    return product.currency, await variants_of(tx, product_id)


async def require_visible(tx: ReadTx, actor: Actor, product_id: UUID) -> None:
    """Raises: ProductNotFound when the actor may not see the product."""
    if await tx.scalar(select(Product.product_id).where(Product.product_id == product_id, visible_to(actor))) is None:
        raise ProductNotFound(_UNKNOWN)


async def picture_of(tx: ReadTx, product_id: UUID) -> Row[Any]:  # Any: title and category path
    """What a generated picture is drawn from. Raises: ProductNotFound."""
    statement = select(Product.title, Category.path).join(Category, Category.category_id == Product.category_id)
    row = await tx.first(statement.where(Product.product_id == product_id))
    if row is None:
        raise ProductNotFound(_UNKNOWN)
    return row


def visible_to(actor: Actor) -> Any:  # Any: SQLAlchemy's boolean expression
    """On sale, or the actor's own and not deleted."""
    live: Sequence[Any] = (Product.status == "active",)  # Any: as above
    return and_(Product.deleted_at.is_(None), or_(*live, Product.seller_id == actor.user_id) if actor.signed_in else live[0])


def discount_percent(price: Decimal, list_price: Decimal | None) -> int:
    """Whole per cent off the list price, rounded half up; 0 without a list price."""
    if list_price is None or list_price <= price:
        return 0
    return int((list_price - price) * 100 / list_price + Decimal("0.5"))


def shipping(settings: Settings, price: Decimal, *, prime: bool) -> Shipping:
    """The promise before an address is known; the order's own promise comes from the warehouse."""
    free = prime or price >= settings.free_shipping_from
    return Shipping(prime_delivery="Tomorrow" if prime else None, standard_delivery="3-5 days", free_shipping=free)


async def _visible(tx: ReadTx, actor: Actor, product_id: UUID) -> Row[Any]:  # Any: the product's columns, category path, images
    columns = (
        Product.product_id,
        Product.seller_id,
        Product.category_id,
        Product.title,
        Product.description,
        Product.brand,
        Product.base_price,
        Product.list_price,
        Product.currency,
        Product.status,
        Product.prime_eligible,
        Product.average_rating,
        Product.review_count,
        Product.specifications,
        Product.version,
        Category.path,
        _IMAGES.label("images"),
    )
    statement = select(*columns).join(Category, Category.category_id == Product.category_id)
    row = await tx.first(statement.where(Product.product_id == product_id, visible_to(actor)))
    if row is None:
        raise ProductNotFound(_UNKNOWN)
    return row
