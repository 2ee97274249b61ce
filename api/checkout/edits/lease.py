"""The lease on an edit that is being paid for: the right to drive it, which another process takes over when it ends."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast
from uuid import UUID

from api.checkout.edits.schemas import EditPlan
from api.kernel.actor import Actor, ActorKind
from api.kernel.context import Context
from api.kernel.ids import new_id
from api.orders.edits.leases import taken_over


@dataclass(frozen=True, slots=True)
class LeasedEdit:
    """An edit as read by the process that holds its lease `token`. `age`: seconds, when the lease was taken."""

    edit_id: UUID
    order_id: UUID
    token: UUID
    point: str
    actor: Actor
    key: str
    plan: EditPlan
    payment_id: UUID
    gateway: str
    payment_token: str
    amount: Decimal
    age: float
    attempts: int

    def at(self, point: str) -> "LeasedEdit":
        return replace(self, point=point)


async def take_over(ctx: Context) -> LeasedEdit | None:
    """Take the lease of the edit whose lease expired first; None when there is none."""
    seconds = float(ctx.settings.checkout_lease_seconds)
    row = await ctx.db.run_alone(lambda tx: taken_over(tx, new_id(), seconds))
    if row is None:
        return None
    return LeasedEdit(
        edit_id=row.edit_id,
        order_id=row.order_id,
        token=row.lease_token,
        point=row.point,
        actor=Actor(cast("ActorKind", row.actor_kind), row.user_id, row.session_id),
        key=row.idempotency_key,
        plan=EditPlan.model_validate(row.plan),
        payment_id=row.payment_id,
        gateway=row.gateway,
        payment_token=row.payment_token,
        amount=row.charged,
        age=row.age,
        attempts=row.attempts,
    )
