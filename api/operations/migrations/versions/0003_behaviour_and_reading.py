"""How far stream consumers have read; indexes for the product list's sorts and for readers of recent changes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stream_positions",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("last_id", sa.String(length=50), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_stream_positions")),
    )
    op.create_index("ix_products_popular", "products", ["view_count", "review_count", "product_id"], unique=False)
    op.create_index("ix_products_rating", "products", ["average_rating", "review_count", "product_id"], unique=False)
    op.create_index("ix_products_changed", "products", ["updated_at"], unique=False, postgresql_using="brin")
    op.create_index(
        "ix_product_variants_changed", "product_variants", ["updated_at"], unique=False, postgresql_using="brin"
    )
