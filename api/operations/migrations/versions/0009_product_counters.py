"""Views and units sold leave the products' rows: counting them rewrites no description and reaches no mart."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_counters",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("units_sold_90d", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("view_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_product_counters_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_counters")),
    )
    op.execute(
        "INSERT INTO product_counters (product_id, units_sold_90d, view_count)"
        " SELECT product_id, units_sold_90d, view_count FROM products"
    )
    op.create_index(
        "ix_product_counters_popular", "product_counters", ["units_sold_90d", "view_count", "product_id"], unique=False
    )
    op.drop_index("ix_products_popular", table_name="products")
    op.drop_column("products", "units_sold_90d")
    op.drop_column("products", "view_count")
