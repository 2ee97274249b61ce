"""The buyer chooses whether a seller's parcels wait for each other. Earlier orders, and those of the release before, are
sent as they are ready.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "orders",
        sa.Column("shipping_preference", sa.String(length=20), server_default=sa.text("'as_ready'"), nullable=False),
    )
    op.execute(
        "ALTER TABLE orders ADD CONSTRAINT ck_orders_shipping_preference"
        " CHECK (shipping_preference IN ('together', 'as_ready')) NOT VALID"
    )
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_orders_shipping_preference")
