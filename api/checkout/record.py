"""A checkout's row while somebody drives it: begin, take over, and the gate that lets only the lease's holder write."""

from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from api.checkout.schemas import PlaceOrder, Plan
from api.kernel.actor import Actor, ActorKind
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.idempotency import RequestKey, claim_part
from api.kernel.ids import new_id
from api.kernel.statement import Part, compose

_BEGIN = """begun AS (
    INSERT INTO checkouts
        (checkout_id, actor_key, user_id, session_id, idempotency_key, recovery_point, request, lease_token,
        lease_expires_at)
    SELECT :checkout_id, :key_actor, :checkout_user, :checkout_session, :key_key, 'started', CAST(:checkout_request AS
    jsonb),
           :lease_token, now() + make_interval(secs => :lease_seconds) FROM claim RETURNING 1)"""
NO_CHECK = Part("feasible AS (SELECT true AS ok)", makes=("feasible",))
_GATE = """gate AS (
    UPDATE checkouts SET recovery_point = :gate_next, plan = coalesce(CAST(:gate_plan AS jsonb), plan),
           order_id = coalesce(CAST(:gate_order AS uuid), order_id),
           failure = coalesce(CAST(:gate_failure AS jsonb), failure),
           lease_expires_at = now() + make_interval(secs => :lease_seconds), updated_at = now()
    WHERE checkout_id = :checkout_id AND lease_token = :lease_token AND recovery_point = :gate_now
      AND (SELECT ok FROM feasible) RETURNING checkout_id)"""
_TAKE_OVER = text(
    """UPDATE checkouts SET lease_token = :lease_token, lease_expires_at = now() + make_interval(secs =>
    :lease_seconds),
           attempts = attempts + 1, updated_at = now()
    WHERE checkout_id = (
        SELECT checkout_id FROM checkouts WHERE recovery_point NOT IN ('completed', 'failed') AND lease_expires_at <
        now()
        ORDER BY lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *, extract(epoch FROM now() - created_at) AS age"""
)


@dataclass(frozen=True, slots=True)
class Running:
    """One checkout as its driver knows it; `age` in seconds when the lease was taken, `token` the lease."""

    checkout_id: UUID
    token: UUID
    point: str
    actor: Actor
    key: str
    request: PlaceOrder
    plan: Plan | None
    age: float
    attempts: int

    @property
    def actor_key(self) -> str:
        return self.actor.key

    def at(self, point: str, plan: Plan | None = None) -> "Running":
        return replace(self, point=point, plan=plan or self.plan)


def settled_plan(running: Running) -> Plan:
    """The plan of a checkout past its first point."""
    if running.plan is None:
        raise AssertionError(f"checkout {running.checkout_id} at {running.point} has no plan")
    return running.plan


async def begin(ctx: Context, actor: Actor, key: RequestKey, request: PlaceOrder) -> Running | None:
    """Claim the idempotency key and start a checkout, one statement; None when the key is known already."""
    settings = ctx.settings
    checkout_id, token = new_id(), new_id()
    stored = {"actorKind": actor.kind, **request.model_dump(mode="json", by_alias=True)}
    values: dict[str, object] = {
        "checkout_id": checkout_id,
        "checkout_user": actor.user_id,
        "checkout_session": actor.session_id,
        "checkout_request": orjson.dumps(stored).decode(),
        "lease_token": token,
        "lease_seconds": settings.checkout_lease_seconds,
    }
    lease = settings.checkout_deadline_seconds + settings.checkout_lease_seconds
    begin_part = Part(_BEGIN, values, makes=("begun",), needs=("claim",), writes=frozenset({"checkouts"}))
    row = await ctx.db.once(*compose([claim_part(key, lease), begin_part], "(SELECT count(*) FROM claim) AS claimed"))
    if row is None or not row.claimed:
        return None
    return Running(checkout_id, token, "started", actor, key.key, request, None, age=0.0, attempts=1)


async def take_over(ctx: Context) -> Running | None:
    """The oldest checkout whose driver let its lease run out, with a new lease; None when there is none."""
    row = await ctx.db.once(_TAKE_OVER, {"lease_token": new_id(), "lease_seconds": ctx.settings.checkout_lease_seconds})
    return None if row is None else _running(row)


def gate_part(
    running: Running, point: str, lease_seconds: float, *, plan: Plan | None, failure: Problem | None
) -> Part:
    """Move the checkout to `point` if this driver still holds the lease, nobody moved it and an earlier part's CTE
    `feasible` says ok; everything else in the statement follows."""
    told = None if failure is None else orjson.dumps({"code": failure.code, "detail": failure.detail}).decode()
    values: dict[str, object] = {
        "checkout_id": running.checkout_id,
        "lease_token": running.token,
        "lease_seconds": lease_seconds,
        "gate_now": running.point,
        "gate_next": point,
        "gate_plan": None if plan is None else plan.model_dump_json(),
        "gate_order": None if plan is None else plan.order_id,
        "gate_failure": told,
    }
    return Part(_GATE, values, makes=("gate",), needs=("feasible",), writes=frozenset({"checkouts"}))


def _running(row: Row[Any]) -> Running:  # Any: a row of checkouts
    stored = dict(row.request)
    kind = cast("ActorKind", stored.pop("actorKind"))
    return Running(
        checkout_id=row.checkout_id,
        token=row.lease_token,
        point=row.recovery_point,
        actor=Actor(kind, row.user_id, row.session_id),
        key=row.idempotency_key,
        request=PlaceOrder.model_validate_json(orjson.dumps(stored)),
        plan=None if row.plan is None else Plan.model_validate(row.plan),
        age=float(row.age),
        attempts=row.attempts,
    )
