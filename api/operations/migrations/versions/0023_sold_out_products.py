"""What is sold out is few of what is on sale: a list of it is read from an index of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NAME = "ix_product_listings_sold_out"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and is not valid.
        op.drop_index(NAME, table_name="product_listings", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "product_listings",
            ["category_id"],
            postgresql_where=sa.text("on_sale AND NOT in_stock"),
            postgresql_concurrently=True,
        )
