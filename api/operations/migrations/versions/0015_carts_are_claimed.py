"""A cart is claimed by the checkout that orders it, and knows the last order of it.

All columns are empty for carts that are there: nobody has claimed them. A process of the release before neither sets
nor reads them, and a checkout that it began is finished without a claim.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("carts", sa.Column("claimed_by", sa.Uuid(), nullable=True), if_not_exists=True)
    op.add_column("carts", sa.Column("ordered_by", sa.Uuid(), nullable=True), if_not_exists=True)
    op.add_column("carts", sa.Column("ordered_version", sa.Integer(), nullable=True), if_not_exists=True)
