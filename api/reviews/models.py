"""Tables of reviews, in the seed's words.

Texts are in `reviews`, a table of partitions by month: one is written at the end of the newest, and read by its
product. Everything that is looked up otherwise, and everything that leaves Postgres, is in narrow rows of
`reviews_by_user`. A review is one row of each, written by the same statements.
"""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Numeric,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, NOT_PERSONAL, SECRET, CreatedAt, Id, Instant, Origin, UpdatedAt
from api.kernel.db import Base

STATUSES = ("published", "queued", "rejected")
STARS = (1, 2, 3, 4, 5)
_STATUS = f"status IN ({', '.join(repr(status) for status in STATUSES)})"
_PUBLISHED = text("status = 'published'")
_ZERO = text("0")


class Review(Base):
    """What was written. `helpful_count` and `not_helpful_count` = its rows of `review_votes` that count; `helpfulness`
    follows from both. `score`: what moderation gave it, 0 to 1. `images`: names of pictures."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
        CheckConstraint(_STATUS, name="status"),
        CheckConstraint("helpful_count >= 0 AND not_helpful_count >= 0", name="counts"),
        Index(
            "ix_reviews_helpful",
            "product_id",
            "helpfulness",
            "created_at",
            "review_id",
            postgresql_where=_PUBLISHED,
        ),
        Index("ix_reviews_rating", "product_id", "rating", "created_at", "review_id", postgresql_where=_PUBLISHED),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )
    # Texts stay here; Postgres publishes partitions otherwise than plain tables. The lake has `reviews_by_user`.
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True)
    review_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    seller_id: Mapped[UUID]
    # The order in which it was delivered to its author.
    order_id: Mapped[UUID | None]
    rating: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str | None] = mapped_column(String(150), info=FREE_TEXT)
    comment: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    language: Mapped[str | None] = mapped_column(String(35), info=NOT_PERSONAL)
    images: Mapped[list[str]] = mapped_column(ARRAY(String(41)), server_default=text("'{}'"), info=NOT_PERSONAL)
    verified_purchase: Mapped[bool] = mapped_column(server_default=text("false"))
    helpful_count: Mapped[int] = mapped_column(server_default=_ZERO)
    not_helpful_count: Mapped[int] = mapped_column(server_default=_ZERO)
    helpfulness: Mapped[float] = mapped_column(Double, server_default=_ZERO)
    status: Mapped[str] = mapped_column(String(10), info=NOT_PERSONAL)
    score: Mapped[float] = mapped_column(Double, server_default=_ZERO)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    edited_at: Mapped[Instant | None]
    origin: Mapped[Origin]


class ReviewByUser(Base):
    """The same review, found by its author, its id or its product: one of each author and product.

    `text_digest` is equal for texts of equal words, so that copies are seen.
    """

    __tablename__ = "reviews_by_user"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
        CheckConstraint(_STATUS, name="status"),
        UniqueConstraint("review_id"),
        Index("ix_reviews_by_user_newest", "user_id", "created_at", "review_id"),
        Index("ix_reviews_by_user_stars", "product_id", "status", "rating"),
        Index("ix_reviews_by_user_text", "text_digest"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    review_id: Mapped[UUID]
    seller_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    rating: Mapped[int] = mapped_column(SmallInteger)
    verified_purchase: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(String(10), info=NOT_PERSONAL)
    text_digest: Mapped[str] = mapped_column(String(32), info=SECRET)
    origin: Mapped[Origin]
    created_at: Mapped[Instant]
    updated_at: Mapped[UpdatedAt]


class ReviewVersion(Base):
    """What a review said before an edit; `created_at`: when that ended."""

    __tablename__ = "review_versions"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),)
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="review_id")

    review_id: Mapped[UUID] = mapped_column(
        ForeignKey("reviews_by_user.review_id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True)
    rating: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str | None] = mapped_column(String(150), info=FREE_TEXT)
    comment: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    images: Mapped[list[str]] = mapped_column(ARRAY(String(41)), info=NOT_PERSONAL)
    status: Mapped[str] = mapped_column(String(10), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]


class ReviewVote(Base):
    """A shopper found a review helpful, or not. `address`, `device`: digests of where the vote came from. `standing`:
    `quarantined` ones are of a brigade and count no more, `released` ones were, and count for good."""

    __tablename__ = "review_votes"
    __table_args__ = (
        CheckConstraint("standing IN ('counted', 'quarantined', 'released')", name="standing"),
        Index("ix_review_votes_newest", "created_at", "review_id"),
    )

    review_id: Mapped[UUID] = mapped_column(
        ForeignKey("reviews_by_user.review_id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, index=True)
    helpful: Mapped[bool]
    address: Mapped[str | None] = mapped_column(String(32), info=NOT_PERSONAL)
    device: Mapped[str | None] = mapped_column(String(32), info=NOT_PERSONAL)
    standing: Mapped[str] = mapped_column(String(12), server_default=text("'counted'"), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ReviewAnswer(Base):
    """What the product's seller answers: one, changed as often as they want."""

    __tablename__ = "review_answers"
    __unpublished__ = True

    review_id: Mapped[UUID] = mapped_column(
        ForeignKey("reviews_by_user.review_id", ondelete="CASCADE"), primary_key=True
    )
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    created_at: Mapped[CreatedAt]
    edited_at: Mapped[Instant | None]


class ReviewReport(Base):
    """A shopper says that a review should not be there."""

    __tablename__ = "review_reports"
    __table_args__ = (
        CheckConstraint(
            "reason IN ('spam', 'abuse', 'personal_data', 'off_topic', 'paid', 'other')",
            name="reason",
        ),
    )
    __unpublished__ = True

    review_id: Mapped[UUID] = mapped_column(
        ForeignKey("reviews_by_user.review_id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(String(20))
    comment: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)
    created_at: Mapped[CreatedAt]


class ProductRating(Base):
    """How many published reviews gave a product so many stars. It follows each review within a second."""

    __tablename__ = "product_ratings"
    __table_args__ = (
        CheckConstraint(
            " AND ".join(f"stars_{stars} >= 0" for stars in STARS),
            name="counts",
        ),
    )

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    stars_1: Mapped[int] = mapped_column(server_default=_ZERO)
    stars_2: Mapped[int] = mapped_column(server_default=_ZERO)
    stars_3: Mapped[int] = mapped_column(server_default=_ZERO)
    stars_4: Mapped[int] = mapped_column(server_default=_ZERO)
    stars_5: Mapped[int] = mapped_column(server_default=_ZERO)
    # 0 without reviews.
    average_rating: Mapped[Decimal] = mapped_column(Numeric(3, 2), server_default=_ZERO)
    review_count: Mapped[int] = mapped_column(server_default=_ZERO)
    updated_at: Mapped[UpdatedAt]


class SellerRating(Base):
    """How many published reviews the products of a seller have, and how many stars those gave: the sums of their
    `product_ratings`, changed in the same statements."""

    __tablename__ = "seller_ratings"
    __unpublished__ = True

    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    stars: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    review_count: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    updated_at: Mapped[UpdatedAt]


class ReviewRequest(Base):
    """The buyer of a line that was delivered is asked for a review at `due_at`, once. `reason`: why not."""

    __tablename__ = "review_requests"
    __table_args__ = (
        CheckConstraint("status IN ('due', 'sent', 'skipped')", name="status"),
        UniqueConstraint("order_item_id"),
        # A kit has several lines, and so has a product of which two variants were bought.
        UniqueConstraint("order_id", "product_id"),
        Index("ix_review_requests_due", "due_at", postgresql_where=text("status = 'due'")),
    )
    __unpublished__ = True

    request_id: Mapped[Id]
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.order_item_id", ondelete="CASCADE"))
    order_id: Mapped[UUID]
    product_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    due_at: Mapped[Instant]
    status: Mapped[str] = mapped_column(String(10), server_default=text("'due'"))
    reason: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[CreatedAt]


class ReviewOptOut(Base):
    """A member who wants no mail that asks for reviews."""

    __tablename__ = "review_opt_outs"
    __unpublished__ = True

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]
