"""When each return took each status: the rows that date refunds.

The table is empty when its foreign keys are made, so they lock the orders for a moment only; it is filled afterwards.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


# What is known of earlier returns: when they were requested, and the time of their last change of status. A
# negative refund books nothing: the marts then name its order.
FILL = """
WITH batch AS (SELECT * FROM returns WHERE return_id > :after ORDER BY return_id LIMIT :size),
filled AS (
  INSERT INTO return_events (return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount,
    currency, created_at)
  SELECT r.return_id, s.status, r.order_id, r.order_item_id, r.seller_id, r.quantity, r.refund_amount, o.currency, s.at
  FROM batch r JOIN orders o USING (order_id),
  LATERAL (VALUES ('requested', r.created_at), (r.status, r.updated_at)) AS s (status, at)
  WHERE r.refund_amount >= 0
  ON CONFLICT DO NOTHING
)
SELECT return_id FROM batch ORDER BY return_id DESC LIMIT 1
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _create()
        fill_in_batches(op.get_bind(), FILL)


def _create() -> None:
    op.create_table(
        "return_events",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("to_status", sa.String(length=20), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("refund_amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity > 0 AND refund_amount >= 0", name=op.f("ck_return_events_amounts")),
        sa.ForeignKeyConstraint(
            ["return_id"],
            ["returns.return_id"],
            name=op.f("fk_return_events_return_id_returns"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_return_events_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["order_items.order_item_id"], name=op.f("fk_return_events_order_item_id_order_items")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], name=op.f("fk_return_events_seller_id_users")),
        sa.PrimaryKeyConstraint("return_id", "to_status", name=op.f("pk_return_events")),
        if_not_exists=True,
    )
    op.create_index("ix_return_events_seller", "return_events", ["seller_id", "created_at"], if_not_exists=True)
