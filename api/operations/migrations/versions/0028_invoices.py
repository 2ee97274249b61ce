"""Invoices and credit notes: their documents, and the last number of each issuer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "invoice_counters",
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("issuer_id", "kind", "year", name=op.f("pk_invoice_counters")),
    )
    op.create_table(
        "invoices",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document_number", sa.String(length=40), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("invoice_refers_to", sa.Uuid(), nullable=True),
        sa.Column("refunds", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("tax", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("total", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("template", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("issued_at", moment, nullable=False),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoices_kind")),
        sa.CheckConstraint("(kind = 'credit_note') = (refund_id IS NOT NULL)", name=op.f("ck_invoices_refund")),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (invoice_refers_to IS NOT NULL)", name=op.f("ck_invoices_refers_to")
        ),
        sa.CheckConstraint("total = net + tax", name=op.f("ck_invoices_total")),
        sa.CheckConstraint("number > 0", name=op.f("ck_invoices_number")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_invoices_order_id_orders")),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], name=op.f("fk_invoices_seller_id_users")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.refund_id"], name=op.f("fk_invoices_refund_id_refunds")),
        sa.ForeignKeyConstraint(
            ["invoice_refers_to"], ["invoices.invoice_id"], name=op.f("fk_invoices_invoice_refers_to_invoices")
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("issuer_id", "kind", "year", "number", name=op.f("uq_invoices_issuer_id_kind_year_number")),
        sa.UniqueConstraint("order_id", "document_number", name=op.f("uq_invoices_order_id_document_number")),
    )
    invoice, note = sa.text("kind = 'invoice'"), sa.text("kind = 'credit_note'")
    op.create_index("uq_invoices_sale", "invoices", ["order_id", "seller_id"], unique=True, postgresql_where=invoice)
    op.create_index("uq_invoices_refund", "invoices", ["refund_id", "seller_id"], unique=True, postgresql_where=note)
    op.create_index("ix_invoices_seller", "invoices", ["seller_id", "issued_at", "invoice_id"])
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and is not valid.
        op.drop_index("ix_parcels_shipped", table_name="parcels", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_parcels_shipped",
            "parcels",
            ["shipped_at"],
            postgresql_where=sa.text("shipped_at IS NOT NULL AND origin = 'native'"),
            postgresql_concurrently=True,
        )
