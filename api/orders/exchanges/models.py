"""The table of exchanges."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import PII, CreatedAt, Id, Instant, Json, UpdatedAt
from api.kernel.db import Base


class OrderExchange(Base):
    """`asked`: its units are left to it, and its new order is being placed. `completed`: the new order is paid, and the
    return asked for. One of which nothing came has no row.

    `back`: the request for the return. `lease_expires_at`: when another process may finish it.
    """

    __tablename__ = "order_exchanges"
    __table_args__ = (
        CheckConstraint("point IN ('asked', 'completed')", name="point"),
        CheckConstraint("(point = 'completed') = (exchange_order_id IS NOT NULL)", name="ordered"),
        UniqueConstraint("exchange_order_id"),
        Index("ix_order_exchanges_asked", "lease_expires_at", postgresql_where=text("point = 'asked'")),
    )
    __unpublished__ = True

    exchange_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"), index=True)
    point: Mapped[str] = mapped_column(String(20), server_default=text("'asked'"))
    back: Mapped[Json]
    exchange_order_id: Mapped[UUID | None]
    actor_kind: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[UUID | None]
    session_id: Mapped[str | None] = mapped_column(String(255), info=PII)
    idempotency_key: Mapped[str] = mapped_column(String(255))
    lease_expires_at: Mapped[Instant]
    attempts: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
