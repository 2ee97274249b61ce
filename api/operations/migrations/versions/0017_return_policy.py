"""A return has a reason of the refund policy's table, a fee, and what became of its units."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("reason_code", sa.String(length=30), server_default=sa.text("'other'"), nullable=False),
        sa.Column("fee_amount", sa.Numeric(precision=12, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("restocked", sa.Boolean(), nullable=True),
    ):
        op.add_column("returns", column, if_not_exists=True)
    op.execute("ALTER TABLE returns DROP CONSTRAINT IF EXISTS ck_returns_fee")
    op.execute("ALTER TABLE returns ADD CONSTRAINT ck_returns_fee CHECK (fee_amount >= 0) NOT VALID")
    op.execute("ALTER TABLE returns VALIDATE CONSTRAINT ck_returns_fee")
