"""Products wait for a decision or are rejected, and every decision is kept.

Nobody could be verified before: whoever sells already goes on.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.drop_constraint(op.f("ck_products_status"), "products")
    op.execute(
        "ALTER TABLE products ADD CONSTRAINT ck_products_status CHECK"
        " (status IN ('draft', 'pending_review', 'active', 'rejected', 'inactive')) NOT VALID"
    )
    op.execute("ALTER TABLE products VALIDATE CONSTRAINT ck_products_status")
    op.execute("UPDATE sellers SET verified = true, updated_at = now() WHERE NOT verified")
    op.create_table(
        "product_decisions",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("findings", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "decision IN ('approved', 'queued', 'rejected', 'removed')", name=op.f("ck_product_decisions_decision")
        ),
        sa.CheckConstraint(
            "decision IN ('approved', 'queued') OR decided_by IS NOT NULL",
            name=op.f("ck_product_decisions_decided_by"),
        ),
        sa.CheckConstraint("decision = 'approved' OR reason IS NOT NULL", name=op.f("ck_product_decisions_reason")),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_product_decisions_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.user_id"], name=op.f("fk_product_decisions_decided_by_users")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_product_decisions")),
    )
    op.create_index("ix_product_decisions_product", "product_decisions", ["product_id", "decision_id"])
    op.create_index(op.f("ix_product_decisions_decided_by"), "product_decisions", ["decided_by"])
    op.create_table(
        "queued_products",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("unverified", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("findings", postgresql.JSONB(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_queued_products_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_queued_products")),
    )
    op.create_index(
        "ix_queued_products_oldest",
        "queued_products",
        ["queued_at", "product_id"],
        postgresql_where=sa.text("NOT unverified"),
    )
    op.create_index(
        "ix_queued_products_unverified", "queued_products", ["seller_id"], postgresql_where=sa.text("unverified")
    )
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and is not valid.
        op.drop_index("ix_product_variants_gtin", "product_variants", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_product_variants_gtin",
            "product_variants",
            ["gtin"],
            postgresql_where=sa.text("removed_at IS NULL AND gtin IS NOT NULL"),
            postgresql_concurrently=True,
        )
