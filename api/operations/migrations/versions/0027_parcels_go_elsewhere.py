"""A parcel may go to another address than its order's; those that are there go to their order's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parcels", sa.Column("shipping_address", postgresql.JSONB(), nullable=True))
