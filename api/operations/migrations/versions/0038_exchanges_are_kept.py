"""An exchange is written down before its new order is placed, so that the worker finishes one whose process died."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "order_exchanges",
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("point", sa.String(length=20), server_default="asked", nullable=False),
        sa.Column("back", postgresql.JSONB(), nullable=False),
        sa.Column("exchange_order_id", sa.Uuid(), nullable=True),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("lease_expires_at", moment, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("point IN ('asked', 'completed')", name=op.f("ck_order_exchanges_point")),
        sa.CheckConstraint(
            "(point = 'completed') = (exchange_order_id IS NOT NULL)", name=op.f("ck_order_exchanges_ordered")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_exchanges_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("exchange_id", name=op.f("pk_order_exchanges")),
        sa.UniqueConstraint("exchange_order_id", name=op.f("uq_order_exchanges_exchange_order_id")),
    )
    op.create_index(op.f("ix_order_exchanges_order_id"), "order_exchanges", ["order_id"])
    asked = sa.text("point = 'asked'")
    op.create_index("ix_order_exchanges_asked", "order_exchanges", ["lease_expires_at"], postgresql_where=asked)
