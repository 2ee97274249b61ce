"""A refund says what it gives back: goods, tax and shipping. Sales are changed by the goods alone.

Earlier refunds of the shop gave back a share of everything, so their parts have the order's proportions; those of loaded
history gave back goods only. The order of an order's refunds decides the cents, so that they add up.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("refunds", "returns", "return_events")
AMOUNTS = ("goods_amount", "tax_amount", "shipping_amount")
PARTS = " + ".join(AMOUNTS)
STATES = "'pending', 'authorised', 'paid', 'declined', 'voided', 'refunded', 'partially_refunded'"
CHECKS = (
    ("refunds", "parts", f"amount = {PARTS}"),
    ("returns", "parts", f"refund_amount = {PARTS}"),
    ("return_events", "parts", f"refund_amount = {PARTS}"),
    ("orders", "payment_status", f"payment_status IN ({STATES})"),
)
# `found`: key, order_id, origin, amount, and `up_to`, the sum of the order's refunds up to this one. The parts are the
# cents between the rounded parts of both sums.
_FILL = """
WITH batch AS (SELECT order_id FROM orders WHERE order_id > :after ORDER BY order_id LIMIT :size),
found AS ({found}),
parted AS (
  SELECT f.*, CASE WHEN f.origin = 'import' THEN f.amount
              ELSE round((o.subtotal - o.discount) * f.up_to / o.total, 2)
                   - round((o.subtotal - o.discount) * (f.up_to - f.amount) / o.total, 2) END AS goods,
         CASE WHEN f.origin = 'import' THEN 0
              ELSE round(o.tax * f.up_to / o.total, 2) - round(o.tax * (f.up_to - f.amount) / o.total, 2) END AS tax
  FROM found f JOIN orders o USING (order_id) WHERE o.total > 0
),
filled AS (
  UPDATE {table} r
  SET goods_amount = p.goods, tax_amount = p.tax, shipping_amount = p.amount - p.goods - p.tax{more}
  FROM parted p WHERE r.{key} = p.key AND r.goods_amount IS NULL
)
SELECT order_id FROM batch ORDER BY order_id DESC LIMIT 1
"""
REFUNDS = _FILL.format(
    table="refunds",
    key="refund_id",
    more="",
    found="""
  SELECT r.refund_id AS key, r.order_id, r.origin, r.amount,
         sum(r.amount) OVER (PARTITION BY r.order_id, r.status = 'failed' ORDER BY r.refund_id) AS up_to
  FROM batch b JOIN refunds r USING (order_id)
""",
)
RETURNS = _FILL.format(
    table="returns",
    key="return_id",
    more=", shipping_tax = 0, outbound_refunded = p.origin <> 'import'",
    found="""
  SELECT r.return_id AS key, r.order_id, r.origin, r.refund_amount AS amount,
         sum(r.refund_amount) OVER (PARTITION BY r.order_id, r.status = 'rejected' ORDER BY r.return_id) AS up_to
  FROM batch b JOIN returns r USING (order_id)
""",
)
EVENTS = """
WITH batch AS (SELECT * FROM returns WHERE return_id > :after ORDER BY return_id LIMIT :size),
filled AS (
  UPDATE return_events e
  SET goods_amount = b.goods_amount, tax_amount = b.tax_amount, shipping_amount = b.shipping_amount
  FROM batch b WHERE e.return_id = b.return_id AND e.refund_amount = b.refund_amount AND e.goods_amount IS NULL
)
SELECT return_id FROM batch ORDER BY return_id DESC LIMIT 1
"""
_KEPT = (
    "return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount, goods_amount, tax_amount,"
    " shipping_amount, currency, created_at"
)


def upgrade() -> None:
    for table in TABLES:
        for name in AMOUNTS:
            _add(table, sa.Column(name, sa.Numeric(precision=12, scale=2), nullable=True))
    _add("returns", sa.Column("shipping_tax", sa.Numeric(precision=12, scale=2), nullable=True))
    _add("returns", sa.Column("outbound_refunded", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    _add("returns", sa.Column("refund_id", sa.Uuid(), nullable=True))
    for table, name, condition in CHECKS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
    with op.get_context().autocommit_block():
        for statement in (REFUNDS, RETURNS, EVENTS):
            fill_in_batches(op.get_bind(), statement)
        for table, name, _ in CHECKS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
    # From now on the parts never change either.
    op.execute("DROP TRIGGER return_events_never_change ON return_events")
    op.execute(
        f"CREATE TRIGGER return_events_never_change BEFORE UPDATE OF {_KEPT} ON return_events"
        " FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION refuse_change_of_event()"
    )


def _add(table: str, column: sa.Column[object]) -> None:
    op.add_column(table, column, if_not_exists=True)
