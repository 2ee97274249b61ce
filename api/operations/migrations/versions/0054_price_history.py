"""What variants have cost. What there is gets its first row with its product's first version."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("product_variants", sa.Column("lowest_price_30d", sa.Numeric(12, 2)), if_not_exists=True)
    op.create_table(
        "price_changes",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.PrimaryKeyConstraint("variant_id", "at", name=op.f("pk_price_changes")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_price_changes_variant_id_product_variants"),
            ondelete="CASCADE",
        ),
        if_not_exists=True,
    )
    # Of products whose first version is there already.
    op.execute(
        "INSERT INTO price_changes (variant_id, at, price) SELECT v.variant_id, v.created_at, v.price"
        " FROM product_variants v WHERE v.removed_at IS NULL"
        " AND v.product_id IN (SELECT product_id FROM product_versions) ON CONFLICT DO NOTHING"
    )
