"""Moves parcels of a locked order, and the order with them: one statement, one more when the order takes two steps, and
one before it when an order that redeemed a promotion is cancelled as a whole: it gives that back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, update

from api.kernel.actor import ActorKind
from api.kernel.db import Tx
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.commands.change import write
from api.orders.models import Parcel
from api.orders.parcels.derived import order_status, steps_between
from api.orders.parcels.queries import LockedParcel
from api.orders.parcels.statements import ParcelMove, move_parcels_part
from api.orders.statements import Step, step_part
from api.promotions.commands import release_parts


class Locked(Protocol):
    """An order whose row the transaction has locked."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def status(self) -> str: ...
    @property
    def redemptions(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Along:
    """What else the statement writes. `payment_status`: the order's, when it changes."""

    parts: Sequence[Part] = ()
    events: Sequence[Event] = ()
    payment_status: str | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    """Where the order goes, who takes it there, and why."""

    after: str
    actor_kind: ActorKind
    reason: str | None


async def move_parcels(
    tx: Tx, order: Locked, parcels: Sequence[LockedParcel], moves: Sequence[ParcelMove], along: Along | None = None
) -> str:
    """Carry out `moves` of some of the order's `parcels`; returns the order's status afterwards."""
    after = _status_after(parcels, {move.parcel_id: move for move in moves})
    reason = next((move.reason for move in moves if move.reason), None)
    also = along or Along()
    moved = [move_parcels_part(moves)], [move.event() for move in moves]
    await _follow(tx, order, _Change(after, moves[0].actor_kind, reason), moved, also)
    return after


async def lose_parcel(
    tx: Tx, order: Locked, parcels: Sequence[LockedParcel], parcel_id: UUID, *, along: Along, reason: str
) -> str:
    """Give up one of the order's `parcels` that is on its way; returns the order's status, without it, afterwards."""
    await tx.execute(_LOSE, {"parcel_id": parcel_id})
    after = order_status(replace(one.standing, lost=one.lost or one.parcel_id == parcel_id) for one in parcels)
    await _follow(tx, order, _Change(after, "service", reason), ([], []), along)
    return after


async def _follow(
    tx: Tx, order: Locked, change: _Change, moved: tuple[Sequence[Part], Sequence[Event]], also: Along
) -> None:
    """Write what was `moved` with the order's first step, and the others after it."""
    steps = [
        Step(order.order_id, before, to, change.actor_kind, change.reason)
        for before, to in steps_between(order.status, change.after)
    ]
    if steps:
        steps[-1] = replace(steps[-1], payment_status=also.payment_status)
    first, later = steps[:1], steps[1:]
    events = [*moved[1], *(step.event() for step in first), *also.events]
    released = await release_parts(tx, order.order_id) if change.after == "cancelled" and order.redemptions else []
    await write(tx, [*moved[0], *(step_part(step) for step in first), *also.parts, *released], events)
    for step in later:
        await write(tx, [step_part(step)], [step.event()])


def _status_after(parcels: Sequence[LockedParcel], moves: Mapping[UUID, ParcelMove]) -> str:
    standings = []
    for parcel in parcels:
        move = moves.get(parcel.parcel_id)
        begun = parcel.begun or (move is not None and move.after == "processing")
        standings.append(replace(parcel.standing, status=move.after if move else parcel.status, begun=begun))
    return order_status(standings)


_LOSE = (
    update(Parcel)
    .where(Parcel.parcel_id == bindparam("parcel_id", type_=Uuid), Parcel.status == "shipped", Parcel.lost_at.is_(None))
    .values(lost_at=func.now(), updated_at=func.now())
)
