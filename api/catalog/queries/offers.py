"""Offers for carts, as columns of a larger statement, and cards for recommendations, one statement for any number."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, func, join, select, true

from api.catalog.models import Product, ProductVariant
from api.catalog.purchase import Wanted
from api.catalog.queries.listing import CARD, IN_STOCK, LIVE, SELLABLE, THUMBNAIL
from api.catalog.restrictions.rules import Limits, limits_of
from api.catalog.schemas import ProductCard
from api.delivery.promises import Origin
from api.inventory.queries import Stocked, columns_of, levels_of
from api.kernel.db import ReadTx
from api.kernel.rows import values_of
from api.pricing import list_price

# Offers as texts that a process knows how to read already: some 3 kB each.
KEPT_OFFERS = 10_000


@dataclass(slots=True, eq=False)
class Offer(Stocked):
    """A variant as it is offered now: the columns OFFER of a row of OFFERED. `stock` in units, `attributes` and
    `restrictions` as JSON.

    One that is removed or of a withdrawn product is there too, with `on_sale` False. Nobody changes it: many carts may
    share it.
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
    lowest_price_30d: Decimal | None
    currency: str
    stock: int
    on_sale: bool
    prime_eligible: bool
    weight_grams: int | None
    tax_class: str
    condition: str
    restrictions: str | None
    thumbnail: str
    _last_wanted: Wanted | None = field(init=False, default=None, repr=False)

    def wanted(self, units: int, origins: Mapping[UUID, Origin]) -> Wanted:
        """So many units of it, to be priced and promised."""
        last = self._last_wanted
        if last is not None and last.units == units and last.origins is origins:
            return last
        made = Wanted(
            variant_id=self.variant_id,
            units=units,
            price=self.price,
            tax_class=self.tax_class,
            grams=self.weight_grams or 0,
            prime=self.prime_eligible,
            levels=self.levels_of(self.variant_id, origins),
            origins=origins,
        )
        if self.rooms is None:  # when units that are owed come depends on the day
            self._last_wanted = made
        return made

    @property
    def to_be_had(self) -> int:
        """How many units of it can be ordered: those that can be sent now, and those that may be backordered."""
        return self.stock + self.may_be_owed

    @property
    def limits(self) -> Limits | None:
        """To whom and where it is sold; None: to everybody, everywhere."""
        return None if self.restrictions is None else limits_of(self.restrictions)

    @property
    def list_price(self) -> Decimal | None:
        """Per unit."""
        return list_price.of_variant(self.price, self.product_price, self.product_list_price)


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
    ProductVariant.lowest_price_30d,
    Product.currency,
    ProductVariant.stock_quantity.label("stock"),
    SELLABLE.label("on_sale"),
    Product.prime_eligible,
    Product.weight_grams,
    Product.tax_class,
    Product.condition,
    cast(Product.restrictions, Text).label("restrictions"),
    THUMBNAIL.label("thumbnail"),
    *columns_of(OFFERED_LEVELS),
)
# The same as one text, for `offer_of`.
OFFER_TEXT = cast(func.row(*OFFER), Text).label("offer")
OFFERED = join(ProductVariant, Product, Product.product_id == ProductVariant.product_id)
OFFERED_VARIANT = ProductVariant.variant_id
_CARDS = select(*CARD).where(Product.product_id == any_(bindparam("product_ids", type_=ARRAY(Uuid))), LIVE, IN_STOCK)


# There are few warehouses, and few editions of them.
@lru_cache(maxsize=1_000)
def _ids(array: str) -> list[UUID]:
    return [UUID(one) for one in array[1:-1].split(",")]


_id = lru_cache(maxsize=10)(UUID)


def _numbers(array: str) -> list[int]:
    return [int(one) for one in array[1:-1].split(",")]


def _truth(value: str) -> bool:
    return value == "t"


# How the texts of columns are read; the others stay texts.
_READERS: dict[str, Callable[[str], object]] = {
    "product_id": UUID, "variant_id": UUID, "price": Decimal, "product_price": Decimal, "product_list_price": Decimal,
    "lowest_price_30d": Decimal,
    "stock": int, "on_sale": _truth, "prime_eligible": _truth, "weight_grams": int, "warehouses": _ids,
    "available": _numbers, "rooms": orjson.loads, "edition": _id,
}  # fmt: skip
_NAMES = select(*OFFER).selected_columns.keys()
# The place of each field in the text, and its reader.
_FIELDS = [(_NAMES.index(one.name), _READERS.get(one.name)) for one in fields(Offer) if one.init]


@lru_cache(maxsize=KEPT_OFFERS)
def offer_of(text: str) -> Offer:
    """What OFFER_TEXT says. One text is one object, so what is made of an offer can be kept with it. Nothing is out of
    date: a change of what is offered is another text."""
    values = values_of(text)
    read: list[Any] = [  # Any: a value of each field's type
        value if (value := values[place]) is None or reader is None else reader(value) for place, reader in _FIELDS
    ]
    return Offer(*read)


async def cards_of(tx: ReadTx, product_ids: Iterable[UUID]) -> dict[UUID, ProductCard]:
    """Cards by product id of those that are on sale and in stock; the others are absent."""
    cards = await tx.all_as(ProductCard, _CARDS, {"product_ids": list(product_ids)})
    return {card.product_id: card for card in cards}


@dataclass(slots=True, eq=False)
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
