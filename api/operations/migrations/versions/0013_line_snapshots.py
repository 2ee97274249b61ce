"""An order's line keeps what it was when it was bought: its words, its picture, its prices and its tax.

Earlier lines get the words of today, which is the oldest that is known, and their part of the order's tax.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from api.operations.batches import fill_in_batches

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def columns() -> list[sa.Column[object]]:
    return [
        sa.Column("title", sa.String(length=500), nullable=True),
        sa.Column("sku", sa.String(length=100), nullable=True),
        sa.Column("attributes", postgresql.JSONB(), nullable=True),
        sa.Column("image_url", sa.String(length=1000), nullable=True),
        sa.Column("list_price", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("discount", sa.Numeric(precision=12, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("promotion", sa.String(length=100), nullable=True),
        sa.Column("tax_rate", sa.Numeric(precision=7, scale=5), nullable=True),
        sa.Column("tax_amount", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("tax_included", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tax_class", sa.String(length=30), nullable=True),
    ]


CHECKS = (
    ("order_items", "discount", "discount BETWEEN 0 AND subtotal"),
    ("order_items", "tax", "tax_amount >= 0 AND tax_rate >= 0"),
    ("orders", "tax_included", "tax_included BETWEEN 0 AND tax"),
    ("orders", "total", "total = subtotal + tax - tax_included + shipping_fee - discount"),
)
# The lines of an order get the cents between the rounded parts of its tax up to them and before them, so they add up.
FILL = """
WITH batch AS (
  SELECT order_id, subtotal, tax FROM orders WHERE order_id > :after ORDER BY order_id LIMIT :size
),
parts AS (
  SELECT i.order_item_id, b.subtotal AS goods, b.tax,
         sum(i.subtotal) OVER lines AS up_to, sum(i.subtotal) OVER lines - i.subtotal AS before
  FROM batch b JOIN order_items i USING (order_id)
  WINDOW lines AS (PARTITION BY i.order_id ORDER BY i.order_item_id)
),
filled AS (
  UPDATE order_items i
  SET title = coalesce(i.title, p.title, ''),
      sku = coalesce(i.sku, v.sku, ''),
      attributes = coalesce(i.attributes, v.attributes, '{}'),
      image_url = coalesce(i.image_url, m.url, '/api/v1/products/' || i.product_id || '/image.svg'),
      list_price = coalesce(i.list_price, i.price_at_purchase + (p.list_price - p.base_price)),
      tax_rate = coalesce(i.tax_rate, round(t.tax / nullif(t.goods, 0), 5), 0),
      tax_amount = coalesce(
        i.tax_amount,
        round(t.tax * t.up_to / nullif(t.goods, 0), 2) - round(t.tax * t.before / nullif(t.goods, 0), 2),
        0
      ),
      tax_class = coalesce(i.tax_class, 'standard')
  FROM parts t
  JOIN order_items line ON line.order_item_id = t.order_item_id
  LEFT JOIN products p ON p.product_id = line.product_id
  LEFT JOIN product_variants v ON v.variant_id = line.variant_id
  LEFT JOIN LATERAL (
    SELECT url FROM product_images WHERE product_id = line.product_id ORDER BY position LIMIT 1
  ) m ON true
  WHERE i.order_item_id = t.order_item_id AND i.tax_amount IS NULL
)
SELECT order_id FROM batch ORDER BY order_id DESC LIMIT 1
"""


def upgrade() -> None:
    included = sa.Column("tax_included", sa.Numeric(precision=12, scale=2), server_default=sa.text("0"), nullable=False)
    op.add_column("orders", included, if_not_exists=True)
    for column in columns():
        op.add_column("order_items", column, if_not_exists=True)
    for table, name, condition in CHECKS:
        # Checked for new rows at once, and for those that are there without a lock that keeps writers out.
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
    with op.get_context().autocommit_block():
        fill_in_batches(op.get_bind(), FILL)
        for table, name, _ in CHECKS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
