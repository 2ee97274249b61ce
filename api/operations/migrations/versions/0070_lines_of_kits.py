"""Lines of kits are found without the others: best sellers count kits too."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and is not valid.
        op.drop_index("ix_order_items_kit", "order_items", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_order_items_kit",
            "order_items",
            ["order_id"],
            postgresql_where=sa.text("kit IS NOT NULL"),
            postgresql_concurrently=True,
        )
