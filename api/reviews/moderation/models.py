"""Tables of what is known of reviews beyond their text, of what waits for an administrator, and of what was decided."""

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, NOT_PERSONAL, SECRET, CreatedAt, Id
from api.kernel.db import Base

OUTCOMES = ("published", "queued", "rejected")
# Why somebody or something looked at a review.
CAUSES = ("submitted", "edited", "language", "suspected", "reported", "administrator", "reopened", "appeal")
_REVIEW = "reviews_by_user.review_id"
_OUTCOME = f"IN ({', '.join(repr(one) for one in OUTCOMES)})"
_CAUSE = f"cause IN ({', '.join(repr(one) for one in CAUSES)})"
_SCORE = "score BETWEEN 0 AND 1"


class ReviewSignal(Base):
    """Where a review came from, and what its text is like: what rules and the lake look for bursts and rings in.

    `address`, `device`: keyed digests of the network's address and of the browser, so that equal ones are found and
    nothing is read from them. `signature`, `bands`: of the text (`api/reviews/judging/likeness.py`), None for a short
    one. `toxicity` None: the model has not answered yet.
    """

    __tablename__ = "review_signals"
    __table_args__ = (
        Index("ix_review_signals_user", "user_id", "created_at"),
        Index("ix_review_signals_product", "product_id", "created_at"),
        Index("ix_review_signals_address", "address", "created_at", postgresql_where=text("address IS NOT NULL")),
        Index("ix_review_signals_device", "device", "created_at", postgresql_where=text("device IS NOT NULL")),
        Index("ix_review_signals_bands", "bands", postgresql_using="gin"),
        Index("ix_review_signals_unread", "review_id", postgresql_where=text("toxicity IS NULL")),
    )

    review_id: Mapped[UUID] = mapped_column(ForeignKey(_REVIEW, ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID]
    product_id: Mapped[UUID]
    seller_id: Mapped[UUID]
    address: Mapped[str | None] = mapped_column(String(32), info=NOT_PERSONAL)
    device: Mapped[str | None] = mapped_column(String(32), info=NOT_PERSONAL)
    signature: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), info=SECRET)
    bands: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger), info=SECRET)
    toxicity: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[CreatedAt]


class ReviewDecision(Base):
    """What was decided about a version of a review, by the rules or by an administrator, and why.

    `reasons`: the findings, as `{rule, weight, words}`. `statement`: an administrator's reasons, told to the author.
    """

    __tablename__ = "review_decisions"
    __table_args__ = (
        CheckConstraint(f"decision {_OUTCOME}", name="decision"),
        CheckConstraint(_CAUSE, name="cause"),
        CheckConstraint(_SCORE, name="score"),
        CheckConstraint("decided_by IS NOT NULL OR statement IS NULL", name="statement"),
        CheckConstraint("decided_by IS NULL OR decision <> 'rejected' OR statement IS NOT NULL", name="reasons"),
        Index("ix_review_decisions_review", "review_id", "decision_id"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="review_id")

    decision_id: Mapped[Id]
    review_id: Mapped[UUID] = mapped_column(ForeignKey(_REVIEW, ondelete="CASCADE"))
    version: Mapped[int]
    cause: Mapped[str] = mapped_column(String(15), info=NOT_PERSONAL)
    decision: Mapped[str] = mapped_column(String(10), info=NOT_PERSONAL)
    score: Mapped[float] = mapped_column(Double)
    reasons: Mapped[list[dict[str, object]]] = mapped_column(JSONB)
    statement: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id"), index=True)
    created_at: Mapped[CreatedAt]


class ReviewAppeal(Base):
    """What the author of a rejected review says against that decision: once for each review."""

    __tablename__ = "review_appeals"
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="review_id")

    review_id: Mapped[UUID] = mapped_column(ForeignKey(_REVIEW, ondelete="CASCADE"), primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(
        ForeignKey("review_decisions.decision_id", ondelete="CASCADE"), index=True
    )
    comment: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    created_at: Mapped[CreatedAt]


class QueuedReview(Base):
    """A review that waits for an administrator: every queued one, a rejected one with an appeal, and a published one
    that was reported. It keeps its place when something more is said of it."""

    __tablename__ = "queued_reviews"
    __table_args__ = (
        CheckConstraint(_CAUSE, name="cause"),
        CheckConstraint(_SCORE, name="score"),
        Index("ix_queued_reviews_oldest", "queued_at", "review_id"),
    )
    __unpublished__ = True

    review_id: Mapped[UUID] = mapped_column(ForeignKey(_REVIEW, ondelete="CASCADE"), primary_key=True)
    cause: Mapped[str] = mapped_column(String(15))
    score: Mapped[float] = mapped_column(Double)
    reasons: Mapped[list[dict[str, object]]] = mapped_column(JSONB)
    queued_at: Mapped[CreatedAt]


class BuyersOnly(Base):
    """A product, or all products of a seller, whose reviews only those may write who received it."""

    __tablename__ = "buyers_only"
    __unpublished__ = True

    # Of a product or of a seller: ids are never shared.
    subject_id: Mapped[Id]
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedAt]
