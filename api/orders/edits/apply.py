"""Changes an order as an edit says: one place for those that are paid for and those that are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.outbox import Event, events_part
from api.kernel.statement import Part, compose
from api.orders.commands.change import write
from api.orders.commands.returns import return_event
from api.orders.commands.rows import insert_units_off, settled_by
from api.orders.edits.queries import Editable
from api.orders.edits.statements import AddedLine, AddedParcel, Change, change_part, edited_event, named, promise_part
from api.orders.parcels.moving import move_parcels
from api.orders.parcels.queries import parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.returns.policy import CANCELLED
from api.orders.returns.returnable import LineRefund, refund_of, with_unspent_sending
from api.orders.returns.statements import requested_part
from api.payments.statements import NewRefund


@dataclass(frozen=True, slots=True)
class UnitsOff:
    """Units of a line that leave the order. `stay`: they are in a line that the edit adds, so no stock moves."""

    order_item_id: UUID
    quantity: int
    stay: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """What an edit changes. `refund`: what is paid back for it; without one, what it takes off was set off against what
    it adds. `parts` and `events`: what else the statement writes, for the gate that the edit names. `sends`: something
    of the order is sent afterwards."""

    actor: Actor
    change: Change
    removed: Sequence[UnitsOff]
    refund: NewRefund
    parts: Sequence[Part] = ()
    events: Sequence[Event] = ()
    sends: bool = True


async def apply_edit(tx: Tx, order: Editable, edit: Applied) -> str:
    """Change the locked order; returns its status afterwards."""
    lines = {line.order_item_id: line for line in order.lines}
    off = [
        LineRefund(
            lines[one.order_item_id],
            one.quantity,
            refund_of(order.amounts, lines, one.order_item_id, one.quantity, outbound=False),
        )
        for one in edit.removed
    ]
    off, others = (off, []) if edit.sends else with_unspent_sending(order.amounts, lines, off)
    ids, gate_id = await _book(tx, order, edit, off, others), edit.change.edit_id
    parts = [named(gate_id, order.order_id), change_part(edit.change), *edit.refund.parts, *edit.parts]
    back = [
        (line.variant_id, line.warehouse_id, one.quantity - one.stay)
        for one in edit.removed
        for line in [lines[one.order_item_id]]
        if one.quantity > one.stay
    ]
    if ids:
        parts.append(requested_part(ids))
    if back:
        parts.append(stock.restock(gate_id, back, cancels_order=False))
    events = [edited_event(edit.change, order.status, gate_id), *edit.events]
    told = [*(return_event(found, order.order_id, "approved", "edited") for found in ids), *edit.refund.events]
    events += [Event(e.aggregate_type, e.aggregate_id, e.event_type, e.payload, gate_id) for e in told]
    await tx.execute(*compose([*parts, events_part(events)], "1"))
    if edit.change.promised:
        await write(tx, [promise_part(edit.change.promised)], [])
    return await _cancel_empty(tx, order, edit)


async def _book(
    tx: Tx, order: Editable, edit: Applied, off: Sequence[LineRefund], others: Sequence[LineRefund]
) -> list[UUID]:
    """A return for the units of each line; its money is on its way, or was set off. The same for what each of the
    `others` gives back of the cost of sending."""
    shared = {
        "user_id": edit.actor.user_id,
        "reason": "edited",
        "reason_code": CANCELLED,
        "outbound_refunded": not edit.sends,
        "restocked": True,
        "edit_id": edit.change.edit_id,
        **settled_by(edit.refund),
    }
    return await insert_units_off(tx, order.order_id, off, others, shared)


async def _cancel_empty(tx: Tx, order: Editable, edit: Applied) -> str:
    """Cancel the parcels of which the edit left nothing."""
    gone = {one.order_item_id: one.quantity for one in edit.removed}
    left = {parcel.parcel_id: 0 for parcel in order.parcels}
    for line in order.lines:
        if line.parcel_id is not None:
            left[line.parcel_id] += line.returnable - gone.get(line.order_item_id, 0)
    filled = {line.parcel_id for line in edit.change.lines}
    moves = [
        ParcelMove(parcel.parcel_id, order.order_id, "confirmed", "cancelled", edit.actor.kind, "edited")
        for parcel in order.parcels
        if parcel.status == "confirmed" and not left[parcel.parcel_id] and parcel.parcel_id not in filled
    ]
    if not moves:
        return order.status
    return await move_parcels(tx, order, await parcels_of(tx, order.order_id), moves)


def packed(order: Editable, lines: Sequence[AddedLine]) -> tuple[list[AddedLine], list[AddedParcel]]:
    """The lines in their parcels: those of the order that are still confirmed and have their seller and warehouse, or
    new ones."""
    waiting = {
        (parcel.seller_id, parcel.warehouse_id): parcel.parcel_id for parcel in reversed(order.parcels) if parcel.open
    }
    number = max((parcel.number for parcel in order.parcels), default=0)
    new, put = list[AddedParcel](), list[AddedLine]()
    for line in lines:
        place = (line.seller_id, line.warehouse_id)
        if place not in waiting:
            number += 1
            waiting[place] = new_id()
            new.append(AddedParcel(waiting[place], number, line.seller_id, line.warehouse_id, line.promised_on))
        put.append(replace(line, parcel_id=waiting[place]))
    return put, new
