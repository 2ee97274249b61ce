"""Money goes back without a return, for no units: goodwill, or a lower price afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

CHECKS = (
    ("returns", "quantity", "quantity > 0 OR (quantity = 0 AND reason_code IN ('goodwill', 'price_adjustment'))"),
    ("return_events", "amounts", "quantity >= 0 AND refund_amount >= 0"),
)


def upgrade() -> None:
    for table, name, condition in CHECKS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
    op.create_index(
        "ix_returns_cancelled",
        "returns",
        ["order_item_id"],
        if_not_exists=True,
        postgresql_include=["quantity"],
        postgresql_where=sa.text("reason_code IN ('cancelled', 'cancelled_by_seller')"),
    )
