"""Offers for carts, as columns of a larger statement, and cards for recommendations, one statement for any number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, join, select, true

from api.catalog.models import Product, ProductVariant
from api.catalog.purchase import Wanted
from api.catalog.queries.listing import CARD, IN_STOCK, LIVE, SELLABLE, THUMBNAIL
from api.catalog.schemas import ProductCard
from api.delivery.promises import Origin
from api.inventory.queries import Stocked, columns_of, levels_of
from api.kernel.db import ReadTx
from api.pricing import list_price


@dataclass(slots=True)
class Offer(Stocked):
    """A variant as it is offered now: the columns OFFER of a row of OFFERED. `stock` in units, `attributes` as JSON.

    One that is removed or of a withdrawn product is there too, with `on_sale` False.
    """

    product_id: UUID
    variant_id: UUID
    title: str
    brand: str | None
    sku: str
    attributes: str
    price: Decimal
    product_price: Decimal
    product_list_price: Decimal | None
    currency: str
    stock: int
    on_sale: bool
    prime_eligible: bool
    weight_grams: int | None
    tax_class: str
    thumbnail: str

    def wanted(self, units: int, origins: Mapping[UUID, Origin]) -> Wanted:
        """So many units of it, to be priced and promised."""
        return Wanted(
            variant_id=self.variant_id,
            units=units,
            price=self.price,
            tax_class=self.tax_class,
            grams=self.weight_grams or 0,
            prime=self.prime_eligible,
            levels=self.levels_of(self.variant_id, origins),
            origins=origins,
        )

    @property
    def list_price(self) -> Decimal | None:
        """Per unit."""
        return list_price.of_variant(self.price, self.product_price, self.product_list_price)


@dataclass(frozen=True, slots=True)
class Sellable:
    """Whether a variant can be bought now, and how many units of it."""

    variant_id: UUID
    product_id: UUID
    on_sale: bool
    stock: int


OFFERED_LEVELS = levels_of(ProductVariant.variant_id)
OFFER = (
    Product.product_id,
    ProductVariant.variant_id,
    Product.title,
    Product.brand,
    ProductVariant.sku,
    cast(ProductVariant.attributes, Text).label("attributes"),
    ProductVariant.price,
    Product.base_price.label("product_price"),
    Product.list_price.label("product_list_price"),
    Product.currency,
    ProductVariant.stock_quantity.label("stock"),
    SELLABLE.label("on_sale"),
    Product.prime_eligible,
    Product.weight_grams,
    Product.tax_class,
    THUMBNAIL.label("thumbnail"),
    *columns_of(OFFERED_LEVELS),
)
OFFERED = join(ProductVariant, Product, Product.product_id == ProductVariant.product_id)
OFFERED_VARIANT = ProductVariant.variant_id
_PRODUCTS = (
    select(ProductVariant.product_id)
    .where(ProductVariant.variant_id == any_(bindparam("variant_ids", type_=ARRAY(Uuid))))
    .distinct()
)
_SELLABLE = (
    select(
        ProductVariant.variant_id,
        Product.product_id,
        SELLABLE.label("on_sale"),
        ProductVariant.stock_quantity.label("stock"),
    )
    .select_from(OFFERED)
    .where(ProductVariant.variant_id == any_(bindparam("variant_ids", type_=ARRAY(Uuid))))
)
_CARDS = select(*CARD).where(Product.product_id == any_(bindparam("product_ids", type_=ARRAY(Uuid))), LIVE, IN_STOCK)


async def cards_of(tx: ReadTx, product_ids: Iterable[UUID]) -> dict[UUID, ProductCard]:
    """Cards by product id of those that are on sale and in stock; the others are absent."""
    cards = await tx.all_as(ProductCard, _CARDS, {"product_ids": list(product_ids)})
    return {card.product_id: card for card in cards}


@dataclass(slots=True)
class Sold(Offer):
    """An offer with the seller of its product."""

    seller_id: UUID


_SOLD = (
    select(*OFFER, Product.seller_id)
    .select_from(OFFERED)
    .join(OFFERED_LEVELS, true())
    .where(ProductVariant.variant_id == any_(bindparam("variant_ids", type_=ARRAY(Uuid))))
)


async def sold_now(tx: ReadTx, variant_ids: Iterable[UUID]) -> dict[UUID, Sold]:
    """These variants as they are offered now, by id; removed ones and those of withdrawn products too."""
    return {offer.variant_id: offer for offer in await tx.all_as(Sold, _SOLD, {"variant_ids": list(variant_ids)})}


async def products_of(tx: ReadTx, variant_ids: Iterable[UUID]) -> set[UUID]:
    """The products of these variants."""
    return {row[0] for row in await tx.all(_PRODUCTS, {"variant_ids": list(variant_ids)})}


async def sellable(tx: ReadTx, variant_ids: Iterable[UUID]) -> dict[UUID, Sellable]:
    """What can be bought of these variants now; those that are gone are absent."""
    found = await tx.all_as(Sellable, _SELLABLE, {"variant_ids": list(variant_ids)})
    return {variant.variant_id: variant for variant in found}
