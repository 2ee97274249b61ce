"""A line of a cart knows which changed price its buyer has been shown. Null: none since the line was added."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("price_seen", sa.Numeric(precision=12, scale=2), nullable=True)
    op.add_column("cart_items", column, if_not_exists=True)
