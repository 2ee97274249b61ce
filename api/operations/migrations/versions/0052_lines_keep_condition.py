"""A line of an order keeps the condition of what was bought, and from which age on it is handed over. Null for older
ones: products had neither."""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_items", sa.Column("condition", sa.String(20), nullable=True), if_not_exists=True)
    op.add_column("order_items", sa.Column("min_age", sa.Integer(), nullable=True), if_not_exists=True)
