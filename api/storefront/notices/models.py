"""Tables of what people report about products, of what administrators decide, and of what sellers say to that."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, PII, CreatedAt, Id
from api.kernel.db import Base

_OPEN = text("decision_id IS NULL")


class ProductReport(Base):
    """Somebody says that a product is unlawful or unsafe. `reporter`: a digest of who, `reporter_id` of a member;
    `email` is a guest's. `law`: where the law says so, in their words. `times`: how often they said it.

    Open without `decision_id`; a reporter has one open report of a product.
    """

    __tablename__ = "product_reports"
    __table_args__ = (
        CheckConstraint(
            "reason IN ('counterfeit', 'illegal', 'unsafe', 'misleading', 'offensive', 'infringement', 'other')",
            name="reason",
        ),
        CheckConstraint("email IS NULL OR reporter_id IS NULL", name="email"),
        CheckConstraint("times > 0", name="times"),
        Index("uq_product_reports_open", "product_id", "reporter", unique=True, postgresql_where=_OPEN),
        Index("ix_product_reports_product", "product_id", "report_id"),
        Index("ix_product_reports_reporter", "reporter", "created_at"),
        Index("ix_product_reports_email", "email", "created_at", postgresql_where=text("email IS NOT NULL")),
    )
    __unpublished__ = True

    report_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    reporter: Mapped[str] = mapped_column(String(64))
    reporter_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id", ondelete="SET NULL"), index=True)
    email: Mapped[str | None] = mapped_column(String(255), info=PII)
    reason: Mapped[str] = mapped_column(String(20))
    comment: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    law: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)
    times: Mapped[int] = mapped_column(server_default=text("1"))
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("report_decisions.decision_id"), index=True)
    created_at: Mapped[CreatedAt]


class ReportDecision(Base):
    """What an administrator decided about reports of a product, with the statement of reasons.

    `seen`: a digest of the reports that were open, of which there were `reports`. A decision about a seller's objection
    has `contested`, the decision that was objected to, in place of both; there is one of each at most.
    """

    __tablename__ = "report_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('keep', 'remove')", name="decision"),
        CheckConstraint("(contested IS NULL) = (seen IS NOT NULL AND reports > 0)", name="about"),
        UniqueConstraint("product_id", "seen"),
        UniqueConstraint("contested"),
        Index("ix_report_decisions_seller", "seller_id", "created_at", "decision_id"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="product_id")

    decision_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    seen: Mapped[str | None] = mapped_column(String(32))
    reports: Mapped[int]
    contested: Mapped[UUID | None] = mapped_column(ForeignKey("report_decisions.decision_id"))
    decision: Mapped[str] = mapped_column(String(10))
    statement: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    decided_by: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"), index=True)
    created_at: Mapped[CreatedAt]


class DecisionObjection(Base):
    """What a seller says against a decision that took a product off sale: once."""

    __tablename__ = "decision_objections"
    __table_args__ = (Index("ix_decision_objections_oldest", "created_at", "decision_id"),)
    __unpublished__ = True
    __append_only__ = AppendOnly(goes_with="product_id")

    decision_id: Mapped[UUID] = mapped_column(ForeignKey("report_decisions.decision_id"), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), index=True)
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"), index=True)
    comment: Mapped[str] = mapped_column(Text, info=FREE_TEXT)
    created_at: Mapped[CreatedAt]
