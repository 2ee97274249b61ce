"""The lease on a checkout: the right to drive it.

It begins with the checkout and can be taken over after it expires.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Float, bindparam, func, literal_column, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql import Executable

from api.checkout.models import Checkout
from api.checkout.saga.transitions import TERMINAL, Transition
from api.checkout.schemas import AcceptedOrder, PlaceOrder, Plan
from api.kernel.actor import Actor, ActorKind
from api.kernel.context import Context
from api.kernel.ids import new_id

MAX_BACKOFF_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class LeasedCheckout:
    """One checkout as read by the process that holds its lease.

    `age`: seconds, when the lease was taken; `token`: the lease.
    """

    checkout_id: UUID
    token: UUID
    point: str
    actor: Actor
    key: str
    request: PlaceOrder | AcceptedOrder
    plan: Plan | None
    age: float
    attempts: int

    @property
    def actor_key(self) -> str:
        return self.actor.key

    @property
    def settled_plan(self) -> Plan:
        """The plan. Only a row that an earlier version left at its first point has none."""
        if self.plan is None:
            raise AssertionError(f"checkout {self.checkout_id} at {self.point} has no plan")
        return self.plan

    def at(self, point: str) -> "LeasedCheckout":
        return replace(self, point=point)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A row of checkouts whose lease was taken over."""

    checkout_id: UUID
    lease_token: UUID
    recovery_point: str
    user_id: UUID | None
    session_id: str | None
    idempotency_key: str
    request: dict[str, object]
    plan: dict[str, object] | None
    attempts: int
    age: float


async def take_over(ctx: Context) -> LeasedCheckout | None:
    """Take a new lease on the oldest checkout whose lease expired; None when there is none."""
    values = {"token": new_id(), "seconds": float(ctx.settings.checkout_lease_seconds)}
    row = await ctx.db.run_alone(lambda tx: tx.first_as(_Taken, TAKE_OVER, values))
    return None if row is None else _leased(row)


class Leased(Protocol):
    """A checkout, or an edit that is paid for, whose lease this process holds."""

    @property
    def point(self) -> str: ...
    @property
    def attempts(self) -> int: ...


def lease_seconds(leased: Leased, move: Transition, normal: float, *, inline: bool) -> float:
    """How long the lease lasts after a commit: `normal`; zero to hand it to the worker; a growing
    back-off when the gateway did not answer."""
    if move.point == leased.point:
        return min(MAX_BACKOFF_SECONDS, 0.5 * (1 << min(leased.attempts, 6)))
    if inline and move.point == "compensating":
        return 0.0
    return normal


def _take_over() -> Executable:
    """The statement of `take_over`; binds: token, seconds."""
    due = aliased(Checkout)
    # Written as literals, so that a plan that does not know the values can use the index of the open checkouts.
    over: list[ColumnElement[str]] = [literal_column(f"'{point}'") for point in sorted(TERMINAL)]
    oldest = (
        select(due.checkout_id)
        .where(due.recovery_point.not_in(over), due.lease_expires_at < func.now())
        .order_by(due.lease_expires_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(Checkout)
        .where(Checkout.checkout_id == oldest.scalar_subquery())
        .values(
            lease_token=bindparam("token"),
            lease_expires_at=func.now() + bindparam("seconds", type_=Float) * timedelta(seconds=1),
            attempts=Checkout.attempts + 1,
            updated_at=func.now(),
        )
        .returning(
            Checkout.checkout_id,
            Checkout.lease_token,
            Checkout.recovery_point,
            Checkout.user_id,
            Checkout.session_id,
            Checkout.idempotency_key,
            Checkout.request,
            Checkout.plan,
            Checkout.attempts,
            func.extract("epoch", func.now() - Checkout.created_at).cast(Float).label("age"),
        )
    )


TAKE_OVER = _take_over()


def _leased(row: _Taken) -> LeasedCheckout:
    stored = dict(row.request)
    kind = cast("ActorKind", stored.pop("actorKind"))
    return LeasedCheckout(
        checkout_id=row.checkout_id,
        token=row.lease_token,
        point=row.recovery_point,
        actor=Actor(kind, row.user_id, row.session_id),
        key=row.idempotency_key,
        request=AcceptedOrder.model_validate(stored),
        plan=None if row.plan is None else Plan.model_validate(row.plan),
        age=row.age,
        attempts=row.attempts,
    )
