"""Tables of decisions about products."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, CreatedAt, Id
from api.kernel.db import Base


class ProductDecision(Base):
    """What was decided about a version of a product, and by whom: an administrator, or, without `decided_by`, the
    rules. `findings`: Findings as JSON; `score` of those that no administrator had approved."""

    __tablename__ = "product_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('approved', 'queued', 'rejected', 'removed')", name="decision"),
        CheckConstraint("decision IN ('approved', 'queued') OR decided_by IS NOT NULL", name="decided_by"),
        CheckConstraint("decision = 'approved' OR reason IS NOT NULL", name="reason"),
        Index("ix_product_decisions_product", "product_id", "decision_id"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="product_id")

    decision_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    version: Mapped[int]
    decision: Mapped[str] = mapped_column(String(10))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id"), index=True)
    reason: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)
    score: Mapped[int]
    findings: Mapped[list[dict[str, object]]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class QueuedProduct(Base):
    """A product that waits: for an administrator, or, `unverified`, for its seller's verification first.

    One row for each product with the status `pending_review`. It keeps its place when the product is changed.
    """

    __tablename__ = "queued_products"
    __table_args__ = (
        Index("ix_queued_products_oldest", "queued_at", "product_id", postgresql_where=text("NOT unverified")),
        Index("ix_queued_products_unverified", "seller_id", postgresql_where=text("unverified")),
    )
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    seller_id: Mapped[UUID]
    unverified: Mapped[bool]
    score: Mapped[int]
    findings: Mapped[list[dict[str, object]]] = mapped_column(JSONB)
    queued_at: Mapped[CreatedAt]
