"""What cancelled lines give back of the cost of sending, for no units, once nothing of their order is sent."""

from alembic import op

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None

QUANTITY = "quantity > 0 OR (quantity = 0 AND reason_code IN ('goodwill', 'price_adjustment', 'nothing_sent'))"


def upgrade() -> None:
    op.execute("ALTER TABLE returns DROP CONSTRAINT IF EXISTS ck_returns_quantity")
    op.execute(f"ALTER TABLE returns ADD CONSTRAINT ck_returns_quantity CHECK ({QUANTITY}) NOT VALID")
    op.execute("ALTER TABLE returns VALIDATE CONSTRAINT ck_returns_quantity")
