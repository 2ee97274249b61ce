"""Units on their way to a warehouse, transfers and counts in the journal of stock, from how many units few are left,
and why a parcel's warehouse was chosen.

The checks are added without reading the tables, and then looked at while the shop writes. It may be run again from the
start when it was interrupted.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_CHECKS = (
    ("product_variants", "ck_product_variants_low_stock_at", "low_stock_at >= 0"),
    (
        "inventory_transactions",
        "ck_inventory_transactions_transaction_type",
        (
            "transaction_type IN ('initial', 'purchase', 'reservation', 'release', 'return', 'adjustment', 'sale',"
            " 'transfer', 'count')"
        ),
    ),
)


def upgrade() -> None:
    op.add_column(
        "product_variants",
        sa.Column("low_stock_at", sa.Integer(), server_default=sa.text("15"), nullable=False),
        if_not_exists=True,
    )
    op.add_column("parcels", sa.Column("allocation", JSONB(), nullable=True), if_not_exists=True)
    for table, name, condition in _CHECKS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
    op.create_table(
        "replenishments",
        sa.Column("replenishment_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_replenishments_quantity")),
        sa.CheckConstraint("received BETWEEN 0 AND quantity", name=op.f("ck_replenishments_received")),
        sa.CheckConstraint("status IN ('open', 'received', 'cancelled')", name=op.f("ck_replenishments_status")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_replenishments_variant_id_product_variants"),
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["warehouses.warehouse_id"], name=op.f("fk_replenishments_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("replenishment_id", name=op.f("pk_replenishments")),
        if_not_exists=True,
    )
    op.create_index(
        "ix_replenishments_variant", "replenishments", ["variant_id", "replenishment_id"], if_not_exists=True
    )
    with op.get_context().autocommit_block():
        for table, name, _ in _CHECKS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
