"""Tables of invoices and credit notes. They never leave Postgres: a document has the buyer's name and address."""

from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import PII, CreatedAt, Id, Instant, Json, Money
from api.kernel.db import Base

_INVOICE, _CREDIT_NOTE = text("kind = 'invoice'"), text("kind = 'credit_note'")


class InvoiceCounter(Base):
    """The last number of an issuer in a year. Its row is locked until the documents that it numbers are committed, so a
    number is never lost."""

    __tablename__ = "invoice_counters"
    __unpublished__ = True

    issuer_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


class Invoice(Base):
    """An invoice of what a seller sold in an order, or a credit note of what one refund gives back of it.

    `edition`: an order that is changed after its invoices were written gets further ones, of what the change charged.
    `issuer_id` is the seller, or the shop where it is deemed the supplier. A credit note is of the refund
    `refund_id`, or of what the edit `edit_id` took off, the shipping fee too, and set off against what it added.
    `refunds`: the ids of those that were taken off an invoice before it was written, so that they have no credit
    note. `content` is all that the document says, `digest` its SHA-256, and `template` the version of the drawing:
    together they make the same bytes for ever.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind"),
        CheckConstraint("(kind = 'credit_note') = (num_nonnulls(refund_id, edit_id) = 1)", name="cause"),
        CheckConstraint("(kind = 'credit_note') = (invoice_refers_to IS NOT NULL)", name="refers_to"),
        CheckConstraint("total = net + tax", name="total"),
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("issuer_id", "kind", "year", "number"),
        UniqueConstraint("order_id", "document_number"),
        Index("uq_invoices_sale", "order_id", "seller_id", "edition", unique=True, postgresql_where=_INVOICE),
        Index("uq_invoices_refund", "refund_id", "seller_id", unique=True, postgresql_where=_CREDIT_NOTE),
        Index("uq_invoices_edit", "edit_id", "seller_id", unique=True, postgresql_where=_CREDIT_NOTE),
        Index("ix_invoices_seller", "seller_id", "issued_at", "invoice_id"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly()

    invoice_id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(20))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    issuer_id: Mapped[UUID]
    year: Mapped[int]
    number: Mapped[int]
    document_number: Mapped[str] = mapped_column(String(40))
    edition: Mapped[int] = mapped_column(server_default=text("1"))
    refund_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.refund_id"))
    edit_id: Mapped[UUID | None]
    invoice_refers_to: Mapped[UUID | None] = mapped_column(ForeignKey("invoices.invoice_id"))
    refunds: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[Money]
    tax: Mapped[Money]
    total: Mapped[Money]
    template: Mapped[int]
    content: Mapped[Json] = mapped_column(info=PII)
    digest: Mapped[str] = mapped_column(String(64))
    issued_at: Mapped[Instant]
    created_at: Mapped[CreatedAt]
