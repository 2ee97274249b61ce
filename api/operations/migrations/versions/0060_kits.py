"""Kits of other variants, and lines of orders that were bought as parts of one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kit_components",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("units BETWEEN 1 AND 999", name=op.f("ck_kit_components_units")),
        sa.CheckConstraint("component_id <> variant_id", name=op.f("ck_kit_components_component")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_kit_components_variant_id_product_variants"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["component_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_kit_components_component_id_product_variants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("variant_id", "component_id", name=op.f("pk_kit_components")),
    )
    op.create_index("ix_kit_components_component_id", "kit_components", ["component_id"])
    op.add_column("order_items", sa.Column("kit", postgresql.JSONB(), nullable=True), if_not_exists=True)
