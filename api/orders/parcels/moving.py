"""Moves parcels of a locked order, and the order with them: one statement, and one more when the order takes two
steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from api.kernel.db import Tx
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.commands.change import write
from api.orders.parcels.derived import order_status, steps_between
from api.orders.parcels.queries import LockedParcel
from api.orders.parcels.statements import ParcelMove, move_parcels_part
from api.orders.statements import Step, step_part


class Locked(Protocol):
    """An order whose row the transaction has locked."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Along:
    """What else the statement writes. `payment_status`: the order's, when it changes."""

    parts: Sequence[Part] = ()
    events: Sequence[Event] = ()
    payment_status: str | None = None


async def move_parcels(
    tx: Tx, order: Locked, parcels: Sequence[LockedParcel], moves: Sequence[ParcelMove], along: Along | None = None
) -> str:
    """Carry out `moves` of some of the order's `parcels`; returns the order's status afterwards."""
    also = along or Along()
    after = _status_after(parcels, {move.parcel_id: move for move in moves})
    reason = next((move.reason for move in moves if move.reason), None)
    kind = moves[0].actor_kind
    steps = [Step(order.order_id, before, to, kind, reason) for before, to in steps_between(order.status, after)]
    if steps:
        steps[-1] = replace(steps[-1], payment_status=also.payment_status)
    first, later = steps[:1], steps[1:]
    events = [*(move.event() for move in moves), *(step.event() for step in first), *also.events]
    await write(tx, [move_parcels_part(moves), *(step_part(step) for step in first), *also.parts], events)
    for step in later:
        await write(tx, [step_part(step)], [step.event()])
    return after


def _status_after(parcels: Sequence[LockedParcel], moves: Mapping[UUID, ParcelMove]) -> str:
    standings = []
    for parcel in parcels:
        move = moves.get(parcel.parcel_id)
        begun = parcel.begun or (move is not None and move.after == "processing")
        standings.append(replace(parcel.standing, status=move.after if move else parcel.status, begun=begun))
    return order_status(standings)
