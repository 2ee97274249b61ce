"""Tables of synonyms."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import CreatedAt, Id, UpdatedAt
from api.kernel.db import Base


class SearchSynonym(Base):
    """Two expressions, folded, the lesser first, that may stand for each other: in one language, or in every one.
    Searches use it while it is `accepted`. The counts are those of the suggestion."""

    __tablename__ = "search_synonyms"
    __table_args__ = (
        CheckConstraint("state IN ('suggested', 'accepted', 'refused', 'removed')", name="state"),
        CheckConstraint("source IN ('log', 'catalog', 'person')", name="source"),
        CheckConstraint("word < synonym", name="order"),
        Index(
            "ux_search_synonyms_pair", "word", "synonym", "language", unique=True, postgresql_nulls_not_distinct=True
        ),
        Index("ix_search_synonyms_state", "state", "synonym_id"),
    )
    __unpublished__ = True

    synonym_id: Mapped[Id]
    word: Mapped[str] = mapped_column(String(100, collation="C"))
    synonym: Mapped[str] = mapped_column(String(100, collation="C"))
    language: Mapped[str | None] = mapped_column(String(35))
    state: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(10))
    searches: Mapped[int] = mapped_column(server_default=text("0"))
    shoppers: Mapped[int] = mapped_column(server_default=text("0"))
    products: Mapped[int] = mapped_column(server_default=text("0"))
    sellers: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class SynonymDecision(Base):
    """What an administrator decided about a synonym."""

    __tablename__ = "search_synonym_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('accepted', 'refused', 'removed')", name="decision"),
        Index("ix_search_synonym_decisions_synonym", "synonym_id", "decision_id"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="synonym_id")

    decision_id: Mapped[Id]
    synonym_id: Mapped[UUID] = mapped_column(ForeignKey("search_synonyms.synonym_id", ondelete="CASCADE"))
    decision: Mapped[str] = mapped_column(String(10))
    decided_by: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"), index=True)
    created_at: Mapped[CreatedAt]
