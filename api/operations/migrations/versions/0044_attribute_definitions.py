"""A category defines the attributes of its products and of those below it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attribute_definitions",
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("allowed_values", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("required", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("variant_axis", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("facet", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "type IN ('text', 'number', 'boolean', 'enum', 'date')", name=op.f("ck_attribute_definitions_type")
        ),
        sa.CheckConstraint("unit IS NULL OR type = 'number'", name=op.f("ck_attribute_definitions_unit")),
        sa.CheckConstraint(
            "(jsonb_array_length(allowed_values) > 0) = (type = 'enum')",
            name=op.f("ck_attribute_definitions_allowed_values"),
        ),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.category_id"], name=op.f("fk_attribute_definitions_category_id_categories")
        ),
        sa.PrimaryKeyConstraint("category_id", "name", name=op.f("pk_attribute_definitions")),
    )
