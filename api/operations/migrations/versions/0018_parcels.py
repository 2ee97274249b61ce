"""An order is sent in parcels, one per seller and warehouse, each with a state of its own; Postgres refuses a move of an
order, a parcel or a line that the state machine does not have.

The tables are empty when their foreign keys are made; earlier orders get their parcels afterwards, batch by batch, each
with the steps that its order took.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_STATES = (
    "'pending', 'confirmed', 'processing', 'shipped', 'delivered', 'return_requested', 'return_approved', 'refunded',"
    " 'cancelled'"
)
# An order that moves meanwhile is locked first: its parcels follow it, because the shop moves them with it.
FILL = """
WITH batch AS (
  SELECT order_id FROM orders WHERE order_id > :after ORDER BY order_id LIMIT :size FOR NO KEY UPDATE
),
packed AS (
  SELECT gen_random_uuid() AS parcel_id, i.order_id, i.seller_id, i.warehouse_id,
         row_number() OVER (PARTITION BY i.order_id ORDER BY min(i.order_item_id::text)) AS number
  FROM order_items i JOIN batch USING (order_id)
  WHERE i.parcel_id IS NULL AND NOT EXISTS (SELECT FROM parcels p WHERE p.order_id = i.order_id)
  GROUP BY i.order_id, i.seller_id, i.warehouse_id
),
filled AS (
  INSERT INTO parcels (parcel_id, order_id, number, seller_id, warehouse_id, status, promised_on, begun_at, shipped_at,
    delivered_at, origin, created_at, updated_at)
  SELECT p.parcel_id, p.order_id, p.number, p.seller_id, p.warehouse_id, o.status, o.estimated_delivery,
    (SELECT min(e.created_at) FROM order_events e WHERE e.order_id = o.order_id AND e.to_status = 'processing'),
    (SELECT min(e.created_at) FROM order_events e WHERE e.order_id = o.order_id AND e.to_status = 'shipped'),
    (SELECT min(e.created_at) FROM order_events e WHERE e.order_id = o.order_id AND e.to_status = 'delivered'),
    o.origin, o.created_at, o.updated_at
  FROM packed p JOIN orders o USING (order_id)
),
stepped AS (
  INSERT INTO parcel_events (parcel_id, sequence, from_status, to_status, actor_kind, reason, created_at)
  SELECT p.parcel_id, e.sequence, e.from_status, e.to_status, e.actor_kind, e.reason, e.created_at
  FROM packed p JOIN order_events e USING (order_id)
),
named AS (
  UPDATE order_items i SET parcel_id = p.parcel_id FROM packed p
  WHERE i.order_id = p.order_id AND i.seller_id = p.seller_id AND i.warehouse_id IS NOT DISTINCT FROM p.warehouse_id
    AND i.parcel_id IS NULL
)
SELECT order_id FROM batch ORDER BY order_id DESC LIMIT 1
"""
_MOVE = """
CREATE OR REPLACE FUNCTION refuse_move_of_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % never goes from % to %', TG_TABLE_NAME, OLD.status, NEW.status
        USING ERRCODE = 'restrict_violation';
END $$
"""
_GUARD = (
    "CREATE TRIGGER {table}_move BEFORE UPDATE OF status ON {table} FOR EACH ROW"
    " WHEN (OLD.status IS DISTINCT FROM NEW.status AND CASE OLD.status"
    " WHEN 'confirmed' THEN NEW.status NOT IN ('cancelled', 'processing')"
    " WHEN 'delivered' THEN NEW.status NOT IN ('return_requested')"
    " WHEN 'pending' THEN NEW.status NOT IN ('cancelled', 'confirmed')"
    " WHEN 'processing' THEN NEW.status NOT IN ('cancelled', 'shipped')"
    " WHEN 'return_approved' THEN NEW.status NOT IN ('refunded')"
    " WHEN 'return_requested' THEN NEW.status NOT IN ('delivered', 'return_approved')"
    " WHEN 'shipped' THEN NEW.status NOT IN ('delivered')"
    " ELSE true END) EXECUTE FUNCTION refuse_move_of_state()"
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _create()
        op.execute(_MOVE)
        for table in ("orders", "parcels", "order_items"):
            op.execute(f"DROP TRIGGER IF EXISTS {table}_move ON {table}")
            op.execute(_GUARD.format(table=table))
        fill_in_batches(op.get_bind(), FILL)


def _create() -> None:
    op.create_table(
        "parcels",
        sa.Column("parcel_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(length=50), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("carrier", sa.String(length=100), nullable=True),
        sa.Column("tracking_number", sa.String(length=100), nullable=True),
        sa.Column("origin", sa.String(length=10), server_default=sa.text("'native'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"status IN ({_STATES})", name=op.f("ck_parcels_status")),
        sa.CheckConstraint("number > 0", name=op.f("ck_parcels_number")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_parcels_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("parcel_id", name=op.f("pk_parcels")),
        sa.UniqueConstraint("order_id", "number", name=op.f("uq_parcels_order_id_number")),
        if_not_exists=True,
    )
    op.create_index("ix_parcels_seller", "parcels", ["seller_id", "created_at", "order_id"], if_not_exists=True)
    op.create_table(
        "parcel_events",
        sa.Column("parcel_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("from_status", sa.String(length=50), nullable=True),
        sa.Column("to_status", sa.String(length=50), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["parcel_id"], ["parcels.parcel_id"], name=op.f("fk_parcel_events_parcel_id_parcels"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("parcel_id", "sequence", name=op.f("pk_parcel_events")),
        if_not_exists=True,
    )
    op.add_column(
        "order_items",
        sa.Column("parcel_id", sa.Uuid(), sa.ForeignKey("parcels.parcel_id", name="fk_order_items_parcel_id_parcels")),
        if_not_exists=True,
    )
