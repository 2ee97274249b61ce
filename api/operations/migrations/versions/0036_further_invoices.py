"""An order that is changed after its invoices were written gets further ones."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("edition", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.drop_index("uq_invoices_sale", table_name="invoices")
    op.create_index(
        "uq_invoices_sale",
        "invoices",
        ["order_id", "seller_id", "edition"],
        unique=True,
        postgresql_where=sa.text("kind = 'invoice'"),
    )
