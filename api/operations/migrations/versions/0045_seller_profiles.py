"""A seller says who they are, how they can be reached and how they sell."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seller_profiles",
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("policies", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("trader", sa.Boolean(), nullable=False),
        sa.Column("contact", postgresql.JSONB(), nullable=True),
        sa.Column("safety_contact", postgresql.JSONB(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("contact IS NOT NULL OR NOT trader", name=op.f("ck_seller_profiles_contact")),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["sellers.seller_id"], name=op.f("fk_seller_profiles_seller_id_sellers")
        ),
        sa.PrimaryKeyConstraint("seller_id", name=op.f("pk_seller_profiles")),
    )
