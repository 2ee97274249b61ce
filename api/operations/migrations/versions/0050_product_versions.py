"""Every change of a product is a version. What there is gets its first one with its first change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_versions",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_kind", sa.String(20), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("media", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", "version", name=op.f("pk_product_versions")),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_product_versions_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "author_kind IN ('seller', 'admin', 'service', 'schedule')", name=op.f("ck_product_versions_author_kind")
        ),
        sa.CheckConstraint(
            "action IN ('known', 'created', 'changed', 'restored', 'deleted')", name=op.f("ck_product_versions_action")
        ),
        sa.CheckConstraint(
            "(restored_from IS NOT NULL) = (action = 'restored')", name=op.f("ck_product_versions_restored_from")
        ),
        if_not_exists=True,
    )
