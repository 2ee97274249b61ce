"""Changes the order of an edit by its plan, and says how it is afterwards."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import orjson

from api.checkout.edits.lease import LeasedEdit
from api.checkout.edits.schemas import CommittedEdit, EditPlan
from api.kernel.actor import SHOP, Actor
from api.kernel.db import Tx
from api.kernel.idempotency import Answer, Stored, finish_part
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.edits.apply import Applied, UnitsOff, apply_edit, packed
from api.orders.edits.queries import Editable, editable
from api.orders.edits.statements import AddedLine, AddedParcel, Change
from api.orders.parcels.packing import latest_of
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import NewRefund, request_refund


class Committed(Protocol):
    """An edit that changes its order now."""

    @property
    def edit_id(self) -> UUID: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def key(self) -> str: ...
    @property
    def plan(self) -> EditPlan: ...
    @property
    def amount(self) -> Decimal: ...


async def changed(tx: Tx, edit: LeasedEdit) -> Editable:
    """The order of an edit that is paid for, locked: for the shop, because a guest's may have become a member's."""
    return await editable(tx, SHOP, edit.order_id, lock=True)


async def complete(
    tx: Tx, order: Editable, edit: Committed, parts: Sequence[Part] = (), events: Sequence[Event] = ()
) -> Stored:
    """Change the locked order, refund what the edit gives back, and store the answer."""
    plan = edit.plan
    back = Parts(plan.refund_goods, plan.refund_tax, plan.refund_shipping)
    refund = NewRefund(edit.edit_id, [], [])
    if back.amount > 0:
        payment = await lock_payment(tx, order.order_id)
        if payment is None:
            raise AssertionError(f"order {order.order_id} has no payment")
        refund = request_refund(payment, order.order_id, back)
    change = _change(order, edit)
    body = CommittedEdit(
        edit_id=edit.edit_id,
        order_id=order.order_id,
        status=order.status,
        payment_status=order.head.payment_status,
        total=plan.due_after,
        charged_amount=edit.amount or None,
        refund_amount=back.amount or None,
    )
    stored = Stored(200, orjson.dumps(body.model_dump(mode="json", by_alias=True)))
    answered = finish_part([Answer(edit.actor.key, edit.key, stored, edit.edit_id)])
    removed = [UnitsOff(one.order_item_id, one.quantity, _stay(plan, one.order_item_id)) for one in plan.removed]
    applied = Applied(edit.actor, change, removed, refund, [*parts, answered], events, sends=plan.sends)
    await apply_edit(tx, order, applied)
    return stored


def _stay(plan: EditPlan, item_id: UUID) -> int:
    """How many units of a line that goes are in a line which the edit adds for it."""
    return sum(line.quantity for line in plan.added if line.moved_from == item_id)


def _change(order: Editable, edit: Committed) -> Change:
    plan = edit.plan
    lines = [
        AddedLine(
            order_item_id=line.order_item_id,
            product_id=line.product_id,
            variant_id=line.variant_id,
            seller_id=line.seller_id,
            warehouse_id=line.warehouse_id,
            quantity=line.quantity,
            price=line.unit_price,
            snapshot=line.snapshot,
            promised_on=line.promised_on,
            moved=line.moved,
        )
        for line in plan.added
    ]
    put, new = packed(order, lines)
    promised, new = _promised(order, plan, {line.parcel_id for line in put}, new)
    return Change(
        edit_id=edit.edit_id,
        order_id=order.order_id,
        actor_kind=edit.actor.kind,
        subtotal=plan.subtotal,
        tax=plan.tax,
        tax_included=plan.tax_included,
        shipping_fee=plan.shipping,
        discount=plan.discount,
        total=plan.total,
        due=plan.due_after,
        charged=edit.amount,
        refunded=plan.refund_goods + plan.refund_tax + plan.refund_shipping,
        parcels=new,
        lines=put,
        promised=promised,
        address=plan.address,
        estimate=plan.estimated_delivery,
    )


def _promised(
    order: Editable, plan: EditPlan, joined: set[UUID | None], new: Sequence[AddedParcel]
) -> tuple[list[tuple[UUID, date]], list[AddedParcel]]:
    """The days of the parcels that wait to be sent: new ones at a new address, later ones where more is added, and the
    latest of a seller's where they wait for each other."""
    waiting = {parcel.parcel_id: parcel for parcel in order.parcels if parcel.open}
    days = {parcel_id: parcel.promised_on for parcel_id, parcel in waiting.items()}
    for parcel_id, parcel in waiting.items():
        day = plan.promised.get(parcel.warehouse_id) if parcel.warehouse_id else None
        if day is not None and (plan.address is not None or parcel_id in joined):
            earlier = None if plan.address is not None else parcel.promised_on
            days[parcel_id] = max(day, earlier or day)
    days |= {parcel.parcel_id: parcel.promised_on for parcel in new}
    if order.head.shipping_preference == "together":
        sellers = {parcel_id: parcel.seller_id for parcel_id, parcel in waiting.items()}
        sellers |= {parcel.parcel_id: parcel.seller_id for parcel in new}
        known = {(sellers[parcel_id], parcel_id): day for parcel_id, day in days.items() if day is not None}
        days |= {parcel_id: day for (_, parcel_id), day in latest_of(known).items()}
    moved = [
        (parcel_id, day)
        for parcel_id, parcel in waiting.items()
        for day in [days[parcel_id]]
        if day is not None and day != parcel.promised_on
    ]
    return moved, [replace(parcel, promised_on=days[parcel.parcel_id]) for parcel in new]
