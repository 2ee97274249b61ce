"""The statement that takes the lease of an edit over."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Float, bindparam, func, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql import Executable

from api.kernel.db import Tx
from api.orders.edits.models import OrderEdit
from api.orders.edits.points import RUNNING


@dataclass(frozen=True, slots=True)
class TakenEdit:
    """An edit whose lease was taken over."""

    edit_id: UUID
    order_id: UUID
    lease_token: UUID
    point: str
    actor_kind: str
    user_id: UUID | None
    session_id: str | None
    idempotency_key: str
    plan: dict[str, object]
    payment_id: UUID
    gateway: str
    payment_token: str
    charged: Decimal
    age: float
    attempts: int


async def taken_over(tx: Tx, token: UUID, seconds: float) -> TakenEdit | None:
    """The edit whose lease expired first, with a new lease; None when there is none."""
    return await tx.first_as(TakenEdit, _TAKE_OVER, {"token": token, "seconds": seconds})


def _take_over() -> Executable:
    due = aliased(OrderEdit)
    oldest = (
        select(due.edit_id)
        .where(due.point.in_(RUNNING), due.lease_expires_at < func.now())
        .order_by(due.lease_expires_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(OrderEdit)
        .where(OrderEdit.edit_id == oldest.scalar_subquery())
        .values(
            lease_token=bindparam("token"),
            lease_expires_at=func.now() + bindparam("seconds", type_=Float) * timedelta(seconds=1),
            attempts=OrderEdit.attempts + 1,
            updated_at=func.now(),
        )
        .returning(
            OrderEdit.edit_id,
            OrderEdit.order_id,
            OrderEdit.lease_token,
            OrderEdit.point,
            OrderEdit.actor_kind,
            OrderEdit.user_id,
            OrderEdit.session_id,
            OrderEdit.idempotency_key,
            OrderEdit.plan,
            OrderEdit.payment_id,
            OrderEdit.gateway,
            OrderEdit.payment_token,
            OrderEdit.charged,
            OrderEdit.attempts,
            func.extract("epoch", func.now() - OrderEdit.begun_at).cast(Float).label("age"),
        )
    )


_TAKE_OVER = _take_over()
