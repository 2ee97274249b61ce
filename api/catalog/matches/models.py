"""Tables of what is one article."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, CreatedAt, Id
from api.kernel.db import Base

_CONFIRMED = text("decision = 'confirmed'")


class OfferMatch(Base):
    """Two sellers' products that seem to be one article, the one that was saved later first. Without a `decision` it
    waits for an administrator. One that is confirmed joins `article_id` and `other_article_id`: what the products were
    when it was confirmed."""

    __tablename__ = "offer_matches"
    __table_args__ = (
        CheckConstraint("decision IN ('confirmed', 'dismissed')", name="decision"),
        CheckConstraint(
            "(decision IS NOT DISTINCT FROM 'confirmed') = (article_id IS NOT NULL AND other_article_id IS NOT NULL)",
            name="articles",
        ),
        Index("ix_offer_matches_oldest", "created_at", "product_id", "other_product_id"),
        Index("ix_offer_matches_article_id", "article_id", postgresql_where=_CONFIRMED),
        Index("ix_offer_matches_other_article_id", "other_article_id", postgresql_where=_CONFIRMED),
    )
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    other_product_id: Mapped[UUID] = mapped_column(
        ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True
    )
    decision: Mapped[str | None] = mapped_column(String(10))
    article_id: Mapped[UUID | None]
    other_article_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]


class MatchDecision(Base):
    """What an administrator decided about a match, and when that was undone."""

    __tablename__ = "match_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('confirmed', 'dismissed', 'undone')", name="decision"),
        Index("ix_match_decisions_match", "product_id", "other_product_id", "decision_id"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="product_id")

    decision_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    other_product_id: Mapped[UUID]
    decision: Mapped[str] = mapped_column(String(10))
    decided_by: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"), index=True)
    reason: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)
    created_at: Mapped[CreatedAt]


class JoinedArticle(Base):
    """An article that confirmed matches join with others: all that are one have one `joined_id`, the least of them. An
    article without a row is joined with none."""

    __tablename__ = "joined_articles"
    __unpublished__ = True

    article_id: Mapped[Id]
    joined_id: Mapped[UUID] = mapped_column(index=True)
