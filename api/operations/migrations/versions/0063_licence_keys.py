"""Digital goods: pools of licence keys, and parcels that nobody sends."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    digital = sa.Column("digital", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    op.add_column("parcels", digital, if_not_exists=True)
    op.create_index(
        "ix_parcels_digital_due",
        "parcels",
        ["created_at", "parcel_id"],
        postgresql_where=sa.text("digital AND status = 'confirmed'"),
    )
    op.create_table(
        "licence_keys",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(order_item_id IS NULL) = (delivered_at IS NULL)", name=op.f("ck_licence_keys_delivered")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["product_variants.variant_id"], name=op.f("fk_licence_keys_variant_id_product_variants")
        ),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["order_items.order_item_id"], name=op.f("fk_licence_keys_order_item_id_order_items")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_licence_keys")),
    )
    op.create_index("uq_licence_keys_digest", "licence_keys", ["variant_id", "digest"], unique=True)
    op.create_index(
        "ix_licence_keys_pool",
        "licence_keys",
        ["variant_id", "key_id"],
        postgresql_where=sa.text("order_item_id IS NULL"),
    )
    op.create_index(
        "ix_licence_keys_line",
        "licence_keys",
        ["order_item_id"],
        postgresql_where=sa.text("order_item_id IS NOT NULL"),
    )
