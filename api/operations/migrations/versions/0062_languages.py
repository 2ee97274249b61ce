"""Products are in a language, and may have translations; categories may have names in other languages.

Null is what everything was until now: in the shop's own language, and in no other.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("language", sa.String(35), nullable=True))
    op.add_column("products", sa.Column("translations", postgresql.JSONB(), nullable=True))
    op.add_column("categories", sa.Column("names", postgresql.JSONB(), nullable=True))
