"""Bodies of the offers of an article."""

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer

from api.catalog.offers.featured import Availability, Criterion
from api.catalog.schemas import Condition, DeliveryOption, SellerCard
from api.delivery.schemas import Where
from api.kernel.money import Amount
from api.kernel.pagination import Cursor, PageLimit, PageNumber, PageParams, Pagination
from api.kernel.schemas import Wire

OfferSort = Literal["featured", "total"]
Score = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class OfferParams(Where):
    """Where one unit would go, and which page of the offers."""

    sort: OfferSort = "featured"
    page: PageNumber = 1
    limit: PageLimit = 20
    cursor: Cursor = None

    @property
    def position(self) -> PageParams:
        return PageParams(self.page, self.limit, self.cursor)


class OfferPoints(Wire):
    """What an offer got for one criterion, of at most `most`: see docs/offers.md."""

    criterion: Criterion
    points: Score
    most: int
    words: str = Field(examples=["12.00 in all, the least"])


class Offer(Wire):
    """One seller's product, by the variant that a buyer would get first: the cheapest in stock, else the cheapest that
    may be backordered. `total` is what one unit costs in all, sent to the place that was asked for, `delivery` when it
    arrives; null when it cannot be had there.

    `score` and `points` are those of a candidate to be featured, null and empty for others; `why` says in a sentence
    why it is featured or not. `own`: the caller sells it.
    """

    product_id: UUID
    variant_id: UUID
    seller: SellerCard
    condition: Condition
    attributes: dict[str, str | int | float | bool | list[str] | None]
    gtin: str | None
    price: Amount
    currency: str
    shipping_fee: Amount
    total: Amount
    delivery: DeliveryOption | None
    availability: Availability
    featured: bool
    own: bool
    score: Score | None
    points: list[OfferPoints]
    why: str


class OfferList(Wire):
    """`featured`: the offer that a buyer is shown first, also on later pages; null when none can be had."""

    product_id: UUID
    featured: Offer | None
    offers: list[Offer]
    pagination: Pagination
