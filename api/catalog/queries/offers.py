"""What carts, checkout and recommendations need to know about products: one statement for any number of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import bindparam, select

from api.catalog.artwork import artwork_path
from api.catalog.models import Product, ProductVariant
from api.catalog.queries.listing import CARD, IN_STOCK, LIVE, THUMBNAIL, card
from api.catalog.schemas import ProductCard
from api.kernel.db import ReadTx


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant as it is offered now. `list_price` is per unit, shifted with the variant's own price; `stock` in
    units."""

    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    title: str
    brand: str | None
    sku: str
    attributes: dict[str, object]
    price: Decimal
    list_price: Decimal | None
    currency: str
    stock: int
    on_sale: bool
    prime_eligible: bool
    thumbnail: str


_OFFERS = (
    select(
        Product.product_id,
        ProductVariant.variant_id,
        Product.seller_id,
        Product.title,
        Product.brand,
        ProductVariant.sku,
        ProductVariant.attributes,
        ProductVariant.price,
        Product.base_price,
        Product.list_price,
        Product.currency,
        ProductVariant.stock_quantity,
        LIVE.label("on_sale"),
        Product.prime_eligible,
        THUMBNAIL.label("thumbnail"),
    )
    .join(Product, Product.product_id == ProductVariant.product_id)
    .where(ProductVariant.variant_id.in_(bindparam("variant_ids", expanding=True)))
)
_CARDS = select(*CARD).where(Product.product_id.in_(bindparam("product_ids", expanding=True)), LIVE, IN_STOCK)


async def offers_of(tx: ReadTx, variant_ids: Iterable[UUID]) -> dict[UUID, Offer]:
    """Offers by variant id; unknown ids are absent, withdrawn products come with `on_sale` False."""
    rows = await tx.all(_OFFERS, {"variant_ids": list(variant_ids)})
    return {
        row.variant_id: Offer(
            product_id=row.product_id,
            variant_id=row.variant_id,
            seller_id=row.seller_id,
            title=row.title,
            brand=row.brand,
            sku=row.sku,
            attributes=row.attributes,
            price=row.price,
            list_price=None if row.list_price is None else row.price + (row.list_price - row.base_price),
            currency=row.currency,
            stock=row.stock_quantity,
            on_sale=row.on_sale,
            prime_eligible=row.prime_eligible,
            thumbnail=row.thumbnail or artwork_path(row.product_id),
        )
        for row in rows
    }


async def cards_of(tx: ReadTx, product_ids: Iterable[UUID]) -> dict[UUID, ProductCard]:
    """Cards by product id of those that are on sale and in stock; the others are absent."""
    rows = await tx.all(_CARDS, {"product_ids": list(product_ids)})
    return {row.product_id: card(row) for row in rows}
