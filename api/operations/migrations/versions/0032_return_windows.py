"""A line keeps how long it may be returned. Earlier lines have none: theirs follows from the category of today."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_items", sa.Column("return_days", sa.Integer(), nullable=True), if_not_exists=True)
