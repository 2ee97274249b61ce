"""Digital goods that are files, and who may download them."""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "digital_files",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("object_key", sa.String(100), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("bytes > 0", name=op.f("ck_digital_files_bytes")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["product_variants.variant_id"], name=op.f("fk_digital_files_variant_id_product_variants")
        ),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_digital_files")),
        sa.UniqueConstraint("object_key", name=op.f("uq_digital_files_object_key")),
    )
    op.create_table(
        "download_rights",
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("used BETWEEN 0 AND most", name=op.f("ck_download_rights_used")),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["order_items.order_item_id"], name=op.f("fk_download_rights_order_item_id_order_items")
        ),
        sa.PrimaryKeyConstraint("order_item_id", name=op.f("pk_download_rights")),
    )
