"""Bodies of requests and answers about reviews."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from api.kernel.languages import LanguageTag
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.media.schemas import PictureText
from api.reviews.texts import AnswerText, Comment, ReportComment, ReviewTitle

MOST_IMAGES = 5
Status = Literal["published", "queued", "rejected"]
Sort = Literal["helpful", "recent", "rating", "verified"]
Reason = Literal["spam", "abuse", "personal_data", "off_topic", "paid", "other"]
Vote = Literal["helpful", "not_helpful"]
Stars = Annotated[int, Field(ge=1, le=5, examples=[5])]
Images = Annotated[
    list[PictureText],
    Field(max_length=MOST_IMAGES, description="Pictures in base64, or their addresses, which are fetched once"),
]


class ReviewIn(Wire):
    """`language` of the text; without it the shop's own."""

    rating: Stars
    title: ReviewTitle | None = None
    comment: Comment
    images: Images = Field(default_factory=list)
    language: LanguageTag | None = None


class ReviewPatch(Wire):
    """What is sent is changed. `title` null: it has none any more."""

    rating: Stars | None = None
    title: ReviewTitle | None = None
    comment: Comment | None = None
    images: Images | None = None

    @model_validator(mode="after")
    def says_something(self) -> "ReviewPatch":
        if not self.model_fields_set:
            raise ValueError("send what is to be changed: rating, title, comment or images")
        for name in ("rating", "comment", "images"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} must not be null")
        return self


class AnswerIn(Wire):
    text: AnswerText


class ReportIn(Wire):
    reason: Reason
    comment: ReportComment | None = None


class Unsubscribe(Wire):
    """The code of a mail that asked for a review."""

    token: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w-]+$", examples=["AZr..."])]


class ReviewPicture(Wire):
    """A picture in its sizes, for `srcset`: the longest side has at most 160, 480 and 1200 pixels."""

    url160: str
    url480: str
    url1200: str


class Answer(Wire):
    """The seller's, under the name of their store."""

    author: str
    text: str
    created_at: WireTime
    edited_at: WireTime | None


class ReviewBody(Wire):
    """`author` as the public knows them: a first name and an initial. `images`: the largest size of each of `media`.
    `mine`, `vote`: of whoever asks. `origin`: `native`, or `generated` for the examples of a demonstration."""

    review_id: UUID
    product_id: UUID
    rating: int
    title: str | None
    comment: str
    language: str | None
    author: str
    verified_purchase: bool
    helpful_count: int
    not_helpful_count: int
    images: list[str]
    media: list[ReviewPicture]
    answer: Answer | None
    status: Status
    origin: str
    version: int
    created_at: WireTime
    edited_at: WireTime | None
    mine: bool
    vote: Vote | None


class RatingShare(Wire):
    """`share` of all reviews, 0 to 1."""

    rating: int
    count: int
    share: float


class Summary(Wire):
    """`average` of published reviews, 0 without any. `histogram`: five rows, the best first."""

    product_id: UUID
    average: Annotated[float, Field(ge=0, le=5)]
    count: int
    histogram: list[RatingShare]


class ReviewList(Wire):
    """`pagination.total`: of the reviews that the filters let through."""

    reviews: list[ReviewBody]
    summary: Summary
    pagination: Pagination


class OwnReviewList(Wire):
    reviews: list[ReviewBody]
    pagination: Pagination


class EarlierVersion(Wire):
    """What a review said until `changedAt`."""

    version: int
    rating: int
    title: str | None
    comment: str
    images: list[str]
    status: Status
    changed_at: WireTime


class EarlierVersions(Wire):
    review_id: UUID
    versions: list[EarlierVersion]


class Votes(Wire):
    """How a review stands after a vote. `vote`: of whoever asks."""

    review_id: UUID
    helpful_count: int
    not_helpful_count: int
    vote: Vote | None


class Erased(Wire):
    """How many of one's own reviews, votes and reports are gone."""

    reviews: int
    votes: int
    reports: int
