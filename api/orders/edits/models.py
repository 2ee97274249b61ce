"""The table of edits: what a buyer wants to change, what it costs, and how far paying for it has come."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import PII, SECRET, CreatedAt, Id, Instant, Json, Money, UpdatedAt
from api.kernel.db import Base
from api.orders.edits.points import EDIT_POINTS, RUNNING

_POINTS = ", ".join(f"'{point}'" for point in EDIT_POINTS)
_RUNNING = ", ".join(f"'{point}'" for point in RUNNING)


class OrderEdit(Base):
    """`version`: of the order for which it was staged. `added`: what the order's total grows by, which is less than
    zero when only shipping or tax change; `cancelled`: what the units that it takes off are worth. The difference is
    charged or refunded. The columns of the lease are those of a checkout."""

    __tablename__ = "order_edits"
    __table_args__ = (
        CheckConstraint(f"point IN ({_POINTS})", name="point"),
        CheckConstraint("charged >= 0 AND refunded >= 0 AND cancelled >= 0", name="amounts"),
        CheckConstraint("added - cancelled = charged - refunded", name="delta"),
        Index("ix_order_edits_running", "lease_expires_at", postgresql_where=text(f"point IN ({_RUNNING})")),
        Index("ix_order_edits_expires", "expires_at", postgresql_where=text("point IN ('staged', 'dropped')")),
    )
    __unpublished__ = True

    edit_id: Mapped[Id]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id", ondelete="CASCADE"), index=True)
    version: Mapped[str] = mapped_column(String(64))
    point: Mapped[str] = mapped_column(String(20), server_default=text("'staged'"))
    plan: Mapped[Json]
    added: Mapped[Money]
    cancelled: Mapped[Money]
    charged: Mapped[Money]
    refunded: Mapped[Money]
    expires_at: Mapped[Instant]
    actor_kind: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[UUID | None]
    session_id: Mapped[str | None] = mapped_column(String(255), info=PII)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    payment_id: Mapped[UUID | None]
    gateway: Mapped[str | None] = mapped_column(String(20))
    payment_token: Mapped[str | None] = mapped_column(String(200), info=SECRET)
    failure: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    lease_token: Mapped[UUID | None]
    lease_expires_at: Mapped[Instant | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    begun_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
