"""Bodies of offer matches."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.catalog.schemas import Condition, Status
from api.kernel.money import Amount
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import Prose

Because = Annotated[Prose, Field(min_length=1, max_length=2_000, examples=["The same model number on both boxes."])]
Verdict = Literal["confirmed", "dismissed"]
MatchState = Literal["open", "confirmed", "dismissed"]


class MatchedProduct(Wire):
    """One of the two products of a match, as an administrator compares them."""

    product_id: UUID
    seller_id: UUID
    title: str
    brand: str | None
    condition: Condition
    price: Amount
    currency: str
    status: Status
    gtins: list[str]
    images: list[str]


class MatchDecisionBody(Wire):
    """`decidedBy`: the administrator's account."""

    decision: Literal["confirmed", "dismissed", "undone"]
    decided_by: UUID
    reason: str | None
    created_at: WireTime


class OfferMatchBody(Wire):
    """Two sellers' products that seem to be one article. `state` is `open` until it is decided, and when that was
    undone. `decisions`: the newest first."""

    product: MatchedProduct
    other_product: MatchedProduct
    state: MatchState
    decisions: list[MatchDecisionBody]
    created_at: WireTime


class OfferMatchList(Wire):
    """The oldest first."""

    matches: list[OfferMatchBody]
    pagination: Pagination


class MatchDecisionIn(Wire):
    """`confirmed`: they are one article. `dismissed`: they are not."""

    decision: Verdict
    reason: Because | None = None
