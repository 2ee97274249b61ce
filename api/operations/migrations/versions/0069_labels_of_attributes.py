"""Attributes of a category are called something in other languages too."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attribute_definitions", sa.Column("labels", postgresql.JSONB(), nullable=True))
