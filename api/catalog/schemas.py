"""Bodies of the catalog's requests and responses.

List and detail are the seed's bodies; every amount has a `currency`.
"""

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from api.kernel.money import Amount, Price
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire
from api.kernel.texts import OneLine, Prose, one_line
from api.pricing.list_price import is_list_price

Sort = Literal["relevance", "popularity", "price_asc", "price_desc", "rating", "newest"]
Status = Literal["draft", "active", "inactive"]

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
ImageUrl = Annotated[
    str,
    Field(max_length=1_000, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$", examples=["https://cdn.example.com/1.jpg"]),
    AfterValidator(one_line),
]


class ProductCard(Wire):
    """One product of a list."""

    product_id: UUID
    title: str
    brand: str | None
    price: Amount
    currency: str
    rating: Annotated[float, Field(ge=0, le=5)]
    review_count: int
    thumbnail: str
    prime_eligible: bool
    in_stock: bool


class PriceRange(Wire):
    """`range` is `LOWER-UPPER`, upper exclusive; the last one is open."""

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


class Variant(Wire):
    """`stock` = units that can be sold now, over all warehouses."""

    variant_id: UUID
    attributes: dict[str, str | int | float | bool | list[str] | None]
    price: Amount
    sku: str
    stock: int


class VariantList(Wire):
    product_id: UUID
    currency: str
    variants: list[Variant]


class SellerCard(Wire):
    seller_id: UUID
    name: str
    rating: Annotated[float, Field(ge=0, le=5)]


class Shipping(Wire):
    """Delivery promises as text; `primeDelivery` is null for products without Prime."""

    prime_delivery: str | None
    standard_delivery: str
    free_shipping: bool


class ProductDetail(Wire):
    """`discount` is in whole per cent of `listPrice`."""

    product_id: UUID
    title: str
    description: str | None
    brand: str | None
    category: str = Field(examples=["Electronics > Phones"])
    category_id: UUID
    price: Amount
    list_price: Amount | None
    currency: str
    discount: int
    variants: list[Variant]
    images: list[str]
    specifications: dict[str, object]
    seller: SellerCard
    shipping: Shipping
    rating: float
    review_count: int
    prime_eligible: bool
    in_stock: bool
    status: Status


class VariantIn(Wire):
    """Without `price` the variant has the product's price; without `sku` one is generated.

    `stock` sets the sellable units; a new variant without it has none.
    """

    sku: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._/-]+$")] | None = None
    attributes: Attributes = Field(default_factory=dict)
    price: Price | None = None
    stock: Annotated[int, Field(ge=0, le=1_000_000, examples=[50])] | None = None


class ProductIn(Wire):
    """A complete product, as POST and PUT take it. `category` is an id, a path (`/Electronics/Phones`) or a name."""

    title: Annotated[OneLine, Field(min_length=1, max_length=500, examples=["Noise-cancelling headphones"])]
    description: Annotated[Prose, Field(max_length=20_000)] | None = None
    category: Annotated[OneLine, Field(min_length=1, max_length=1_000)]
    brand: Label | None = None
    price: Price
    list_price: Price | None = None
    variants: Annotated[list[VariantIn], Field(max_length=100)] = Field(default_factory=list)
    images: Annotated[list[ImageUrl], Field(max_length=10)] = Field(default_factory=list)
    specifications: Specifications = Field(default_factory=dict)
    prime_eligible: bool = False
    status: Status = "active"

    @field_validator("list_price", mode="after")
    @classmethod
    def _is_higher(cls, value: Decimal | None, known: ValidationInfo) -> Decimal | None:
        # Without a valid price there is nothing to compare with.
        if "price" in known.data and not is_list_price(value, known.data["price"]):
            raise ValueError("must not be lower than price")
        return value


class ProductPatch(Wire):
    """Fields that are not sent keep their values.

    Variants are matched by `sku`: known ones change, new ones are added, none is removed.
    """

    title: Annotated[OneLine, Field(min_length=1, max_length=500)] = ""
    description: Annotated[Prose, Field(max_length=20_000)] | None = None
    category: Annotated[OneLine, Field(min_length=1, max_length=1_000)] = ""
    brand: Label | None = None
    price: Price | None = None
    list_price: Price | None = None
    variants: Annotated[list[VariantIn], Field(max_length=100)] = Field(default_factory=list)
    images: Annotated[list[ImageUrl], Field(max_length=10)] = Field(default_factory=list)
    specifications: Specifications = Field(default_factory=dict)
    prime_eligible: bool = False
    status: Status = "active"


class CategoryNode(Wire):
    category_id: UUID
    name: str
    path: str
    level: int
    children: list["CategoryNode"]


class CategoryTree(Wire):
    categories: list[CategoryNode]
