"""Pictures that are to be fetched have rows of their own: what a product shows is the shop's.

Addresses elsewhere that products have linked to until now are fetched as soon as a worker runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None

# The host as `api/media/outside.py` names it; one whose address has none is given up with the reason of a fetch.
MOVE = """
    WITH moved AS (
        DELETE FROM product_images WHERE picture IS NULL
        RETURNING image_id, product_id, position, url, alt, variant_id, created_at)
    INSERT INTO awaited_images (
        image_id, product_id, seller_id, position, source, host, alt, variant_id, next_try, created_at)
    SELECT m.image_id, m.product_id, p.seller_id, m.position, m.url,
           left(coalesce(lower(substring(m.url FROM '^[a-zA-Z]+://(?:[^/?#]*@)?([^/?#]+)')), '-'), 300),
           m.alt, m.variant_id, now(), m.created_at
    FROM moved m JOIN products p USING (product_id)
    WHERE p.deleted_at IS NULL"""


def upgrade() -> None:
    op.create_table(
        "awaited_images",
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(1000), nullable=False),
        sa.Column("host", sa.String(300), nullable=False),
        sa.Column("alt", sa.String(500), nullable=True),
        sa.Column("variant_id", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(300), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("next_try IS NOT NULL OR reason IS NOT NULL", name=op.f("ck_awaited_images_reason")),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_awaited_images_tries")),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_awaited_images_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_awaited_images_variant_id_product_variants"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_awaited_images")),
    )
    op.create_index("ix_awaited_images_product", "awaited_images", ["product_id", "position"])
    op.create_index("ix_awaited_images_seller", "awaited_images", ["seller_id", "source", "image_id"])
    op.create_index("ix_awaited_images_variant_id", "awaited_images", ["variant_id"])
    op.create_index(
        "ix_awaited_images_due",
        "awaited_images",
        ["host", "next_try"],
        postgresql_where=sa.text("next_try IS NOT NULL"),
    )
    op.create_index(
        "ix_awaited_images_job", "awaited_images", ["job_id", "row"], postgresql_where=sa.text("job_id IS NOT NULL")
    )
    op.add_column("product_images", sa.Column("source", sa.String(1000), nullable=True))
    op.create_index(
        "ix_product_images_source", "product_images", ["source"], postgresql_where=sa.text("source IS NOT NULL")
    )
    op.execute(MOVE)
    op.create_check_constraint("picture", "product_images", "picture IS NOT NULL")
