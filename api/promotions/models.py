"""Tables of promotions, their codes, and redemptions."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, PII, SECRET, CreatedAt, Currency, Id, Instant, Money, UpdatedAt
from api.kernel.db import Base

_LIVING = text("status = 'redeemed'")


class Promotion(Base):
    """A seller's for their own lines, which the seller pays for; without `seller_id` it is the shop's, which pays.

    `redeemed`: how many living redemptions there are, of whatever code. `value`: per cent or an amount.
    """

    __tablename__ = "promotions"
    __table_args__ = (
        CheckConstraint("kind IN ('percent', 'amount', 'free_shipping')", name="kind"),
        CheckConstraint(
            "CASE kind WHEN 'percent' THEN value > 0 AND value <= 100 WHEN 'amount' THEN value > 0 ELSE value = 0 END",
            name="value",
        ),
        CheckConstraint("minimum >= 0 AND max_discount > 0", name="amounts"),
        CheckConstraint("total_limit > 0 AND per_buyer_limit > 0", name="limits"),
        CheckConstraint("redeemed >= 0 AND redeemed <= total_limit", name="redeemed"),
    )

    promotion_id: Mapped[Id]
    seller_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id"), index=True)
    name: Mapped[str] = mapped_column(String(80), info=NOT_PERSONAL)
    kind: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    value: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    currency: Mapped[Currency]
    minimum: Mapped[Money] = mapped_column(server_default=text("0"))
    max_discount: Mapped[Money | None]
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.product_id"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.category_id"))
    exclusive_group: Mapped[str | None] = mapped_column(String(50), info=NOT_PERSONAL)
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    combines: Mapped[bool] = mapped_column(server_default=text("true"))
    total_limit: Mapped[int | None]
    per_buyer_limit: Mapped[int | None]
    redeemed: Mapped[int] = mapped_column(server_default=text("0"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Coupon(Base):
    """A code that stands for a promotion. With `buyer_email` it is for that buyer alone."""

    __tablename__ = "coupons"
    __unpublished__ = True

    code: Mapped[str] = mapped_column(String(40), primary_key=True, info=SECRET)
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.promotion_id"), index=True)
    buyer_email: Mapped[str | None] = mapped_column(String(255), info=PII)
    created_at: Mapped[CreatedAt]


class CouponRedemption(Base):
    """A promotion that an order used, at most once. It lives until the whole order is cancelled.

    `discount`: off all lines; `funded_by`: who pays it, the promotion's seller or the shop.
    """

    __tablename__ = "coupon_redemptions"
    __table_args__ = (
        UniqueConstraint("order_id", "promotion_id"),
        CheckConstraint("status IN ('redeemed', 'released')", name="status"),
        CheckConstraint("funded_by IN ('seller', 'shop')", name="funded_by"),
        CheckConstraint("discount >= 0", name="discount"),
        Index("ix_coupon_redemptions_user", "promotion_id", "user_id", postgresql_where=_LIVING),
        Index("ix_coupon_redemptions_email", "promotion_id", "buyer_email", postgresql_where=_LIVING),
    )

    redemption_id: Mapped[Id]
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.promotion_id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(40), info=SECRET)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id"))
    buyer_email: Mapped[str | None] = mapped_column(String(255), info=PII)
    discount: Mapped[Money]
    currency: Mapped[Currency]
    funded_by: Mapped[str] = mapped_column(String(10), info=NOT_PERSONAL)
    status: Mapped[str] = mapped_column(String(10), server_default=text("'redeemed'"), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]
    released_at: Mapped[Instant | None]


class CouponDiscount(Base):
    """What a redemption takes off one line of its order."""

    __tablename__ = "coupon_discounts"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    redemption_id: Mapped[UUID] = mapped_column(
        ForeignKey("coupon_redemptions.redemption_id", ondelete="CASCADE"), primary_key=True
    )
    order_item_id: Mapped[UUID] = mapped_column(
        ForeignKey("order_items.order_item_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    amount: Mapped[Money]
    created_at: Mapped[CreatedAt]
