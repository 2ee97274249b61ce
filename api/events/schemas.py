"""Bodies of requests and responses about behaviour events."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from api.kernel.schemas import Quantity, Wire, WireId
from api.kernel.texts import OneLine, prose

EventType = Literal["view", "click", "impression", "addToCart", "search", "purchase"]
Word = Annotated[OneLine, Field(min_length=1, max_length=100)]
# What somebody typed or pasted. A batch is refused as a whole, so less is refused here than in other lines.
Query = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"), AfterValidator(prose)]
MAX_EVENTS = 500


class BehaviourEvent(Wire):
    """All but `search` are about a product; `search` is about a query.

    `eventId` lets a client repeat a batch safely.
    """

    type: EventType
    event_id: WireId | None = None
    product_id: WireId | None = None
    query: Query | None = None
    occurred_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    session_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,128}$")] | None = None
    source: Word | None = None
    campaign: Word | None = None
    position: Annotated[int, Field(ge=0, le=100_000)] | None = None
    quantity: Quantity | None = None
    order_id: WireId | None = None
    result_count: Annotated[int, Field(ge=0, le=2_000_000_000, description="Hits of a search")] | None = None
    search_id: (
        Annotated[WireId, Field(description="Of the answer whose results it is about: its header `X-Search-Id`")] | None
    ) = None

    @model_validator(mode="after")
    def _has_its_subject(self) -> "BehaviourEvent":
        if self.type == "search" and self.query is None:
            raise ValueError("a search needs its query")
        if self.type != "search" and self.product_id is None:
            raise ValueError(f"{self.type} needs a productId")
        return self


class EventBatch(Wire):
    events: Annotated[
        list[BehaviourEvent],
        Field(
            min_length=1,
            max_length=MAX_EVENTS,
            examples=[[{"type": "view", "productId": str(UUID(int=7)), "source": "search"}]],
        ),
    ]


class Accepted(Wire):
    """How many events were kept; fewer than sent only when the stream is unavailable or full and the spool is full."""

    accepted: int
