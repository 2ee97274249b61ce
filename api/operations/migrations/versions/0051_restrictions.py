"""A product is sold from an age on, or to some countries only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("restrictions", postgresql.JSONB(), nullable=True))
