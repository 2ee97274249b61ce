"""The worker finds lines without a parcel by an index that is empty when all lines have one."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_order_items_unpacked",
            "order_items",
            ["order_id"],
            postgresql_where=sa.text("parcel_id IS NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
