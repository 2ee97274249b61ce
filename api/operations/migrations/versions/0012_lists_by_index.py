"""Each sort of the product list, of the whole shop and of one category, is read from an index of what is on sale.

The indexes are built while the shop writes. The counters get their product's category; a process of the release before
makes counters without one, and the job that counts best sellers adds it.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LIVE = sa.text("status = 'active' AND deleted_at IS NULL")
NEW = (
    ("ix_products_live_newest", "products", ["created_at", "product_id"]),
    ("ix_products_live_price", "products", ["base_price", "product_id"]),
    ("ix_products_live_rating", "products", ["average_rating", "review_count", "product_id"]),
    ("ix_products_category_newest", "products", ["category_id", "created_at", "product_id"]),
    ("ix_products_category_price", "products", ["category_id", "base_price", "product_id"]),
    ("ix_products_category_rating", "products", ["category_id", "average_rating", "review_count", "product_id"]),
    (
        "ix_product_counters_category_popular",
        "product_counters",
        ["category_id", "units_sold_90d", "view_count", "product_id"],
    ),
)
FILL = """
WITH batch AS (
  SELECT product_id, category_id FROM products WHERE product_id > :after ORDER BY product_id LIMIT :size
),
filled AS (
  UPDATE product_counters c SET category_id = b.category_id FROM batch b
  WHERE c.product_id = b.product_id AND c.category_id IS NULL
)
SELECT product_id FROM batch ORDER BY product_id DESC LIMIT 1
"""


def upgrade() -> None:
    op.add_column("product_counters", sa.Column("category_id", sa.Uuid(), nullable=True), if_not_exists=True)
    with op.get_context().autocommit_block():
        fill_in_batches(op.get_bind(), FILL)
        for name, table, columns in NEW:
            # One that was interrupted is there, and is not valid.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            where = LIVE if table == "products" else None
            op.create_index(name, table, columns, postgresql_where=where, postgresql_concurrently=True)
        for replaced in ("ix_products_newest", "ix_products_price", "ix_products_rating"):
            op.drop_index(replaced, table_name="products", if_exists=True, postgresql_concurrently=True)
