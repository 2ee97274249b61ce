"""The commits of checkouts, each one statement. The three that every order needs are taken in batches.

A process has one queue per kind of commit (`api/checkout/crowd.py`). Checkouts that want the same variant wait for
each other here, in order, and then share one statement, instead of waiting one by one for its row lock in Postgres.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from uuid import UUID

import psycopg

from api.checkout.crowd import Queue
from api.checkout.saga.steps import Done, Opening, StepStatement, opening, prepare, unclaimed
from api.checkout.saga.transitions import Outcome, Transition
from api.checkout.statements import PASSED, Move, gate_part, no_check
from api.kernel.context import Context
from api.kernel.db import RETRYABLE, Tx, all_as
from api.kernel.idempotency import Stored
from api.kernel.statement import Part, compose
from api.promotions.statements import lock_query

BATCHED = frozenset({("created", Outcome.AUTHORISED), ("confirmed", Outcome.CAPTURED)})


class Passed(StrEnum):
    """What became of one checkout of a commit: moved; refused by the checks of its stock, its codes and its cart; or
    not the caller's to move, because its key or its lease is another's."""

    MOVED = "moved"
    SHORT = "short"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Step:
    """One checkout that is to take `move`. `lease_seconds`: how long its lease lasts afterwards."""

    ctx: Context
    done: Done
    move: Transition
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Committed:
    """How the commit of a step ended, and the answer it stored."""

    passed: Passed
    answer: Stored | None


@dataclass(frozen=True, slots=True)
class _New:
    ctx: Context
    opening: Opening


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of PASSED."""

    checkout_id: UUID
    feasible: bool
    moved: bool

    @property
    def passed(self) -> Passed:
        if self.moved:
            return Passed.MOVED
        return Passed.TAKEN if self.feasible else Passed.SHORT


async def open_checkout(ctx: Context, opening: Opening) -> Passed:
    """Store the checkout at `created` with its key, stock, order and payment; nothing of it unless it is MOVED."""
    return await _OPENINGS.submit(ctx, _New(ctx, opening))


async def commit(step: Step) -> Committed:
    """Commit the step's writes and its next point; nothing of it unless it is MOVED."""
    kind = (step.done.checkout.point, step.done.found.outcome)
    if kind not in BATCHED or unclaimed(step.done.checkout):
        [committed] = await _take(kind, [step])
        return committed
    return await _STEPS[kind].submit(step.ctx, step)


async def _open(batch: Sequence[_New]) -> list[Passed]:
    ctx = batch[0].ctx
    settings = ctx.settings
    parts = opening(
        [new.opening for new in batch],
        reservation_seconds=settings.reservation_seconds,
        key_seconds=settings.checkout_deadline_seconds + settings.checkout_lease_seconds,
        lease_seconds=settings.checkout_lease_seconds,
    )
    promotions = [one for new in batch for one in new.opening.checkout.settled_plan.promotions]
    rows = await _execute(ctx, parts, promotions, serializable=settings.checkout_isolation == "SERIALIZABLE")
    return [rows[new.opening.checkout.checkout_id].passed for new in batch]


async def _take(kind: tuple[str, Outcome], batch: Sequence[Step]) -> list[Committed]:
    first = batch[0]
    statement = prepare([step.done for step in batch], first.move.writes)
    rows = await _execute(first.ctx, _all_parts(kind[0], batch, statement), statement.promotions)
    answers: Sequence[Stored | None] = statement.answers or [None] * len(batch)
    return [
        Committed(rows[step.done.checkout.checkout_id].passed, answer)
        for step, answer in zip(batch, answers, strict=True)
    ]


def _all_parts(before: str, batch: Sequence[Step], statement: StepStatement) -> list[Part]:
    moves = [
        Move(step.done.checkout.checkout_id, step.done.checkout.token, step.lease_seconds, step.done.found.failure)
        for step in batch
    ]
    checks = statement.checks or [no_check([move.checkout_id for move in moves])]
    return [*checks, gate_part(moves, before, batch[0].move.point), *statement.all_parts()]


async def _execute(
    ctx: Context, parts: Sequence[Part], promotions: Sequence[UUID], *, serializable: bool = False
) -> dict[UUID, _Row]:
    """One statement; when it changes promotions, one that locks them goes before it in the same round trip."""
    statement, values = compose(parts, PASSED)

    async def work(tx: Tx) -> list[_Row]:
        if promotions:
            return (await tx.batch(lock_query(promotions), all_as(_Row, statement, values)))[1]
        return await tx.all_as(_Row, statement, values)

    rows = await (_serializable_first(ctx, work) if serializable else ctx.db.run_alone(work))
    return {row.checkout_id: row for row in rows}


async def _serializable_first(ctx: Context, work: Callable[[Tx], Awaitable[list[_Row]]]) -> list[_Row]:
    """Run at SERIALIZABLE, which the design requires for placing an order, and after a conflict at READ COMMITTED,
    where the statement's own guards are sufficient."""
    try:
        async with ctx.db.alone("SERIALIZABLE") as tx:
            return await work(tx)
    except psycopg.Error as error:
        if error.sqlstate not in RETRYABLE:
            raise
        return await ctx.db.run_alone(work)


def _locked_by_new(new: _New) -> list[UUID]:
    plan = new.opening.checkout.settled_plan
    return [*(line.variant_id for line in plan.lines), *plan.promotions]


def _variants(step: Step) -> list[UUID]:
    """The variants that the step locks."""
    if step.done.found.outcome is not Outcome.AUTHORISED:
        return []
    return [line.variant_id for line in step.done.checkout.settled_plan.lines]


_OPENINGS = Queue(_open, _locked_by_new)
_STEPS = {kind: Queue(partial(_take, kind), _variants) for kind in BATCHED}
