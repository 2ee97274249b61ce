"""Pictures that the shop keeps itself, and who shows them."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("name", sa.String(41), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("media_type", sa.String(30), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("blur", sa.Text(), nullable=False),
        sa.Column("kept", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("width > 0 AND height > 0 AND bytes > 0", name=op.f("ck_pictures_measures")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pictures")),
        sa.UniqueConstraint("digest", name=op.f("uq_pictures_digest")),
    )
    op.create_index("ix_pictures_unkept", "pictures", ["created_at"], postgresql_where=sa.text("NOT kept"))
    op.create_table(
        "picture_uses",
        sa.Column("name", sa.String(41), nullable=False),
        sa.Column("owner_kind", sa.String(20), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("owner_kind IN ('product', 'review')", name=op.f("ck_picture_uses_owner_kind")),
        sa.ForeignKeyConstraint(["name"], ["pictures.name"], name=op.f("fk_picture_uses_name_pictures")),
        sa.PrimaryKeyConstraint("name", "owner_kind", "owner_id", name=op.f("pk_picture_uses")),
    )
    op.create_index("ix_picture_uses_owner", "picture_uses", ["owner_id", "owner_kind"])
    op.add_column("product_images", sa.Column("picture", sa.String(41), nullable=True))
    op.add_column("product_images", sa.Column("alt", sa.String(500), nullable=True))
    op.add_column("product_images", sa.Column("variant_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_product_images_picture_pictures"), "product_images", "pictures", ["picture"], ["name"]
    )
    op.create_foreign_key(
        op.f("fk_product_images_variant_id_product_variants"),
        "product_images",
        "product_variants",
        ["variant_id"],
        ["variant_id"],
        ondelete="SET NULL",
    )
    # What removes a picture, or a variant, asks which rows show it.
    op.create_index("ix_product_images_picture", "product_images", ["picture"])
    op.create_index("ix_product_images_variant_id", "product_images", ["variant_id"])
