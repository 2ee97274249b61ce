"""Bodies of the moderation of reviews."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from api.kernel.card_numbers import refuse_card_number
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import Prose
from api.reviews.schemas import Status

Cause = Literal["submitted", "edited", "language", "suspected", "reported", "administrator", "reopened", "appeal"]
Words = Annotated[Prose, Field(min_length=1, max_length=2_000), AfterValidator(refuse_card_number)]
Statement = Annotated[Words, Field(examples=["It is about the carrier, not about the product."])]
Score = Annotated[float, Field(ge=0, le=1)]


class FindingBody(Wire):
    """A rule that holds for a review, and how much it weighs, 0 to 1."""

    rule: str
    weight: Score
    words: str


class ReviewVerdict(Wire):
    """A decision about one version of a review. `statement`: an administrator's reasons; `reasons`: what the rules
    found."""

    decision_id: UUID
    review_id: UUID
    version: int
    cause: Cause
    decision: Status
    score: Score
    reasons: list[FindingBody]
    statement: str | None
    by_administrator: bool
    created_at: WireTime


class ReviewCase(Wire):
    """What was decided about a review, the newest first. `appealable`: its author may appeal, once."""

    review_id: UUID
    status: Status
    decisions: list[ReviewVerdict]
    appeal: str | None
    appealable: bool


class ReviewDecisionIn(Wire):
    """What becomes of a review as it was seen. Its author is told `statement`, which a rejection needs."""

    version: Annotated[int, Field(ge=1)]
    decision: Literal["publish", "reject"]
    statement: Statement | None = None

    @model_validator(mode="after")
    def says_why(self) -> "ReviewDecisionIn":
        if self.decision == "reject" and self.statement is None:
            raise ValueError("send statement: the author is told why it is rejected")
        return self


class ReopenIn(Wire):
    """Why a review is looked at again. Its author is told."""

    statement: Statement


class AppealIn(Wire):
    comment: Annotated[Words, Field(examples=["I bought it elsewhere, and describe how it broke."])]


class WaitingReview(Wire):
    """A review that waits for an administrator. `version`: what a decision names. `status`: what the public sees of it
    until then. `reports`: how many shoppers reported it. `quarantinedVotes`: votes on it that do not count."""

    review_id: UUID
    product_id: UUID
    seller_id: UUID
    product: str
    author: str
    version: int
    rating: int
    title: str | None
    comment: str
    images: list[str]
    verified_purchase: bool
    account_opened_at: WireTime | None
    status: Status
    cause: Cause
    score: Score
    reasons: list[FindingBody]
    appeal: str | None
    reports: int
    quarantined_votes: int
    created_at: WireTime
    queued_at: WireTime


class WaitingReviewList(Wire):
    """Those that have waited longest first."""

    reviews: list[WaitingReview]
    pagination: Pagination


class BuyersOnlyIn(Wire):
    """Whether only those may review who received it here."""

    buyers_only: bool


class VotesReleased(Wire):
    """Votes that count again."""

    review_id: UUID
    released: int
    helpful_count: int
    not_helpful_count: int
