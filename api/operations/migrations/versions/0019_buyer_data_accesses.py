"""Reads of a buyer's data by administrators are written down, in rows that Postgres refuses to change or remove."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buyer_data_accesses",
        sa.Column("access_id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("fields", sa.ARRAY(sa.String(length=50)), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("access_id", name=op.f("pk_buyer_data_accesses")),
    )
    op.create_index(op.f("ix_buyer_data_accesses_order_id"), "buyer_data_accesses", ["order_id"])
    op.create_index(op.f("ix_buyer_data_accesses_created_at"), "buyer_data_accesses", ["created_at"])
