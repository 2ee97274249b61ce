"""Tables of the kernel: the outbox and the idempotency keys."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, NOT_PERSONAL, CreatedAt, Id, Instant, Json, Origin
from api.kernel.db import Base


class OutboxEvent(Base):
    """An event in the same commit as its cause. One relay at a time takes unmarked rows and marks them."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        UniqueConstraint("aggregate_type", "aggregate_id", "sequence"),
        Index("ix_outbox_events_unpublished", "created_at", postgresql_where=text("published_at IS NULL")),
    )
    __append_only__ = AppendOnly(may_change=("published_at", "attempts", "last_error"))

    event_id: Mapped[Id]
    aggregate_type: Mapped[str] = mapped_column(String(50), info=NOT_PERSONAL)
    aggregate_id: Mapped[UUID]
    sequence: Mapped[int]
    event_type: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    payload: Mapped[Json] = mapped_column(info=FREE_TEXT)
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    published_at: Mapped[Instant | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None] = mapped_column(Text, info=FREE_TEXT)


class IdempotencyKey(Base):
    """One row per (actor, key). A finished row holds the exact response bytes; an unfinished one a lease."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("status IN ('in_progress', 'done')", name="status"),
        CheckConstraint("status = 'in_progress' OR response_body IS NOT NULL", name="response"),
        Index("ix_idempotency_keys_created", "created_at"),
    )
    __unpublished__ = True

    actor_key: Mapped[str] = mapped_column(String(300), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    route: Mapped[str] = mapped_column(String(200))
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[str] = mapped_column(String(20))
    locked_until: Mapped[Instant]
    response_status: Mapped[int | None]
    response_headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    response_body: Mapped[bytes | None]
    created_at: Mapped[CreatedAt]
