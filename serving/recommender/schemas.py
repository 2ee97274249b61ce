"""Requests and answers as JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Source = Literal["personal", "session", "item_to_item", "content", "popular_in_category", "popular", "empty"]
ProductKey = Annotated[str, Field(min_length=1, max_length=64)]


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class ForYouRequest(_Wire):
    """`recent`: products the shopper just viewed, oldest first; they count as newer than all in the online store."""

    user_id: Annotated[str, Field(max_length=64)] | None = None
    recent: Annotated[list[ProductKey], Field(max_length=100)] = Field(default_factory=list)
    limit: Annotated[int, Field(ge=1, le=100_000)] = 20


class RelatedRequest(_Wire):
    """Products that go with one product."""

    product_id: ProductKey
    limit: Annotated[int, Field(ge=1, le=100_000)] = 20


class ScoresRequest(_Wire):
    """What a search found first. `userId` and `recent` (as in ForYouRequest) where the shopper is to count."""

    text: Annotated[str, Field(max_length=1_000)] = ""
    product_ids: Annotated[list[ProductKey], Field(max_length=100)]
    user_id: Annotated[str, Field(max_length=64)] | None = None
    recent: Annotated[list[ProductKey], Field(max_length=100)] = Field(default_factory=list)


class Scores(_Wire):
    """In the order of `productIds`. `similarity`: cosine of text and product, null for one that was not encoded yet.
    `affinity`: 0 to 1, how much a product is the shopper's own. Either is null as a whole when its part is off, late or
    knows nothing."""

    similarity: list[float | None] | None
    affinity: list[float] | None


class RankedItem(_Wire):
    """`score` falls along the list before diversity; comparable only within one answer. `reason` is a sentence for the
    shopper."""

    product_id: str
    score: float
    reason: str


class Ranking(_Wire):
    """`source` names the model or fallback that made the list; `modelVersion` is "none" when no bundle is loaded."""

    items: list[RankedItem]
    source: Source
    model_version: str


class ReloadAnswer(_Wire):
    """`reason` is why the pointer's bundle was refused, null when it serves."""

    loaded: bool
    model_version: str
    reason: str | None = None
