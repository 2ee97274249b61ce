"""Tables of payments and refunds."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, PAYMENT_REFERENCE, CreatedAt, Currency, Id, Money, Origin, UpdatedAt
from api.kernel.db import Base


class Payment(Base):
    """`gateway_key` derives from the checkout, not from an attempt, so repeating a
    call to the gateway cannot charge twice."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'authorised', 'captured', 'voided', 'declined', 'failed')", name="status"
        ),
        CheckConstraint("amount > 0 AND captured_amount >= 0 AND refunded_amount >= 0", name="amounts"),
        CheckConstraint("captured_amount <= amount AND refunded_amount <= captured_amount", name="bounds"),
    )

    payment_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"), index=True)
    checkout_id: Mapped[UUID] = mapped_column(unique=True)
    gateway: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    gateway_key: Mapped[str] = mapped_column(String(100), unique=True, info=PAYMENT_REFERENCE)
    gateway_reference: Mapped[str | None] = mapped_column(String(100), info=PAYMENT_REFERENCE)
    method_type: Mapped[str] = mapped_column(String(50), info=NOT_PERSONAL)
    status: Mapped[str] = mapped_column(String(20), server_default=text("'pending'"), info=NOT_PERSONAL)
    amount: Mapped[Money]
    captured_amount: Mapped[Money] = mapped_column(server_default=text("0"))
    refunded_amount: Mapped[Money] = mapped_column(server_default=text("0"))
    currency: Mapped[Currency]
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Refund(Base):
    """Money that goes back, and what it is for. The parts are null only while the migration that added them fills
    earlier rows. `booking_id`: the first of the refunds that pay for one thing, each from another payment of the order;
    null for one that was asked for before orders had several."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("amount = goods_amount + tax_amount + shipping_amount", name="parts"),
        CheckConstraint("status IN ('pending', 'refunded', 'failed')", name="status"),
        # The worker looks for these every two seconds; almost all rows are settled.
        Index("ix_refunds_pending", "created_at", postgresql_where=text("status = 'pending'")),
    )

    refund_id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.payment_id"), index=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"), index=True)
    booking_id: Mapped[UUID | None]
    gateway_key: Mapped[str] = mapped_column(String(100), unique=True, info=PAYMENT_REFERENCE)
    gateway_reference: Mapped[str | None] = mapped_column(String(100), info=PAYMENT_REFERENCE)
    amount: Mapped[Money]
    goods_amount: Mapped[Money | None]
    tax_amount: Mapped[Money | None]
    shipping_amount: Mapped[Money | None]
    status: Mapped[str] = mapped_column(String(20), server_default=text("'pending'"), info=NOT_PERSONAL)
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
