"""A placed order can be edited: what is staged, its second payment, and the lines that it adds. A refund may be taken
from several payments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

COLUMNS = (
    ("orders", sa.Column("edits", sa.Integer(), server_default="0", nullable=False)),
    ("orders", sa.Column("edited_by", sa.Uuid(), nullable=True)),
    ("order_items", sa.Column("edit_id", sa.Uuid(), nullable=True)),
    ("returns", sa.Column("edit_id", sa.Uuid(), nullable=True)),
    ("refunds", sa.Column("booking_id", sa.Uuid(), nullable=True)),
)
_POINTS = "'staged', 'dropped', 'created', 'confirmed', 'completed', 'compensating', 'failed'"


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column, if_not_exists=True)
    op.create_table(
        "order_edits",
        sa.Column("edit_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("point", sa.String(length=20), server_default="staged", nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=False),
        *(sa.Column(name, sa.Numeric(12, 2), nullable=False) for name in ("added", "cancelled", "charged", "refunded")),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("gateway", sa.String(length=20), nullable=True),
        sa.Column("payment_token", sa.String(length=200), nullable=True),
        sa.Column("failure", postgresql.JSONB(), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"point IN ({_POINTS})", name=op.f("ck_order_edits_point")),
        sa.CheckConstraint("charged >= 0 AND refunded >= 0 AND cancelled >= 0", name=op.f("ck_order_edits_amounts")),
        sa.CheckConstraint("added - cancelled = charged - refunded", name=op.f("ck_order_edits_delta")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_edits_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("edit_id", name=op.f("pk_order_edits")),
    )
    op.create_index(op.f("ix_order_edits_order_id"), "order_edits", ["order_id"])
    running = sa.text("point IN ('created', 'confirmed', 'compensating')")
    op.create_index("ix_order_edits_running", "order_edits", ["lease_expires_at"], postgresql_where=running)
    waiting = sa.text("point IN ('staged', 'dropped')")
    op.create_index("ix_order_edits_expires", "order_edits", ["expires_at"], postgresql_where=waiting)
