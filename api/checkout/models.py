"""The saga's state: one row per checkout with its recovery point and the lease of the process that drives it."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.checkout.saga.transitions import OLD_POINTS, RECOVERY_POINTS
from api.kernel.columns import CreatedAt, Id, Instant, Json, UpdatedAt
from api.kernel.db import Base

_POINTS = ", ".join(f"'{point}'" for point in (*RECOVERY_POINTS, *OLD_POINTS))


class Checkout(Base):
    """`lease_token` is a fencing token: every write of a step checks it, so a process
    whose lease was taken over changes nothing."""

    __tablename__ = "checkouts"
    __table_args__ = (
        CheckConstraint(f"recovery_point IN ({_POINTS})", name="recovery_point"),
        Index(
            "ix_checkouts_open",
            "lease_expires_at",
            postgresql_where=text("recovery_point NOT IN ('completed', 'failed')"),
        ),
    )
    __unpublished__ = True

    checkout_id: Mapped[Id]
    actor_key: Mapped[str] = mapped_column(String(300))
    user_id: Mapped[UUID | None]
    session_id: Mapped[str | None] = mapped_column(String(255))
    idempotency_key: Mapped[str] = mapped_column(String(255))
    recovery_point: Mapped[str] = mapped_column(String(30))
    request: Mapped[Json]
    plan: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    order_id: Mapped[UUID | None]
    failure: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    lease_token: Mapped[UUID]
    lease_expires_at: Mapped[Instant]
    attempts: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
