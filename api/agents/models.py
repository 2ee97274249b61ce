"""The table of checkout sessions."""

from uuid import UUID

from sqlalchemy import CheckConstraint, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import PII, CreatedAt, Id, Instant, Json, UpdatedAt
from api.kernel.db import Base


class CheckoutSession(Base):
    """What an agent of `partner` wants to buy for a guest, whose order `guest_session` has.

    `view`: the session as the agent last saw it, which is what it agrees to when it completes. `attempt`: the number of
    the try to place the order; each has an idempotency key of its own, and the next begins when the last was refused.
    `completing_key`: the agent's key of the request that began the attempt.
    """

    __tablename__ = "checkout_sessions"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'completing', 'completed', 'canceled')", name="status"),
        CheckConstraint("(status = 'completed') = (order_id IS NOT NULL)", name="order"),
        UniqueConstraint("order_id", name="uq_checkout_sessions_order_id"),
    )
    __unpublished__ = True

    session_id: Mapped[Id]
    partner: Mapped[str] = mapped_column(String(40))
    guest_session: Mapped[str] = mapped_column(String(255), info=PII)
    status: Mapped[str] = mapped_column(String(20), server_default=text("'open'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    attempt: Mapped[int] = mapped_column(server_default=text("1"))
    completing_key: Mapped[str | None] = mapped_column(String(255))
    content: Mapped[Json] = mapped_column(info=PII)
    view: Mapped[dict[str, object]] = mapped_column(JSONB, info=PII)
    order_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    expires_at: Mapped[Instant] = mapped_column(index=True)
