"""Mails, the tokens in them, and the guest orders of an address."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "mails",
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", moment, nullable=True),
        sa.CheckConstraint("status IN ('queued', 'sent', 'failed')", name=op.f("ck_mails_status")),
        sa.PrimaryKeyConstraint("mail_id", name=op.f("pk_mails")),
    )
    queued, done = sa.text("status = 'queued'"), sa.text("status <> 'queued'")
    op.create_index("ix_mails_due", "mails", ["priority", "next_attempt_at"], postgresql_where=queued)
    op.create_index("ix_mails_done", "mails", ["created_at"], postgresql_where=done)
    op.create_table(
        "order_tokens",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("used_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(purpose = 'order' AND order_id IS NOT NULL AND user_id IS NULL)"
            " OR (purpose = 'claim' AND order_id IS NULL AND user_id IS NOT NULL AND email IS NOT NULL)",
            name=op.f("ck_order_tokens_purpose"),
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_order_tokens_email_lower")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_tokens_order_id_orders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_order_tokens_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_order_tokens")),
    )
    op.create_index(op.f("ix_order_tokens_order_id"), "order_tokens", ["order_id"])
    op.create_index(op.f("ix_order_tokens_expires_at"), "order_tokens", ["expires_at"])
    claims = sa.text("purpose = 'claim'")
    op.create_index("ix_order_tokens_claims", "order_tokens", ["created_at"], postgresql_where=claims)
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and is not valid.
        op.drop_index("ix_orders_guest_email", table_name="orders", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_orders_guest_email",
            "orders",
            [sa.text("lower(guest_email)")],
            postgresql_where=sa.text("user_id IS NULL"),
            postgresql_concurrently=True,
        )
