"""A seller sends a part of a parcel in a parcel of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from fastapi import Response
from sqlalchemy import (
    ARRAY,
    Executable,
    Integer,
    Numeric,
    Uuid,
    bindparam,
    column,
    func,
    insert,
    select,
    update,
)

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Forbidden
from api.kernel.idempotency import RequestKey
from api.kernel.ids import new_id
from api.kernel.money import ZERO, share
from api.orders.commands.change import change_order
from api.orders.errors import NothingStays, NotInParcel, StillBeingPlaced
from api.orders.labels.voiding import require_no_asked_label, void_label
from api.orders.models import OrderItem, Parcel, ParcelEvent
from api.orders.parcels.changes.chosen import units_of
from api.orders.parcels.commands import impossible_for, require_sent, the_one
from api.orders.parcels.queries import lock_order_of, parcels_of
from api.orders.parcels.schemas import ParcelLine, SplitParcel, SplitState
from api.orders.queries.locked import lines_of
from api.orders.returns.returnable import OrderLine, comes_back_whole

# A parcel can be split until it is sent, also while it waits for its units.
SPLITTABLE = frozenset({"backordered", "confirmed", "processing"})
# How far apart the ids of lines lie that were made in one go: their last four bytes are random.
_GAP = 1 << 32


@dataclass(frozen=True, slots=True)
class Piece:
    """Units that go into the new parcel. `new_id` None: the line goes whole; otherwise the units are a line of their
    own, with their share of the discount and the tax of the old one."""

    order_item_id: UUID
    quantity: int
    new_id: UUID | None = None
    discount: Decimal = ZERO
    tax_amount: Decimal = ZERO

    @property
    def line_id(self) -> UUID:
        """The line that they are in the new parcel."""
        return self.new_id or self.order_item_id


def pieces_of(units: Mapping[UUID, int], lines: Mapping[UUID, OrderLine]) -> list[Piece]:
    """The pieces, from the units of each of the order's `lines` that move.

    Raises: NotInParcel for a part of a line of which units were taken off, or for which money went back: it moves whole
    or stays.
    """
    pieces, errors = [], []
    for index, (item_id, moving) in enumerate(units.items()):
        line = lines[item_id]
        if moving == line.returnable:
            pieces.append(Piece(item_id, line.quantity))
        elif line.returned:
            message = f"units of this line were cancelled: move all {line.returnable} that are left, or none"
            errors.append(FieldError(pointer=f"/lines/{index}/quantity", message=message))
        elif line.adjusted:
            message = f"money went back for this line: move all {line.returnable}, or none"
            errors.append(FieldError(pointer=f"/lines/{index}/quantity", message=message))
        else:
            part = (Decimal(0), Decimal(moving), Decimal(line.quantity))
            discount, tax = share(line.discount, *part), share(line.tax_amount, *part)
            pieces.append(Piece(item_id, moving, _id_after(item_id, lines), discount, tax))
    if errors:
        raise NotInParcel("Correct or remove the entries named in `errors`.", errors=errors)
    return pieces


def _id_after(item_id: UUID, lines: Mapping[UUID, OrderLine]) -> UUID:
    """An id right after the line's and before the next one's: lines are shown in the order of their ids, and what was
    given back of the shipping fee depends on it."""
    low = item_id.int
    high = min((other.int for other in lines if other.int > low), default=low + _GAP)
    between = (low + min(high, low + _GAP)) // 2
    return UUID(int=between) if between > low else new_id()


async def split_parcel(ctx: Context, actor: Actor, key: RequestKey, parcel_id: UUID, request: SplitParcel) -> Response:
    """Move units of a parcel into a new one of the same seller and warehouse, before it is sent.

    A label that it has goes back. Of a parcel that waits, the new one is served first. Raises: ParcelNotFound,
    Forbidden, ImpossibleMove, StillBeingPlaced, NotInParcel, NothingStays, HasLabel.
    """
    return await change_order(ctx, key, lambda tx: _split(tx, actor, parcel_id, request.lines))


async def _split(tx: Tx, actor: Actor, parcel_id: UUID, request: Sequence[ParcelLine]) -> SplitState:
    if actor.kind not in {"seller", "admin"}:
        raise Forbidden("Only the seller of the parcel, or an administrator, may do this.")
    order = await lock_order_of(tx, actor, parcel_id)
    parcels = await parcels_of(tx, order.order_id)
    parcel = the_one(parcels, parcel_id)
    require_sent(parcel)
    if parcel.status not in SPLITTABLE:
        raise impossible_for(parcel, "split")
    if order.payment_status == "authorised":
        raise StillBeingPlaced
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    inside = {item_id: line for item_id, line in lines.items() if line.parcel_id == parcel_id}
    units = units_of(request, inside)
    if comes_back_whole(inside, units):
        raise NothingStays
    pieces = pieces_of(units, lines)
    await require_no_asked_label(tx, parcel_id)
    await void_label(tx, parcel_id)
    number, new_parcel = parcels[-1].number + 1, new_id()
    await _write(tx, parcel_id, new_parcel, number, pieces)
    return SplitState(
        order_id=order.order_id,
        parcel_id=parcel_id,
        new_parcel_id=new_parcel,
        number=number,
        status=parcel.status,
        lines=[ParcelLine(order_item_id=one.line_id, quantity=one.quantity) for one in pieces],
    )


async def _write(tx: Tx, parcel_id: UUID, new_parcel: UUID, number: int, pieces: Sequence[Piece]) -> None:
    places = {"old_parcel": parcel_id, "new_parcel": new_parcel}
    await tx.execute(_NEW_PARCEL, {**places, "number": number})
    await tx.execute(_ITS_HISTORY, places)
    whole = [one.order_item_id for one in pieces if one.new_id is None]
    cut = [one for one in pieces if one.new_id is not None]
    if whole:
        await tx.execute(_MOVE_LINES, {"new_parcel": new_parcel, "whole": whole})
    if cut:
        values = {
            "old_ids": [one.order_item_id for one in cut],
            "new_ids": [one.new_id for one in cut],
            "quantities": [one.quantity for one in cut],
            "discounts": [one.discount for one in cut],
            "taxes": [one.tax_amount for one in cut],
        }
        await tx.execute(_NEW_LINES, {**values, "new_parcel": new_parcel})
        await tx.execute(_LESSEN_LINES, values)


_OLD, _NEW = bindparam("old_parcel", type_=Uuid), bindparam("new_parcel", type_=Uuid)
# What a new parcel does not have of the one that it was taken from: the way that it will take is its own.
FRESH = frozenset({"parcel_id", "number", "shipped_at", "delivered_at", "carrier", "tracking_number", "updated_at"})
_KEPT = [one for one in Parcel.__table__.columns if one.key not in FRESH]
_NEW_PARCEL = insert(Parcel).from_select(
    [Parcel.parcel_id, Parcel.number, *_KEPT],
    select(_NEW, bindparam("number", type_=Integer), *_KEPT).where(Parcel.parcel_id == _OLD),
)
_STEP = [one for one in ParcelEvent.__table__.columns if one.key != "parcel_id"]
_ITS_HISTORY = insert(ParcelEvent).from_select(
    [ParcelEvent.parcel_id, *_STEP], select(_NEW, *_STEP).where(ParcelEvent.parcel_id == _OLD)
)
_MOVE_LINES = (
    update(OrderItem)
    .where(OrderItem.order_item_id == func.any(bindparam("whole", type_=ARRAY(Uuid))))
    .values(parcel_id=_NEW)
)
_CUT = (
    func.unnest(
        bindparam("old_ids", type_=ARRAY(Uuid)),
        bindparam("new_ids", type_=ARRAY(Uuid)),
        bindparam("quantities", type_=ARRAY(Integer)),
        bindparam("discounts", type_=ARRAY(Numeric(12, 2))),
        bindparam("taxes", type_=ARRAY(Numeric(12, 2))),
    )
    .table_valued(
        column("old_id", Uuid),
        column("new_id", Uuid),
        column("quantity", Integer),
        column("discount", Numeric(12, 2)),
        column("tax", Numeric(12, 2)),
    )
    .render_derived("cut")
)
# Of a line that is cut: what its new line has instead of a copy.
_SHARED = {
    "order_item_id": _CUT.c.new_id,
    "parcel_id": _NEW,
    "quantity": _CUT.c.quantity,
    "subtotal": _CUT.c.quantity * OrderItem.price_at_purchase,
    "discount": _CUT.c.discount,
    "tax_amount": _CUT.c.tax,
}


def _new_lines() -> Executable:
    columns = list(OrderItem.__table__.columns)
    values = [_SHARED.get(one.key, one) for one in columns]
    rows = select(*values).where(OrderItem.order_item_id == _CUT.c.old_id)
    return insert(OrderItem).from_select(columns, rows)


_NEW_LINES = _new_lines()
_LESSEN_LINES = (
    update(OrderItem)
    .where(OrderItem.order_item_id == _CUT.c.old_id)
    .values(
        quantity=OrderItem.quantity - _CUT.c.quantity,
        subtotal=(OrderItem.quantity - _CUT.c.quantity) * OrderItem.price_at_purchase,
        discount=OrderItem.discount - _CUT.c.discount,
        tax_amount=OrderItem.tax_amount - _CUT.c.tax,
    )
)
