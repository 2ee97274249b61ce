"""Changes of products that are set for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scheduled_changes",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reduced_to", sa.Numeric(12, 2), nullable=True),
        sa.PrimaryKeyConstraint("product_id", "kind", name=op.f("pk_scheduled_changes")),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_scheduled_changes_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "kind IN ('publish', 'unpublish', 'price_from', 'price_to')", name=op.f("ck_scheduled_changes_kind")
        ),
        sa.CheckConstraint("(since IS NULL) = (reduced_to IS NULL)", name=op.f("ck_scheduled_changes_begun")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_scheduled_changes_at"), "scheduled_changes", ["at"], if_not_exists=True)
