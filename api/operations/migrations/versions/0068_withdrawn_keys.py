"""Licence keys that their seller took out of the pool: each has its withdrawal, and is nobody's."""

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None

_POOL = "order_item_id IS NULL AND withdrawal_id IS NULL"


def upgrade() -> None:
    op.create_table(
        "key_withdrawals",
        sa.Column("withdrawal_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=False),
        sa.Column("keys", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("keys > 0", name=op.f("ck_key_withdrawals_keys")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["product_variants.variant_id"], name=op.f("fk_key_withdrawals_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("withdrawal_id", name=op.f("pk_key_withdrawals")),
    )
    op.create_index("ix_key_withdrawals_variant", "key_withdrawals", ["variant_id", "created_at"])
    op.add_column("licence_keys", sa.Column("withdrawal_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_licence_keys_withdrawal_id_key_withdrawals"),
        "licence_keys",
        "key_withdrawals",
        ["withdrawal_id"],
        ["withdrawal_id"],
    )
    op.create_check_constraint(
        op.f("ck_licence_keys_withdrawn"), "licence_keys", "withdrawal_id IS NULL OR order_item_id IS NULL"
    )
    op.create_index(
        "ix_licence_keys_withdrawal",
        "licence_keys",
        ["withdrawal_id"],
        postgresql_where=sa.text("withdrawal_id IS NOT NULL"),
    )
    op.drop_index("ix_licence_keys_pool", "licence_keys")
    op.create_index("ix_licence_keys_pool", "licence_keys", ["variant_id", "key_id"], postgresql_where=sa.text(_POOL))
