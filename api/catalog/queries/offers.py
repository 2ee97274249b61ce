"""Offers for carts, as columns of a larger statement, and cards for recommendations, one statement for any number."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, func, join, select, true
from sqlalchemy.orm import InstrumentedAttribute

from api.catalog.kits.apportioning import Priced, apportioned
from api.catalog.kits.models import KitComponent
from api.catalog.models import Category, Product, ProductVariant
from api.catalog.purchase import Wanted
from api.catalog.queries.listing import CARD, IN_STOCK, LIVE, SELLABLE, THUMBNAIL, TITLES, Card
from api.catalog.restrictions.rules import Limits, limits_of
from api.delivery.promises import Origin
from api.inventory.queries import Stocked, columns_of, levels_of
from api.kernel.db import ReadTx
from api.kernel.languages import Reader
from api.kernel.rows import values_of
from api.pricing import list_price

# Offers as texts that a process knows how to read already: some 3 kB each.
KEPT_OFFERS = 10_000


@dataclass(slots=True, eq=False)
class Offer(Stocked):
    """A variant as it is offered now: the columns OFFER of a row of OFFERED. `stock` in units, `attributes`,
    `restrictions` and `titles` as JSON, those in other languages than `language`, the product's own.

    One that is removed or of a withdrawn product is there too, with `on_sale` False. Nobody changes it: many carts may
    share it. `kit`: what one unit of a kit has, once that was read.
    """

    product_id: UUID
    variant_id: UUID
    title: str
    language: str | None
    titles: str | None
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
    kind: str
    kit: "Kit | None" = field(init=False, default=None, repr=False)
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
            parts=self.kit.parts(self.price, origins) if self.kit else (),
            digital=self.kind == "digital",
        )
        if self.rooms is None:  # when units that are owed come depends on the day
            self._last_wanted = made
        return made

    def made_of(self, kit: "Kit") -> None:
        """Say what a kit is made of, which was read after it. Only of an offer that nobody shares."""
        self.kit, self.stock, self._last_wanted = kit, kit.stock, None

    def title_for(self, reader: Reader) -> tuple[str, str | None]:
        """As `Reader.text`."""
        translated = None if self.titles is None else orjson.loads(self.titles).get(reader.language)
        return reader.text(self.title, translated, self.language)

    @property
    def to_be_had(self) -> int:
        """How many units of it can be ordered: those that can be sent now, and those that may be backordered."""
        if self.kit is not None:
            return self.kit.to_be_had
        return self.stock + self.may_be_owed

    @property
    def digital(self) -> bool:
        """Whether it is delivered online, a kit all of it."""
        if self.kit is not None and self.kit.components:
            return all(one.digital for one in self.kit.components)
        return self.kind == "digital"

    @property
    def limits(self) -> Limits | None:
        """To whom and where it is sold; None: to everybody, everywhere. A kit also as its components are."""
        return None if self.restrictions is None else limits_of(self.restrictions)

    @property
    def all_limits(self) -> list[Limits]:
        """Its own, and those of its components."""
        each = (self, *self.kit.components) if self.kit else (self,)
        return [limits for one in each if (limits := one.limits) is not None]

    @property
    def min_age(self) -> int | None:
        """From which age on it is sold."""
        return max((limits.min_age for limits in self.all_limits if limits.min_age is not None), default=None)

    def barred_in(self, country: str) -> bool:
        """Whether it is not sold there."""
        if self.restrictions is None and self.kit is None:
            return False
        return any(limits.bar(country) for limits in self.all_limits)

    @property
    def list_price(self) -> Decimal | None:
        """Per unit."""
        return list_price.of_variant(self.price, self.product_price, self.product_list_price)


OFFERED_LEVELS = levels_of(ProductVariant.variant_id)
OFFER = (
    Product.product_id,
    ProductVariant.variant_id,
    Product.title,
    Product.language,
    cast(TITLES, Text).label("titles"),
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
    Product.kind,
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


async def cards_of(tx: ReadTx, product_ids: Iterable[UUID]) -> dict[UUID, Card]:
    """Cards by product id of those that are on sale and in stock; the others are absent."""
    cards = await tx.all_as(Card, _CARDS, {"product_ids": list(product_ids)})
    return {card.product_id: card for card in cards}


@dataclass(slots=True, eq=False)
class Sold(Offer):
    """An offer with the seller of its product."""

    seller_id: UUID


@dataclass(slots=True, eq=False)
class Component(Sold):
    """`units` of a variant in one unit of the kit. `category`: the path of its product's."""

    kit_id: UUID
    units: int
    category: str


@dataclass(frozen=True, slots=True, eq=False)
class Kit:
    """A variant that is made of these."""

    components: Sequence[Component]

    @property
    def withdrawn(self) -> Component | None:
        """The first that is not for sale any more; without it the kit cannot be bought."""
        return next((one for one in self.components if not one.on_sale), None)

    def why_not(self, units: int) -> str | None:
        """Why so many of it cannot be bought, in words."""
        gone = self.withdrawn
        if gone is not None:
            return f"its component {gone.title} is not for sale any more"
        short = next((one for one in self.components if one.to_be_had < one.units * units), None)
        if short is None:
            return None
        return f"there are {short.to_be_had} of its component {short.title}, and {short.units * units} are needed"

    @property
    def stock(self) -> int:
        """How many of it there are: as many as every component is enough for."""
        return 0 if self.withdrawn else min((one.stock // one.units for one in self.components), default=0)

    @property
    def to_be_had(self) -> int:
        """How many can be ordered: what its components have, and what may be backordered of them."""
        return 0 if self.withdrawn else min((one.to_be_had // one.units for one in self.components), default=0)

    @property
    def edition(self) -> UUID | None:
        """Of the warehouses."""
        return self.components[0].edition if self.components else None

    def parts(self, price: Decimal, origins: Mapping[UUID, Origin]) -> tuple[Wanted, ...]:
        """What one unit of the kit at that price consists of: units of each component by what they cost in it."""
        if not self.components:
            return ()
        prices = apportioned(price, [Priced(one.units, one.price) for one in self.components])
        return tuple(
            one.wanted(part.units, origins)._replace(price=part.price)
            for one, parts in zip(self.components, prices, strict=True)
            for part in parts
        )


NO_KITS: Mapping[UUID, Kit] = {}


@dataclass(slots=True)
class Taking:
    """What is left of variants of which several lines of a purchase want units: by themselves, and in kits."""

    taken: dict[UUID, int] = field(default_factory=dict)

    def left(self, offer: Offer) -> int:
        """How many of it can still be ordered."""
        return max(min((one.to_be_had - self.taken.get(one.variant_id, 0)) // units for one, units in _of(offer)), 0)

    def take(self, offer: Offer, units: int) -> None:
        for one, in_each in _of(offer):
            self.taken[one.variant_id] = self.taken.get(one.variant_id, 0) + in_each * units


def _of(offer: Offer) -> list[tuple[Offer, int]]:
    """The variants that one unit of it takes, and how many of each."""
    if offer.kit is None or not offer.kit.components:
        return [(offer, 1)]
    return [(one, one.units) for one in offer.kit.components]


_SOLD = (
    select(*OFFER, Product.seller_id)
    .select_from(OFFERED)
    .join(OFFERED_LEVELS, true())
    .where(ProductVariant.variant_id == any_(bindparam("variant_ids", type_=ARRAY(Uuid))))
)
_KIT: InstrumentedAttribute[UUID] = KitComponent.variant_id
_OF_KITS = (
    select(*OFFER, Product.seller_id, _KIT.label("kit_id"), KitComponent.units, Category.path.label("category"))
    .select_from(KitComponent)
    .join(ProductVariant, ProductVariant.variant_id == KitComponent.component_id)
    .join(Product, Product.product_id == ProductVariant.product_id)
    .join(Category, Category.category_id == Product.category_id)
    .join(OFFERED_LEVELS, true())
    .where(any_(bindparam("variant_ids", type_=ARRAY(Uuid))) == _KIT)
    .order_by(_KIT, KitComponent.position)
)


async def sold_now(tx: ReadTx, variant_ids: Iterable[UUID]) -> dict[UUID, Sold]:
    """These variants as they are offered now, by id; removed ones and those of withdrawn products too. A kit has what
    it is made of."""
    offers = {offer.variant_id: offer for offer in await tx.all_as(Sold, _SOLD, {"variant_ids": list(variant_ids)})}
    kits = [offer.variant_id for offer in offers.values() if offer.kind == "kit"]
    if kits:
        for variant_id, kit in (await kits_of(tx, kits)).items():
            offers[variant_id].made_of(kit)
    return offers


async def kits_of(tx: ReadTx, variant_ids: Iterable[UUID]) -> dict[UUID, Kit]:
    """What these variants of kits are made of, by their ids: one statement."""
    found: dict[UUID, list[Component]] = {variant_id: [] for variant_id in variant_ids}
    for one in await tx.all_as(Component, _OF_KITS, {"variant_ids": list(found)}):
        found[one.kit_id].append(one)
    return {kit: Kit(components) for kit, components in found.items()}
