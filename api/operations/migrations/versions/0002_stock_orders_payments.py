"""Stock, orders and payments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.String(length=50), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("guest_session", sa.String(length=255), nullable=True),
        sa.Column("guest_email", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=50), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("subtotal", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("tax", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("shipping_fee", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("discount", sa.Numeric(precision=12, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("payment_method", sa.String(length=50), nullable=True),
        sa.Column("payment_status", sa.String(length=50), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("shipping_address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("country", sa.String(length=100), nullable=False),
        sa.Column("delivery_speed", sa.String(length=50), server_default=sa.text("'standard'"), nullable=False),
        sa.Column("estimated_delivery", sa.Date(), nullable=True),
        sa.Column("actual_delivery", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.String(length=10), server_default=sa.text("'native'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "payment_status IN ('pending', 'authorised', 'paid', 'declined', 'voided', 'refunded')",
            name=op.f("ck_orders_payment_status"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'confirmed', 'processing', 'shipped', 'delivered', 'return_requested', 'return_approved', 'refunded', 'cancelled')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint(
            "subtotal >= 0 AND tax >= 0 AND shipping_fee >= 0 AND discount >= 0 AND total >= 0",
            name=op.f("ck_orders_amounts"),
        ),
        sa.CheckConstraint("total = subtotal + tax + shipping_fee - discount", name=op.f("ck_orders_total")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_orders_user_id_users")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        sa.UniqueConstraint("order_number", name=op.f("uq_orders_order_number")),
    )
    op.create_index("ix_orders_created", "orders", ["created_at", "order_id"], unique=False)
    op.create_index(op.f("ix_orders_guest_session"), "orders", ["guest_session"], unique=False)
    op.create_index("ix_orders_user", "orders", ["user_id", "created_at"], unique=False)
    op.create_table(
        "order_events",
        sa.Column("order_event_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("from_status", sa.String(length=50), nullable=True),
        sa.Column("to_status", sa.String(length=50), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_events_order_id_orders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("order_event_id", name=op.f("pk_order_events")),
        sa.UniqueConstraint("order_id", "sequence", name=op.f("uq_order_events_order_id_sequence")),
    )
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("gateway_key", sa.String(length=100), nullable=False),
        sa.Column("gateway_reference", sa.String(length=100), nullable=True),
        sa.Column("method_type", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("captured_amount", sa.Numeric(precision=12, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_amount", sa.Numeric(precision=12, scale=2), server_default=sa.text("0"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("origin", sa.String(length=10), server_default=sa.text("'native'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'authorised', 'captured', 'voided', 'declined', 'failed')",
            name=op.f("ck_payments_status"),
        ),
        sa.CheckConstraint(
            "amount > 0 AND captured_amount >= 0 AND refunded_amount >= 0", name=op.f("ck_payments_amounts")
        ),
        sa.CheckConstraint(
            "captured_amount <= amount AND refunded_amount <= captured_amount", name=op.f("ck_payments_bounds")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_payments_order_id_orders")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payments")),
        sa.UniqueConstraint("checkout_id", name=op.f("uq_payments_checkout_id")),
        sa.UniqueConstraint("gateway_key", name=op.f("uq_payments_gateway_key")),
    )
    op.create_index(op.f("ix_payments_order_id"), "payments", ["order_id"], unique=False)
    op.create_table(
        "inventory_reservations",
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'active'"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'confirmed', 'released', 'expired')", name=op.f("ck_inventory_reservations_status")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_inventory_reservations_quantity")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_inventory_reservations_variant_id_product_variants"),
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"],
            ["warehouses.warehouse_id"],
            name=op.f("fk_inventory_reservations_warehouse_id_warehouses"),
        ),
        sa.PrimaryKeyConstraint("reservation_id", name=op.f("pk_inventory_reservations")),
    )
    op.create_index(
        "ix_inventory_reservations_due",
        "inventory_reservations",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(op.f("ix_inventory_reservations_order_id"), "inventory_reservations", ["order_id"], unique=False)
    op.create_index(
        op.f("ix_inventory_reservations_variant_id"), "inventory_reservations", ["variant_id"], unique=False
    )
    op.create_index(
        "uq_inventory_reservations_line",
        "inventory_reservations",
        ["checkout_id", "variant_id", "warehouse_id"],
        unique=True,
    )
    op.create_table(
        "inventory_transactions",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_no", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=True),
        sa.Column("quantity_change", sa.Integer(), nullable=False),
        sa.Column("transaction_type", sa.String(length=50), nullable=False),
        sa.Column("reference_id", sa.Uuid(), nullable=True),
        sa.Column("previous_quantity", sa.Integer(), nullable=False),
        sa.Column("new_quantity", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "transaction_type IN ('initial', 'purchase', 'reservation', 'release', 'return', 'adjustment', 'sale')",
            name=op.f("ck_inventory_transactions_transaction_type"),
        ),
        sa.CheckConstraint(
            "new_quantity = previous_quantity + quantity_change", name=op.f("ck_inventory_transactions_arithmetic")
        ),
        sa.CheckConstraint("new_quantity >= 0", name=op.f("ck_inventory_transactions_new_quantity")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_inventory_transactions_variant_id_product_variants"),
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"],
            ["warehouses.warehouse_id"],
            name=op.f("fk_inventory_transactions_warehouse_id_warehouses"),
        ),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_inventory_transactions")),
        sa.UniqueConstraint("transaction_no", name=op.f("uq_inventory_transactions_transaction_no")),
    )
    op.create_index(
        op.f("ix_inventory_transactions_reference_id"), "inventory_transactions", ["reference_id"], unique=False
    )
    op.create_index(
        "ix_inventory_transactions_variant", "inventory_transactions", ["variant_id", "transaction_no"], unique=False
    )
    op.create_table(
        "order_items",
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_at_purchase", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("subtotal", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("status", sa.String(length=50), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_items_quantity")),
        sa.CheckConstraint("subtotal = quantity * price_at_purchase", name=op.f("ck_order_items_subtotal")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.order_id"], name=op.f("fk_order_items_order_id_orders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.product_id"], name=op.f("fk_order_items_product_id_products")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], name=op.f("fk_order_items_seller_id_users")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["product_variants.variant_id"], name=op.f("fk_order_items_variant_id_product_variants")
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["warehouses.warehouse_id"], name=op.f("fk_order_items_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("order_item_id", name=op.f("pk_order_items")),
    )
    op.create_index(op.f("ix_order_items_order_id"), "order_items", ["order_id"], unique=False)
    op.create_index(op.f("ix_order_items_product_id"), "order_items", ["product_id"], unique=False)
    op.create_index("ix_order_items_seller", "order_items", ["seller_id", "created_at"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("gateway_key", sa.String(length=100), nullable=False),
        sa.Column("gateway_reference", sa.String(length=100), nullable=True),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("origin", sa.String(length=10), server_default=sa.text("'native'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'refunded', 'failed')", name=op.f("ck_refunds_status")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_refunds_order_id_orders")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.payment_id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("gateway_key", name=op.f("uq_refunds_gateway_key")),
    )
    op.create_index(op.f("ix_refunds_order_id"), "refunds", ["order_id"], unique=False)
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)
    op.create_table(
        "warehouse_stock",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("warehouse_id", sa.Uuid(), nullable=False),
        sa.Column("available", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("inbound", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_warehouse_stock_available")),
        sa.CheckConstraint("inbound >= 0", name=op.f("ck_warehouse_stock_inbound")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_warehouse_stock_reserved")),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["product_variants.variant_id"],
            name=op.f("fk_warehouse_stock_variant_id_product_variants"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["warehouse_id"], ["warehouses.warehouse_id"], name=op.f("fk_warehouse_stock_warehouse_id_warehouses")
        ),
        sa.PrimaryKeyConstraint("variant_id", "warehouse_id", name=op.f("pk_warehouse_stock")),
    )
    op.create_table(
        "returns",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'requested'"), nullable=False),
        sa.Column("refund_amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("origin", sa.String(length=10), server_default=sa.text("'native'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'refunded', 'rejected')", name=op.f("ck_returns_status")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_returns_quantity")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name=op.f("fk_returns_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["order_item_id"], ["order_items.order_item_id"], name=op.f("fk_returns_order_item_id_order_items")
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.product_id"], name=op.f("fk_returns_product_id_products")),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], name=op.f("fk_returns_seller_id_users")),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_returns_user_id_users")),
        sa.PrimaryKeyConstraint("return_id", name=op.f("pk_returns")),
    )
    op.create_index(op.f("ix_returns_order_id"), "returns", ["order_id"], unique=False)
    op.create_index(op.f("ix_returns_order_item_id"), "returns", ["order_item_id"], unique=False)
    op.create_index("ix_returns_seller", "returns", ["seller_id", "created_at"], unique=False)
