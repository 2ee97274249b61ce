"""Units may be sold before a warehouse has them, up to a limit; their parcels wait in a state of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_STATES = (
    "'pending', 'backordered', 'confirmed', 'processing', 'shipped', 'delivered', 'return_requested',"
    " 'return_approved', 'refunded', 'cancelled'"
)
_GUARD = (
    "CREATE TRIGGER {table}_move BEFORE UPDATE OF status ON {table} FOR EACH ROW"
    " WHEN (OLD.status IS DISTINCT FROM NEW.status AND CASE OLD.status"
    " WHEN 'backordered' THEN NEW.status NOT IN ('cancelled', 'confirmed')"
    " WHEN 'confirmed' THEN NEW.status NOT IN ('cancelled', 'processing')"
    " WHEN 'delivered' THEN NEW.status NOT IN ('return_requested')"
    " WHEN 'pending' THEN NEW.status NOT IN ('backordered', 'cancelled', 'confirmed')"
    " WHEN 'processing' THEN NEW.status NOT IN ('cancelled', 'shipped')"
    " WHEN 'return_approved' THEN NEW.status NOT IN ('refunded')"
    " WHEN 'return_requested' THEN NEW.status NOT IN ('delivered', 'return_approved')"
    " WHEN 'shipped' THEN NEW.status NOT IN ('delivered')"
    " ELSE true END) EXECUTE FUNCTION refuse_move_of_state()"
)


def upgrade() -> None:
    op.add_column("product_variants", _count("owed", 0))
    op.create_check_constraint(op.f("ck_product_variants_owed"), "product_variants", "owed >= 0")
    for name, default in (("owed", 0), ("backorder_limit", 0), ("backorder_days", 14)):
        op.add_column("warehouse_stock", _count(name, default))
    for name, condition in (
        ("owed", "owed BETWEEN 0 AND backorder_limit"),
        ("covered", "available = 0 OR owed = 0"),
        ("backorder_days", "backorder_days BETWEEN 1 AND 365"),
    ):
        op.create_check_constraint(op.f(f"ck_warehouse_stock_{name}"), "warehouse_stock", condition)
    op.drop_constraint(op.f("ck_inventory_transactions_new_quantity"), "inventory_transactions")
    op.add_column("parcels", sa.Column("expected_on", sa.Date(), nullable=True))
    op.add_column("parcels", sa.Column("late_told_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("ck_parcels_status"), "parcels")
    op.create_check_constraint(op.f("ck_parcels_status"), "parcels", f"status IN ({_STATES})")
    op.create_index(
        "ix_parcels_waiting",
        "parcels",
        ["created_at", "parcel_id"],
        postgresql_where=sa.text("expected_on IS NOT NULL AND status IN ('pending', 'backordered')"),
    )
    for table in ("orders", "parcels", "order_items"):
        op.execute(f"DROP TRIGGER {table}_move ON {table}")
        op.execute(_GUARD.format(table=table))


def _count(name: str, default: int) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text(str(default)), nullable=False)
