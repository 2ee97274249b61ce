"""Bodies of the catalog's requests and responses.

List and detail are the seed's bodies; every amount has a `currency`.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from api.catalog.languages.schemas import ChangedTranslations, Description, Title, Translations
from api.catalog.pictures.schemas import MOST_IMAGES, ImageBody
from api.catalog.restrictions.schemas import Restrictions
from api.delivery.promises import Speed
from api.kernel.contacts import Email
from api.kernel.gtin import Gtin
from api.kernel.languages import LanguageTag
from api.kernel.money import Amount, Price, Share
from api.kernel.pagination import Pagination
from api.kernel.schemas import Quantity, Wire, WireDate, WireId, WireTime
from api.kernel.texts import OneLine, Prose, SomeLines
from api.media.schemas import PictureText
from api.pricing.list_price import is_list_price
from api.pricing.tax_table import TaxClass

Sort = Literal["relevance", "popularity", "price_asc", "price_desc", "rating", "newest"]
# The seed's name of a sort stands for one of ours.
AskedSort = Annotated[
    Sort,
    BeforeValidator(lambda value: "price_asc" if value == "price" else value),
    Field(json_schema_extra={"enum": [*get_args(Sort), "price"]}, description="`price` is `price_asc`"),
]
# A seller says draft, active or inactive. What is active is sold, or waits for a decision (`api/catalog/approval`).
Status = Literal["draft", "pending_review", "active", "rejected", "inactive"]
# How it is had, for ever: sent, delivered online, or as the products that it is made of.
Kind = Literal["physical", "digital", "kit"]
Condition = Literal["new", "refurbished", "used_like_new", "used_good", "used_acceptable"]

Label = Annotated[OneLine, Field(min_length=1, max_length=255)]
SpecText = Annotated[Prose, Field(max_length=2_000)]
SpecValue = SpecText | int | float | bool | list[SpecText]
Specifications = Annotated[
    dict[Annotated[OneLine, Field(min_length=1, max_length=100)], SpecValue],
    Field(max_length=100, examples=[{"weight": "1.2 kg", "ports": 3}]),
]
Attributes = Annotated[
    dict[
        Annotated[OneLine, Field(min_length=1, max_length=50)],
        Annotated[OneLine, Field(min_length=1, max_length=200)],
    ],
    Field(max_length=20, examples=[{"color": "Natural Titanium", "storage": "256GB"}]),
]


def sku_text(value: object) -> object:
    """The SKU as it is stored: in one form of Unicode, without spaces around it and with one between words."""
    return re.sub(" +", " ", unicodedata.normalize("NFKC", value).strip(" ")) if isinstance(value, str) else value


Sku = Annotated[
    str,
    BeforeValidator(sku_text),
    Field(min_length=1, max_length=100, pattern=r"^[\w./-]+( [\w./-]+)*$", examples=["IPHONE15-PRO-256-TI"]),
]
MOST_UNITS = 1_000_000
Grams = Annotated[int, Field(ge=1, le=1_000_000, examples=[350])]


class ProductCard(Wire):
    """One product of a list. `price` is the least of the variants that fulfil what was asked. `titleLanguage`: of the
    title, where it is another than was asked for."""

    product_id: UUID
    title: str
    title_language: str | None = None
    brand: str | None
    price: Amount
    currency: str
    rating: Annotated[float, Field(ge=0, le=5)]
    review_count: int
    thumbnail: str
    prime_eligible: bool
    in_stock: bool
    condition: Condition


class PriceRange(Wire):
    """`range` is `LOWER-UPPER`, both inclusive as in the filters: a price on an edge is in two. The last one is open.
    `count` is of products, at any price at which they are offered."""

    range: str = Field(examples=["500-1000"])
    count: int


class RatingStep(Wire):
    """Products rated `rating` or better."""

    rating: int
    count: int


class ProductFilters(Wire):
    """The filters within the category, most frequent brand first."""

    brands: list[str]
    price_ranges: list[PriceRange]
    ratings: list[RatingStep]


class ProductList(Wire):
    products: list[ProductCard]
    pagination: Pagination
    filters: ProductFilters


# Of a price that was reduced.
LowestPrice = Annotated[Amount | None, Field(alias="lowestPrice30d")]


class Variant(Wire):
    """`stock` = units that can be sold now, over all warehouses. `ownPrice` is null where the variant costs what its
    product does: what PUT takes as its `price`. `lowestPrice30d`: the least that it cost in the 30 days before its
    price was last reduced, null when it never was. `backordered`: there are none in stock, and one may be ordered that
    comes later."""

    variant_id: UUID
    attributes: dict[str, str | int | float | bool | list[str] | None]
    price: Amount
    own_price: Amount | None
    lowest_price_30d: LowestPrice
    sku: str
    gtin: str | None
    stock: int
    backordered: bool


class ComponentBody(Wire):
    """What one unit of a kit has: `units` of another variant, of which `stock` can be sold now. Without those that are
    not `forSale` any more the kit cannot be bought."""

    variant_id: UUID
    product_id: UUID
    title: str
    sku: str
    units: int
    stock: int
    for_sale: bool


class OfferedVariant(Variant):
    """`standardFrom` and `standardTo`: of a backordered variant, the days on which one unit arrives where `shipping` is
    for; null for the others. `components`: of a kit, whose `stock` is what there is of them; null for the others."""

    standard_from: WireDate | None
    standard_to: WireDate | None
    components: list[ComponentBody] | None


class VariantList(Wire):
    product_id: UUID
    currency: str
    variants: list[Variant]


class SellerCard(Wire):
    seller_id: UUID
    name: str
    rating: Annotated[float, Field(ge=0, le=5)]


class DeliveryOption(Wire):
    """A speed that can be had: its `fee`, and the days from which to which it arrives when it is ordered before
    `orderBy`. `text` says the days in words."""

    speed: Speed
    fee: Amount
    text: str = Field(examples=["Tue, Dec 1 - Thu, Dec 3"])
    from_: Annotated[WireDate, Field(alias="from")]
    to: WireDate
    order_by: WireTime


class Shipping(Wire):
    """What one unit of the cheapest variant in stock costs to send and when it arrives, in the shop's own market or
    where the caller asked for.

    `primeDelivery` is what members of Prime get, null for what takes no part in it or is not offered there.
    `freeShipping` and `fee` are the caller's at the standard speed, `options` what the caller can choose: nothing where
    it is delivered online, on the day of the order. Without units in stock there are no days, unless one may be
    backordered: then `backordered` is true.
    """

    prime_delivery: str | None
    prime_speed: Speed | None
    prime_from: WireDate | None
    prime_to: WireDate | None
    standard_delivery: str
    standard_from: WireDate | None
    standard_to: WireDate | None
    backordered: bool
    free_shipping: bool
    fee: Amount
    options: list[DeliveryOption]


class ProductTax(Wire):
    """The tax of one unit at `price`: `amount` is in the price when `included`, and on top of it otherwise."""

    tax_class: TaxClass
    rate: Share
    amount: Amount
    included: bool


class Breadcrumb(Wire):
    """`nameLanguage`: of the name, where it is another than was asked for."""

    category_id: WireId
    name: str
    path: str
    name_language: str | None = None


class Responsible(Wire):
    """A maker, or who answers for a product within the market: by name, and how to reach them."""

    name: Label
    address: Annotated[SomeLines, Field(min_length=1, max_length=500, examples=["1 Mill Lane, Leeds, GB"])]
    email: Email


class Safety(Wire):
    """What buyers may know of a product's safety."""

    manufacturer: Responsible
    responsible_person: Responsible | None = None
    warnings: Annotated[
        list[Annotated[OneLine, Field(min_length=1, max_length=500, examples=["Not for children under 3 years."])]],
        Field(max_length=20),
    ] = Field(default_factory=list)


class OptionValue(Wire):
    """`available`: some variant with this value can be bought. `image`: the smallest size of a picture of one."""

    value: str
    available: bool
    image: str | None


class ProductOption(Wire):
    """What a buyer chooses: the name of an attribute, and the values that the variants have."""

    name: str
    values: list[OptionValue]


class Combination(Wire):
    """The values of a variant by option. `available`: it can be bought; what is not there is not made."""

    values: dict[str, str]
    variant_id: UUID
    available: bool


class OtherOffers(Wire):
    """What else is in stock of the same article: `count` products, of other sellers or in another condition, and the
    least price of them, null without any. `GET /products/{productId}/offers` has each."""

    count: int
    from_: Annotated[Amount | None, Field(alias="from")]


class ProductDetail(Wire):
    """`price` is the least of the variants in stock, or of all when none is, as in lists; `listPrice` is that one's,
    and `discount` is in whole per cent of it. `basePrice` and `baseListPrice` are the product's own: what PUT takes as
    its `price` and `listPrice`. `lowestPrice30d` is the least of those of the
    variants that cost `price`. `images` leads to the largest size of each picture in `media`.
    `statusReason`, for its seller: why it waits for an administrator, or was rejected; null for what is on sale.

    `language` is the one in which the page is; `fallbacks` names the texts that are in another one, with theirs.
    `labels` says how names and values of attributes and specifications are shown in it, where that is not as they are.
    `translations`, for its seller, is what PUT takes.

    `options` and `combinations` are for a picker: see there.
    """

    product_id: UUID
    title: str
    description: str | None
    brand: str | None
    category: str = Field(examples=["Electronics > Phones"])
    category_id: UUID
    breadcrumbs: list[Breadcrumb]
    price: Amount
    list_price: Amount | None
    base_price: Amount
    base_list_price: Amount | None
    lowest_price_30d: LowestPrice
    currency: str
    discount: int
    variants: list[OfferedVariant]
    images: list[str]
    media: list[ImageBody]
    specifications: dict[str, object]
    seller: SellerCard
    safety: Safety | None
    shipping: Shipping
    tax: ProductTax
    rating: float
    review_count: int
    prime_eligible: bool
    tax_class: TaxClass
    weight_grams: int | None
    condition: Condition
    restrictions: Restrictions | None
    kind: Kind
    in_stock: bool
    status: Status
    status_reason: str | None = None
    options: list[ProductOption]
    combinations: list[Combination]
    other_offers: OtherOffers
    language: str
    fallbacks: dict[str, str] = Field(examples=[{"description": "en"}])
    labels: dict[str, str]
    translations: dict[str, object] | None = None


class ComponentIn(Wire):
    """`units` of one's own variant, named by `variantId` or by `sku`, in one unit of a kit."""

    variant_id: WireId | None = None
    sku: Sku | None = None
    units: Quantity = 1

    @model_validator(mode="after")
    def _names_one(self) -> "ComponentIn":
        if (self.variant_id is None) == (self.sku is None):
            raise ValueError("name the variant by variantId or by sku")
        return self


class VariantIn(Wire):
    """One variant, found by `variantId`, else by `sku`, else by equal `attributes`; what none of them finds is new.

    `price` is its own; without one, or with null, it costs what the product does, whatever that becomes. Without `sku`
    a new variant gets one. `stock` sets the sellable units, `stockChange` adds to them or takes away; without either
    they stay as they are. `components`: what one unit of a kit's variant has; that has no stock of its own.
    """

    variant_id: WireId | None = None
    sku: Sku | None = None
    gtin: Gtin | None = None
    attributes: Attributes = Field(default_factory=dict)
    price: Price | None = None
    stock: Annotated[int, Field(ge=0, le=MOST_UNITS, examples=[50])] | None = None
    stock_change: Annotated[int, Field(ge=-MOST_UNITS, le=MOST_UNITS, examples=[-3])] | None = None
    components: Annotated[list[ComponentIn], Field(min_length=2, max_length=20)] | None = None

    @field_validator("stock_change", mode="after")
    @classmethod
    def _is_alone(cls, value: int | None, known: ValidationInfo) -> int | None:
        if value is not None and known.data.get("stock") is not None:
            raise ValueError("send stock or stockChange, not both")
        return value


class VariantPatch(VariantIn):
    """What was sent of one variant: the fields that are absent keep their values. It is found as in a complete product;
    what is not found is added."""


class ProductIn(Wire):
    """A complete product, as POST and PUT take it. `category` is an id, a path (`/Electronics/Phones`) or a name.

    `variants` are all that it has: PUT removes every other one. Without any it has one, without attributes. `images`
    are the product's own addresses as GET gives them, pictures in base64, or addresses elsewhere, which are fetched
    once. `language` is that of its own texts, the shop's without one; `translations` are into others. A `digital`
    product is delivered online for ever: its stock is the number of its licence keys, or its file.
    """

    title: Title
    description: Description | None = None
    category: Annotated[OneLine, Field(min_length=1, max_length=1_000)]
    brand: Label | None = None
    price: Price
    list_price: Price | None = None
    variants: Annotated[list[VariantIn], Field(max_length=100)] = Field(default_factory=list)
    images: Annotated[list[PictureText], Field(max_length=MOST_IMAGES)] = Field(default_factory=list)
    specifications: Specifications = Field(default_factory=dict)
    prime_eligible: bool = False
    tax_class: TaxClass = "standard"
    weight_grams: Grams | None = None
    condition: Condition = "new"
    restrictions: Restrictions | None = None
    kind: Kind = "physical"
    status: Status = "active"
    language: LanguageTag | None = None
    translations: Translations | None = None

    @field_validator("list_price", mode="after")
    @classmethod
    def _is_higher(cls, value: Decimal | None, known: ValidationInfo) -> Decimal | None:
        # Without a valid price there is nothing to compare with.
        if "price" in known.data and not is_list_price(value, known.data["price"]):
            raise ValueError("must not be lower than price")
        return value


class ProductPatch(Wire):
    """Fields that are not sent keep their values, and so do variants that are not named, and the languages and fields
    of `translations`; null takes one away."""

    title: Title = ""
    description: Description | None = None
    category: Annotated[OneLine, Field(min_length=1, max_length=1_000)] = ""
    brand: Label | None = None
    price: Price | None = None
    list_price: Price | None = None
    variants: Annotated[list[VariantPatch], Field(max_length=100)] = Field(default_factory=list)
    images: Annotated[list[PictureText], Field(max_length=MOST_IMAGES)] = Field(default_factory=list)
    specifications: Specifications = Field(default_factory=dict)
    prime_eligible: bool = False
    tax_class: TaxClass = "standard"
    weight_grams: Grams | None = None
    condition: Condition = "new"
    restrictions: Restrictions | None = None
    kind: Kind = "physical"
    status: Status = "active"
    language: LanguageTag | None = None
    translations: ChangedTranslations | None = None


class CategoryNode(Wire):
    """`nameLanguage`: of the name, where it is another than was asked for."""

    category_id: UUID
    name: str
    path: str
    level: int
    children: list["CategoryNode"]
    name_language: str | None = None


class CategoryTree(Wire):
    categories: list[CategoryNode]
