"""Views and units sold leave the products' rows: counting them rewrites no description and reaches no mart.

The table is empty when its foreign key is made, and is filled outside the transaction that changes the products.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


FILL = """
WITH batch AS (
  SELECT product_id, units_sold_90d, view_count FROM products WHERE product_id > :after ORDER BY product_id LIMIT :size
),
filled AS (
  INSERT INTO product_counters (product_id, units_sold_90d, view_count) SELECT * FROM batch ON CONFLICT DO NOTHING
)
SELECT product_id FROM batch ORDER BY product_id DESC LIMIT 1
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _create()
        fill_in_batches(op.get_bind(), FILL)
    op.drop_index("ix_products_popular", table_name="products")
    op.drop_column("products", "units_sold_90d")
    op.drop_column("products", "view_count")


def _create() -> None:
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
        if_not_exists=True,
    )
    op.create_index(
        "ix_product_counters_popular",
        "product_counters",
        ["units_sold_90d", "view_count", "product_id"],
        if_not_exists=True,
    )
