"""Promotions with their codes, the codes in carts, and what orders redeemed."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")
_LIVING = sa.text("status = 'redeemed'")


def _created() -> sa.Column[object]:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False)


def upgrade() -> None:
    op.add_column("carts", sa.Column("coupons", sa.String(300), nullable=True), if_not_exists=True)
    op.add_column(
        "orders",
        sa.Column("redemptions", sa.Integer(), server_default=sa.text("0"), nullable=False),
        if_not_exists=True,
    )
    op.alter_column("order_items", "promotion", type_=sa.String(500), existing_type=sa.String(100))
    _promotions()
    op.create_table(
        "coupons",
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_email", sa.String(255), nullable=True),
        _created(),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.promotion_id"], name=op.f("fk_coupons_promotion_id_promotions")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_coupons")),
    )
    op.create_index(op.f("ix_coupons_promotion_id"), "coupons", ["promotion_id"])
    _redemptions()
    op.create_table(
        "coupon_discounts",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        _created(),
        sa.CheckConstraint("amount > 0", name=op.f("ck_coupon_discounts_amount")),
        sa.ForeignKeyConstraint(
            ["redemption_id"],
            ["coupon_redemptions.redemption_id"],
            name=op.f("fk_coupon_discounts_redemption_id_coupon_redemptions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["order_item_id"],
            ["order_items.order_item_id"],
            name=op.f("fk_coupon_discounts_order_item_id_order_items"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("redemption_id", "order_item_id", name=op.f("pk_coupon_discounts")),
    )
    op.create_index(op.f("ix_coupon_discounts_order_item_id"), "coupon_discounts", ["order_item_id"])


def _promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("value", sa.Numeric(12, 2), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("minimum", sa.Numeric(12, 2), server_default=sa.text("0"), nullable=False),
        sa.Column("max_discount", sa.Numeric(12, 2), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("exclusive_group", sa.String(50), nullable=True),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("combines", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("total_limit", sa.Integer(), nullable=True),
        sa.Column("per_buyer_limit", sa.Integer(), nullable=True),
        sa.Column("redeemed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        _created(),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("kind IN ('percent', 'amount', 'free_shipping')", name=op.f("ck_promotions_kind")),
        sa.CheckConstraint(
            "CASE kind WHEN 'percent' THEN value > 0 AND value <= 100 WHEN 'amount' THEN value > 0 ELSE value = 0 END",
            name=op.f("ck_promotions_value"),
        ),
        sa.CheckConstraint("minimum >= 0 AND max_discount > 0", name=op.f("ck_promotions_amounts")),
        sa.CheckConstraint("total_limit > 0 AND per_buyer_limit > 0", name=op.f("ck_promotions_limits")),
        sa.CheckConstraint("redeemed >= 0 AND redeemed <= total_limit", name=op.f("ck_promotions_redeemed")),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], name=op.f("fk_promotions_seller_id_users")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.product_id"], name=op.f("fk_promotions_product_id_products")
        ),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.category_id"], name=op.f("fk_promotions_category_id_categories")
        ),
        sa.PrimaryKeyConstraint("promotion_id", name=op.f("pk_promotions")),
    )
    op.create_index(op.f("ix_promotions_seller_id"), "promotions", ["seller_id"])


def _redemptions() -> None:
    op.create_table(
        "coupon_redemptions",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("buyer_email", sa.String(255), nullable=True),
        sa.Column("discount", sa.Numeric(12, 2), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("funded_by", sa.String(10), nullable=False),
        sa.Column("status", sa.String(10), server_default="redeemed", nullable=False),
        _created(),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('redeemed', 'released')", name=op.f("ck_coupon_redemptions_status")),
        sa.CheckConstraint("funded_by IN ('seller', 'shop')", name=op.f("ck_coupon_redemptions_funded_by")),
        sa.CheckConstraint("discount >= 0", name=op.f("ck_coupon_redemptions_discount")),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.promotion_id"], name=op.f("fk_coupon_redemptions_promotion_id_promotions")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.order_id"],
            name=op.f("fk_coupon_redemptions_order_id_orders"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_coupon_redemptions_user_id_users")),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_coupon_redemptions")),
        sa.UniqueConstraint("order_id", "promotion_id", name=op.f("uq_coupon_redemptions_order_id_promotion_id")),
    )
    for name, column in (("user", "user_id"), ("email", "buyer_email")):
        op.create_index(
            f"ix_coupon_redemptions_{name}", "coupon_redemptions", ["promotion_id", column], postgresql_where=_LIVING
        )
