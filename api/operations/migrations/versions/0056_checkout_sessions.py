"""Checkout sessions of agents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkout_sessions",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("partner", sa.String(40), nullable=False),
        sa.Column("guest_session", sa.String(255), nullable=False),
        sa.Column("status", sa.String(20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("completing_key", sa.String(255), nullable=True),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("view", JSONB(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'completing', 'completed', 'canceled')", name=op.f("ck_checkout_sessions_status")
        ),
        sa.CheckConstraint("(status = 'completed') = (order_id IS NOT NULL)", name=op.f("ck_checkout_sessions_order")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_checkout_sessions")),
        sa.UniqueConstraint("order_id", name=op.f("uq_checkout_sessions_order_id")),
    )
    op.create_index(op.f("ix_checkout_sessions_expires_at"), "checkout_sessions", ["expires_at"])
