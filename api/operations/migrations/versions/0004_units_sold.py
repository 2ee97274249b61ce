"""What sells: a maintained column, so that the list's popularity sort is one index read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default rewrites no row. The worker fills the column within a minute.
    op.add_column("products", sa.Column("units_sold_90d", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.drop_index("ix_products_popular", table_name="products")
    op.create_index("ix_products_popular", "products", ["units_sold_90d", "view_count", "product_id"], unique=False)
