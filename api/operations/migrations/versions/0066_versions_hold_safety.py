"""Versions of products hold product safety data; those that there are say nothing of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("product_versions", sa.Column("safety", postgresql.JSONB(), nullable=True))
