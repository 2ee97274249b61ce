"""Tables of questions and answers, and what others say of them."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import FREE_TEXT, CreatedAt, Id, Instant
from api.kernel.db import Base

_SHOWN, _ZERO = text("removed_at IS NULL"), text("0")


class QuestionPost(Base):
    """A question about a product, or, with `question_id`, an answer to one. `votes` = its rows of `question_votes`.

    `role`: what its author was to the product when they wrote it. `answers`: of a question, those that are shown.
    """

    __tablename__ = "question_posts"
    __table_args__ = (
        CheckConstraint("role IN ('seller', 'buyer', 'visitor')", name="role"),
        CheckConstraint("votes >= 0 AND answers >= 0", name="counts"),
        Index(
            "ix_question_posts_questions",
            "product_id",
            "votes",
            "post_id",
            postgresql_where=text("removed_at IS NULL AND question_id IS NULL"),
        ),
        Index("ix_question_posts_answers", "question_id", postgresql_where=_SHOWN),
        Index("ix_question_posts_author", "user_id", "created_at"),
    )
    __unpublished__ = True

    post_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    question_id: Mapped[UUID | None] = mapped_column(ForeignKey("question_posts.post_id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(10))
    text: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    votes: Mapped[int] = mapped_column(server_default=_ZERO)
    answers: Mapped[int] = mapped_column(server_default=_ZERO)
    created_at: Mapped[CreatedAt]
    edited_at: Mapped[Instant | None]
    removed_at: Mapped[Instant | None]


class QuestionVote(Base):
    """A member found a post helpful."""

    __tablename__ = "question_votes"
    __unpublished__ = True

    post_id: Mapped[UUID] = mapped_column(ForeignKey("question_posts.post_id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[CreatedAt]


class QuestionReport(Base):
    """A member says that a post should not be there; administrators remove it or leave it."""

    __tablename__ = "question_reports"
    __table_args__ = (
        CheckConstraint("reason IN ('spam', 'abuse', 'personal_data', 'off_topic', 'other')", name="reason"),
    )
    __unpublished__ = True

    post_id: Mapped[UUID] = mapped_column(ForeignKey("question_posts.post_id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(String(20))
    comment: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)
    created_at: Mapped[CreatedAt]
