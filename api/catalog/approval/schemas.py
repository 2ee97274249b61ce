"""Bodies of decisions about products."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.kernel.money import Amount
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import Prose

Decided = Literal["approved", "queued", "rejected", "removed"]
Reason = Annotated[Prose, Field(min_length=1, max_length=2_000, examples=["The picture shows another product."])]


class FindingBody(Wire):
    """What speaks against a product, and how much: `rule` of docs/approval.md."""

    rule: str = Field(examples=["unusual-price"])
    score: int
    words: str


class DecisionIn(Wire):
    """`version`: the one that was looked at. A rejection has a reason, which its seller is told."""

    version: Annotated[int, Field(ge=1)]
    decision: Literal["approve", "reject"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.decision == "reject" and self.reason is None:
            raise ValueError("a rejection needs a reason, which the seller is told")
        return self


class Decision(Wire):
    """What was decided about one version of a product. `byAdministrator` is false for what the rules decided; their
    `reason` says why it waits."""

    decision_id: UUID
    product_id: UUID
    version: int
    decision: Decided
    by_administrator: bool
    reason: str | None
    score: int
    findings: list[FindingBody]
    created_at: WireTime


class DecisionList(Wire):
    decisions: list[Decision]
    pagination: Pagination


class Waiting(Wire):
    """A product that waits for an administrator, as it would be sold. `version`: what a decision names."""

    product_id: UUID
    version: int
    seller_id: UUID
    title: str
    brand: str | None
    description: str | None
    category: str = Field(examples=["/Electronics/Phones"])
    price: Amount
    currency: str
    images: list[str]
    specifications: dict[str, object]
    score: int
    findings: list[FindingBody]
    queued_at: WireTime


class WaitingList(Wire):
    """The oldest first."""

    products: list[Waiting]
    pagination: Pagination
