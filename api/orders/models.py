"""Tables of orders, their lines, their steps, and returns."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Numeric, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import (
    FREE_TEXT,
    NOT_PERSONAL,
    PII,
    SECRET,
    CreatedAt,
    Currency,
    Id,
    Instant,
    Json,
    Money,
    Origin,
    UpdatedAt,
)
from api.kernel.db import Base
from api.orders.states import ORDER_STATES, PARCEL_STATES

_PARTS = "goods_amount + tax_amount + shipping_amount"
_STATES = ", ".join(f"'{state}'" for state in ORDER_STATES)
_STATES_OF_PARCELS = ", ".join(f"'{state}'" for state in PARCEL_STATES)


class Order(Base):
    """`user_id` is null for a guest's order, which is found by `guest_session`."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATES})", name="status"),
        CheckConstraint("total = subtotal + tax - tax_included + shipping_fee - discount", name="total"),
        CheckConstraint(
            "subtotal >= 0 AND tax >= 0 AND shipping_fee >= 0 AND discount >= 0 AND total >= 0", name="amounts"
        ),
        CheckConstraint("tax_included BETWEEN 0 AND tax", name="tax_included"),
        CheckConstraint(
            "payment_status IN ('pending', 'authorised', 'paid', 'declined', 'voided', 'refunded',"
            " 'partially_refunded')",
            name="payment_status",
        ),
        CheckConstraint("shipping_preference IN ('together', 'as_ready')", name="shipping_preference"),
        Index("ix_orders_user", "user_id", "created_at"),
        Index("ix_orders_created", "created_at", "order_id"),
        # The guest orders of an address, for the member who proves to read its mail.
        Index(
            "ix_orders_guest_email",
            text("lower(guest_email)"),
            postgresql_where=text("user_id IS NULL"),
        ),
    )

    order_id: Mapped[Id]
    order_number: Mapped[str] = mapped_column(String(50), unique=True, info=NOT_PERSONAL)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id"))
    guest_session: Mapped[str | None] = mapped_column(String(255), info=PII, index=True)
    guest_email: Mapped[str | None] = mapped_column(String(255), info=PII)
    status: Mapped[str] = mapped_column(String(50), server_default=text("'pending'"), info=NOT_PERSONAL)
    currency: Mapped[Currency]
    subtotal: Mapped[Money]
    tax: Mapped[Money]
    # The part of the tax that the shown prices contain already.
    tax_included: Mapped[Money] = mapped_column(server_default=text("0"))
    shipping_fee: Mapped[Money]
    discount: Mapped[Money] = mapped_column(server_default=text("0"))
    # How many promotions it used, also for shipping.
    redemptions: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[Money]
    payment_method: Mapped[str | None] = mapped_column(String(50), info=NOT_PERSONAL)
    payment_status: Mapped[str] = mapped_column(String(50), server_default=text("'pending'"), info=NOT_PERSONAL)
    shipping_address: Mapped[Json] = mapped_column(info=PII)
    # A country is no address, and the shop's figures are summed by it.
    country: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    delivery_speed: Mapped[str] = mapped_column(String(50), server_default=text("'standard'"), info=NOT_PERSONAL)
    # Whether a seller's parcels wait for each other.
    shipping_preference: Mapped[str] = mapped_column(String(20), server_default=text("'as_ready'"), info=NOT_PERSONAL)
    estimated_delivery: Mapped[date | None]
    actual_delivery: Mapped[Instant | None]
    # How often its buyer has changed it, and the edit that is being paid for, or the exchange that is on its way:
    # meanwhile nothing else changes it.
    edits: Mapped[int] = mapped_column(server_default=text("0"))
    edited_by: Mapped[UUID | None]
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class OrderItem(Base):
    """A line as it was bought, in the words of that moment: what the product is called later changes nothing here.

    `edit_id`: the edit that added it to an order that was placed before; it is a sale of the day of `created_at`.

    `list_price` per unit; `discount` and `tax_amount` of the whole line; `tax_included`: the price contains the tax.
    Columns of the snapshot are null only while the migration that added them fills earlier rows.
    """

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("subtotal = quantity * price_at_purchase", name="subtotal"),
        CheckConstraint("discount BETWEEN 0 AND subtotal", name="discount"),
        CheckConstraint("tax_amount >= 0 AND tax_rate >= 0", name="tax"),
        Index("ix_order_items_seller", "seller_id", "created_at"),
        # Few are, and best sellers ask for them.
        Index("ix_order_items_kit", "order_id", postgresql_where=text("kit IS NOT NULL")),
        # Empty but for moments of a deployment.
        Index("ix_order_items_unpacked", "order_id", postgresql_where=text("parcel_id IS NULL")),
    )

    order_item_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"), index=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id"), index=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    warehouse_id: Mapped[UUID | None] = mapped_column(ForeignKey("warehouses.warehouse_id"))
    # Null only for lines of a release that knew no parcels.
    parcel_id: Mapped[UUID | None] = mapped_column(ForeignKey("parcels.parcel_id"))
    quantity: Mapped[int]
    price_at_purchase: Mapped[Money]
    subtotal: Mapped[Money]
    title: Mapped[str | None] = mapped_column(String(500), info=NOT_PERSONAL)
    sku: Mapped[str | None] = mapped_column(String(100), info=NOT_PERSONAL)
    attributes: Mapped[Json | None] = mapped_column(info=NOT_PERSONAL)
    image_url: Mapped[str | None] = mapped_column(String(1000), info=NOT_PERSONAL)
    list_price: Mapped[Money | None]
    discount: Mapped[Money] = mapped_column(server_default=text("0"))
    promotion: Mapped[str | None] = mapped_column(String(500), info=NOT_PERSONAL)
    tax_rate: Mapped[Decimal | None] = mapped_column(Numeric(7, 5))
    tax_amount: Mapped[Money | None]
    tax_included: Mapped[bool] = mapped_column(server_default=text("false"))
    tax_class: Mapped[str | None] = mapped_column(String(30), info=NOT_PERSONAL)
    # Days from delivery, as the refund policy said for the category in which the product was bought.
    return_days: Mapped[int | None]
    condition: Mapped[str | None] = mapped_column(String(20), info=NOT_PERSONAL)
    # Who takes it in is so old, in years.
    min_age: Mapped[int | None]
    # The kit that it was bought as a part of (`KitBought`); null of what was bought by itself.
    kit: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True), info=NOT_PERSONAL)
    edit_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(50), server_default=text("'pending'"), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]


class Parcel(Base):
    """What one seller sends from one warehouse to one address in one order, or delivers online; `number` is 1..n in the
    order.

    Its seller and warehouse are those of its lines, which refer to them. `created_at` is the order's, so that a
    seller's parcels are in the order in which they were bought.
    """

    __tablename__ = "parcels"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATES_OF_PARCELS})", name="status"),
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("order_id", "number"),
        Index("ix_parcels_seller", "seller_id", "created_at", "order_id"),
        # Those that wait for units, the first to be served first.
        Index(
            "ix_parcels_waiting",
            "created_at",
            "parcel_id",
            postgresql_where=text("expected_on IS NOT NULL AND status IN ('pending', 'backordered')"),
        ),
        # Those that are to be delivered online, once they are paid.
        Index(
            "ix_parcels_digital_due",
            "created_at",
            "parcel_id",
            postgresql_where=text("digital AND status = 'confirmed'"),
        ),
        # The orders whose invoices may be late. Nothing is in it before it is shipped.
        Index(
            "ix_parcels_shipped",
            "shipped_at",
            postgresql_where=text("shipped_at IS NOT NULL AND origin = 'native'"),
        ),
    )

    parcel_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"))
    number: Mapped[int]
    seller_id: Mapped[UUID]
    warehouse_id: Mapped[UUID | None]
    # Where it goes, if not to the order's address.
    shipping_address: Mapped[Json | None] = mapped_column(info=PII)
    status: Mapped[str] = mapped_column(String(50), server_default=text("'pending'"), info=NOT_PERSONAL)
    promised_on: Mapped[date | None]
    # When its backordered units are expected in the warehouse; null where all were in stock.
    expected_on: Mapped[date | None]
    # When its buyer heard that these units keep it longer than was promised.
    late_told_at: Mapped[Instant | None]
    # Why this warehouse sends it; null where nobody chose.
    allocation: Mapped[Json | None] = mapped_column(info=NOT_PERSONAL)
    # When its seller started on it.
    begun_at: Mapped[Instant | None]
    shipped_at: Mapped[Instant | None]
    delivered_at: Mapped[Instant | None]
    # Its units are delivered online; nobody sends it.
    digital: Mapped[bool] = mapped_column(server_default=text("false"))
    # When it was given up, and its buyer refunded; it may still arrive.
    lost_at: Mapped[Instant | None]
    carrier: Mapped[str | None] = mapped_column(String(100), info=NOT_PERSONAL)
    # Who has the number sees on the carrier's page where the parcel goes.
    tracking_number: Mapped[str | None] = mapped_column(String(100), info=PII)
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ParcelEvent(Base):
    """One row per step of a parcel; the sequence is dense, 1..n per parcel."""

    __tablename__ = "parcel_events"
    __append_only__ = AppendOnly(may_change=("reason",), goes_with="parcel_id")

    parcel_id: Mapped[UUID] = mapped_column(ForeignKey("parcels.parcel_id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    from_status: Mapped[str | None] = mapped_column(String(50), info=NOT_PERSONAL)
    to_status: Mapped[str] = mapped_column(String(50), info=NOT_PERSONAL)
    actor_kind: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    reason: Mapped[str | None] = mapped_column(String(200), info=FREE_TEXT)
    created_at: Mapped[CreatedAt]


class OrderEvent(Base):
    """One row per step of an order's state machine; the sequence is dense, 1..n per order."""

    __tablename__ = "order_events"
    __table_args__ = (UniqueConstraint("order_id", "sequence"),)
    __append_only__ = AppendOnly(may_change=("reason",), goes_with="order_id")

    order_event_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"))
    sequence: Mapped[int]
    from_status: Mapped[str | None] = mapped_column(String(50), info=NOT_PERSONAL)
    to_status: Mapped[str] = mapped_column(String(50), info=NOT_PERSONAL)
    actor_kind: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    reason: Mapped[str | None] = mapped_column(String(200), info=FREE_TEXT)
    created_at: Mapped[CreatedAt]


class Return(Base):
    """A return and its present status. When it took each status, and what was refunded, is in `return_events`.

    The refund's parts are null only while the migration that added them fills earlier rows. `shipping_tax` is the part
    of `tax_amount` on shipping, `refund_id` the refund that pays the return once it is approved. `goods_amount` is
    without the seller's fee. `restocked`: whether the units can be sold again; null until the return is decided.
    Money that goes back without a return is a row too, of no units or of units that were lost (`orders/adjustments`).
    """

    __tablename__ = "returns"
    __table_args__ = (
        CheckConstraint(
            "quantity > 0 OR (quantity = 0 AND reason_code IN ('goodwill', 'price_adjustment', 'nothing_sent'))",
            name="quantity",
        ),
        CheckConstraint("status IN ('requested', 'approved', 'refunded', 'rejected')", name="status"),
        CheckConstraint(f"refund_amount = {_PARTS}", name="parts"),
        CheckConstraint("fee_amount >= 0", name="fee"),
        Index("ix_returns_seller", "seller_id", "created_at"),
        # What best sellers leave out.
        Index(
            "ix_returns_cancelled",
            "order_item_id",
            postgresql_include=["quantity"],
            postgresql_where=text("reason_code IN ('cancelled', 'cancelled_by_seller')"),
        ),
        Index("ix_returns_label_due", "return_id", postgresql_where=text("label_due")),
    )

    return_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"), index=True)
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.order_item_id"), index=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id"))
    quantity: Mapped[int]
    reason: Mapped[str] = mapped_column(String(500), info=FREE_TEXT)
    reason_code: Mapped[str] = mapped_column(String(30), server_default=text("'other'"), info=NOT_PERSONAL)
    status: Mapped[str] = mapped_column(String(20), server_default=text("'requested'"), info=NOT_PERSONAL)
    refund_amount: Mapped[Money]
    goods_amount: Mapped[Money | None]
    tax_amount: Mapped[Money | None]
    shipping_amount: Mapped[Money | None]
    shipping_tax: Mapped[Money | None]
    outbound_refunded: Mapped[bool] = mapped_column(server_default=text("true"))
    refund_id: Mapped[UUID | None]
    # The edit that took the units off the order.
    edit_id: Mapped[UUID | None]
    fee_amount: Mapped[Money] = mapped_column(server_default=text("0"))
    restocked: Mapped[bool | None]
    # A carrier is to be asked for its label.
    label_due: Mapped[bool] = mapped_column(server_default=text("false"))
    # The order that was placed for other units instead of these.
    exchange_order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.order_id"))
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ReturnEvent(Base):
    """One row per status that a return took, written in the commit that set it and never changed.

    The row of `refunded` books the refund: its seller, units, amounts, currency and day are those of the row. What it
    takes off the sales is `goods_amount`.
    """

    __tablename__ = "return_events"
    __table_args__ = (
        CheckConstraint("quantity >= 0 AND refund_amount >= 0", name="amounts"),
        CheckConstraint(f"refund_amount = {_PARTS}", name="parts"),
        Index("ix_return_events_seller", "seller_id", "created_at"),
    )
    __append_only__ = AppendOnly(goes_with="return_id")

    return_id: Mapped[UUID] = mapped_column(ForeignKey("returns.return_id", ondelete="CASCADE"), primary_key=True)
    to_status: Mapped[str] = mapped_column(String(20), primary_key=True, info=NOT_PERSONAL)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"))
    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.order_item_id"))
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    quantity: Mapped[int]
    refund_amount: Mapped[Money]
    goods_amount: Mapped[Money | None]
    tax_amount: Mapped[Money | None]
    shipping_amount: Mapped[Money | None]
    currency: Mapped[Currency]
    created_at: Mapped[CreatedAt]


class BuyerDataAccess(Base):
    """Who read what of a buyer's data, and why: written before the data leaves, never changed or removed."""

    __tablename__ = "buyer_data_accesses"
    __unpublished__ = True
    __append_only__ = AppendOnly()

    access_id: Mapped[Id]
    actor_id: Mapped[UUID]
    actor_kind: Mapped[str] = mapped_column(String(20))
    order_id: Mapped[UUID] = mapped_column(index=True)
    fields: Mapped[list[str]] = mapped_column(ARRAY(String(50)))
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[CreatedAt] = mapped_column(index=True)


class OrderToken(Base):
    """A mailed token, by its hash: who holds the text may do what `purpose` says until then.

    `order`: look at this guest's order, and add it to an account, once. `claim`: add the guest orders of `email` to the
    account `user_id` that asked for it, once.
    """

    __tablename__ = "order_tokens"
    __table_args__ = (
        CheckConstraint(
            "(purpose = 'order' AND order_id IS NOT NULL AND user_id IS NULL)"
            " OR (purpose = 'claim' AND order_id IS NULL AND user_id IS NOT NULL AND email IS NOT NULL)",
            name="purpose",
        ),
        CheckConstraint("email = lower(email)", name="email_lower"),
        Index("ix_order_tokens_claims", "created_at", postgresql_where=text("purpose = 'claim'")),
    )
    __unpublished__ = True

    token_id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(info=SECRET)
    purpose: Mapped[str] = mapped_column(String(10))
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"))
    email: Mapped[str | None] = mapped_column(String(255), info=PII)
    expires_at: Mapped[Instant] = mapped_column(index=True)
    used_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
