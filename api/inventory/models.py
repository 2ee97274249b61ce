"""Tables of stock: levels per warehouse, reservations, and the append-only journal of changes."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import NOT_PERSONAL, CreatedAt, Id, Instant, UpdatedAt
from api.kernel.db import Base


class Warehouse(Base):
    __tablename__ = "warehouses"
    __table_args__ = (
        # A promise holds for half an hour.
        CheckConstraint("cut_off_minutes BETWEEN 0 AND 1410 AND cut_off_minutes % 30 = 0", name="cut_off_minutes"),
    )

    warehouse_id: Mapped[Id]
    code: Mapped[str] = mapped_column(String(20), unique=True, info=NOT_PERSONAL)
    name: Mapped[str] = mapped_column(String(255), info=NOT_PERSONAL)
    city: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    country: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    latitude: Mapped[float] = mapped_column(Double)
    longitude: Mapped[float] = mapped_column(Double)
    # Whether it is fast enough for the speeds of Prime.
    prime_capable: Mapped[bool] = mapped_column(server_default=text("true"))
    # Minutes after midnight in its time zone until which an order leaves the same day.
    cut_off_minutes: Mapped[int] = mapped_column(server_default=text("840"))
    time_zone: Mapped[str] = mapped_column(String(50), server_default=text("'UTC'"), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]


class WarehouseEdition(Base):
    """One row: `edition` is another after each change of the warehouses (`warehouses/kept.py`)."""

    __tablename__ = "warehouse_editions"
    __table_args__ = (CheckConstraint("latest", name="latest"),)
    __unpublished__ = True

    latest: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    edition: Mapped[UUID]


class WarehouseStock(Base):
    """Units of one variant in one warehouse: `available` can be sold, `reserved` is held by
    open checkouts, `inbound` is on its way.

    `owed` were sold before they were there, at most `backorder_limit`: what comes in covers them first, so where units
    are owed none is available. Without a better date they can leave `backorder_days` after they were ordered.
    """

    __tablename__ = "warehouse_stock"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available"),
        CheckConstraint("owed BETWEEN 0 AND backorder_limit", name="owed"),
        CheckConstraint("available = 0 OR owed = 0", name="covered"),
        CheckConstraint("backorder_days BETWEEN 1 AND 365", name="backorder_days"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("inbound >= 0", name="inbound"),
    )

    variant_id: Mapped[UUID] = mapped_column(
        ForeignKey("product_variants.variant_id", ondelete="CASCADE"), primary_key=True
    )
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.warehouse_id"), primary_key=True)
    available: Mapped[int] = mapped_column(server_default=text("0"))
    reserved: Mapped[int] = mapped_column(server_default=text("0"))
    inbound: Mapped[int] = mapped_column(server_default=text("0"))
    owed: Mapped[int] = mapped_column(server_default=text("0"))
    backorder_limit: Mapped[int] = mapped_column(server_default=text("0"))
    backorder_days: Mapped[int] = mapped_column(server_default=text("14"))
    updated_at: Mapped[UpdatedAt]


class InventoryReservation(Base):
    __tablename__ = "inventory_reservations"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("status IN ('active', 'confirmed', 'released', 'expired')", name="status"),
        Index("uq_inventory_reservations_line", "checkout_id", "variant_id", "warehouse_id", unique=True),
        Index("ix_inventory_reservations_due", "expires_at", postgresql_where=text("status = 'active'")),
    )

    reservation_id: Mapped[Id]
    checkout_id: Mapped[UUID]
    order_id: Mapped[UUID | None] = mapped_column(index=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.warehouse_id"))
    quantity: Mapped[int]
    status: Mapped[str] = mapped_column(String(20), server_default=text("'active'"), info=NOT_PERSONAL)
    expires_at: Mapped[Instant]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Replenishment(Base):
    """Units that a seller has on the way to a warehouse; what is open of it is in `warehouse_stock.inbound`."""

    __tablename__ = "replenishments"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("received BETWEEN 0 AND quantity", name="received"),
        CheckConstraint("status IN ('open', 'received', 'cancelled')", name="status"),
        Index("ix_replenishments_variant", "variant_id", "replenishment_id"),
    )

    replenishment_id: Mapped[Id]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    warehouse_id: Mapped[UUID] = mapped_column(ForeignKey("warehouses.warehouse_id"))
    quantity: Mapped[int]
    received: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[str] = mapped_column(String(20), server_default=text("'open'"), info=NOT_PERSONAL)
    expected_on: Mapped[date | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class InventoryTransaction(Base):
    """The journal of stock; `new_quantity` is what can be sold less what is owed.

    `transaction_no` is assigned under the variant's row lock, so it orders one variant's rows exactly.
    """

    __tablename__ = "inventory_transactions"
    __table_args__ = (
        CheckConstraint("new_quantity = previous_quantity + quantity_change", name="arithmetic"),
        CheckConstraint(
            "transaction_type IN ('initial', 'purchase', 'reservation', 'release', 'return', 'adjustment', 'sale',"
            " 'transfer', 'count')",
            name="transaction_type",
        ),
        Index("ix_inventory_transactions_variant", "variant_id", "transaction_no"),
    )
    __append_only__ = AppendOnly()

    transaction_id: Mapped[Id]
    transaction_no: Mapped[int] = mapped_column(BigInteger, Identity(always=False), unique=True)
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    warehouse_id: Mapped[UUID | None] = mapped_column(ForeignKey("warehouses.warehouse_id"))
    quantity_change: Mapped[int]
    transaction_type: Mapped[str] = mapped_column(String(50), info=NOT_PERSONAL)
    reference_id: Mapped[UUID | None]
    previous_quantity: Mapped[int]
    new_quantity: Mapped[int]
    created_at: Mapped[CreatedAt]
