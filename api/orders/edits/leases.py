"""The statements on edits of everybody: one takes a lease over, the other forgets what nobody committed."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Float, Integer, bindparam, delete, func, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql import Executable

from api.kernel.db import Tx
from api.orders.edits.models import OrderEdit
from api.orders.edits.points import RUNNING, WAITING


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


async def forget_expired(tx: Tx, limit: int) -> int:
    """Delete edits that were dropped, or expired a day ago, at most `limit`; returns how many."""
    return (await tx.execute(_FORGET, {"most": limit})).rowcount


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
_OVER = (
    select(OrderEdit.edit_id)
    .where(OrderEdit.point.in_(WAITING), OrderEdit.expires_at < func.now() - timedelta(days=1))
    .limit(bindparam("most", type_=Integer))
)
_FORGET = delete(OrderEdit).where(OrderEdit.edit_id.in_(_OVER))
