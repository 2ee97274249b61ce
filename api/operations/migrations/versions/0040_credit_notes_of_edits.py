"""What an edit takes off and sets off against what it adds has a credit note too."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("edit_id", sa.Uuid(), nullable=True))
    op.drop_constraint("refund", "invoices", type_="check")
    op.create_check_constraint("cause", "invoices", "(kind = 'credit_note') = (num_nonnulls(refund_id, edit_id) = 1)")
    op.create_index(
        "uq_invoices_edit",
        "invoices",
        ["edit_id", "seller_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'credit_note'"),
    )
    # The further invoices of orders that are there were written with what was set off taken off them.
    op.execute("ALTER TABLE invoices DISABLE TRIGGER USER")
    op.execute(
        """
        UPDATE invoices i SET refunds = i.refunds || e.edits
        FROM (SELECT order_id, array_agg(DISTINCT edit_id) AS edits FROM returns
              WHERE edit_id IS NOT NULL AND refund_id IS NULL GROUP BY order_id) e
        WHERE e.order_id = i.order_id AND i.kind = 'invoice'
        """
    )
    op.execute("ALTER TABLE invoices ENABLE TRIGGER USER")
