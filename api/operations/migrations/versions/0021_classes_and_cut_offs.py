"""A product has a tax class and a weight; a warehouse has a cut-off in its time zone, and says whether it is fast enough
for Prime."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = (
    ("products", sa.Column("tax_class", sa.String(20), server_default="standard", nullable=False)),
    ("products", sa.Column("weight_grams", sa.Integer(), nullable=True)),
    ("warehouses", sa.Column("prime_capable", sa.Boolean(), server_default=sa.true(), nullable=False)),
    ("warehouses", sa.Column("cut_off_minutes", sa.Integer(), server_default="840", nullable=False)),
    ("warehouses", sa.Column("time_zone", sa.String(50), server_default="UTC", nullable=False)),
)
CHECKS = (
    ("products", "tax_class", "tax_class IN ('standard', 'food', 'books')"),
    ("products", "weight_grams", "weight_grams BETWEEN 1 AND 1000000"),
    ("warehouses", "cut_off_minutes", "cut_off_minutes BETWEEN 0 AND 1410 AND cut_off_minutes % 30 = 0"),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column, if_not_exists=True)
    for table, name, condition in CHECKS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
    with op.get_context().autocommit_block():
        for table, name, _ in CHECKS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
