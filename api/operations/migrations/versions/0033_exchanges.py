"""A return names the order that its units are exchanged for."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("returns", sa.Column("exchange_order_id", sa.Uuid(), nullable=True), if_not_exists=True)
    op.execute("ALTER TABLE returns DROP CONSTRAINT IF EXISTS fk_returns_exchange_order_id_orders")
    op.execute(
        "ALTER TABLE returns ADD CONSTRAINT fk_returns_exchange_order_id_orders"
        " FOREIGN KEY (exchange_order_id) REFERENCES orders (order_id) NOT VALID"
    )
    op.execute("ALTER TABLE returns VALIDATE CONSTRAINT fk_returns_exchange_order_id_orders")
