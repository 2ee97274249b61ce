"""Bodies of recommendations: the seed's body, the data needed to show it, and its source."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.kernel.money import Amount
from api.kernel.schemas import Wire


class Recommendation(Wire):
    """`score` falls along the list and is comparable only within it; `reason` is a sentence for the shopper.
    `titleLanguage`: of the title, where it is another than was asked for."""

    product_id: UUID
    title: str
    title_language: str | None
    reason: str
    score: float
    price: Amount
    currency: str
    rating: float
    thumbnail: str
    in_stock: bool


class Recommendations(Wire):
    """`source`: where the list comes from: a source of the recommender's own (`personal`, ...), else `cached`,
    `popular_in_category`, `popular` or `empty`. `modelVersion` is null when no model was asked."""

    recommendations: list[Recommendation]
    source: str
    model_version: str | None


class RankedItem(BaseModel):
    """One item of the recommender's answer, as far as we need it."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    product_id: UUID = Field(alias="productId")
    score: float
    reason: str = Field(max_length=500)


class Ranking(BaseModel):
    """The recommender's answer. An answer of another form is treated as no answer."""

    model_config = ConfigDict(extra="ignore")

    items: list[RankedItem] = Field(max_length=1_000)
    source: str = Field(max_length=50)
    model_version: str = Field(alias="modelVersion", max_length=200)
