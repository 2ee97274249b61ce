"""Reads of returns that are sent back with a carrier's label."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Uuid, bindparam, func, or_, select

from api.catalog.queries.weights import grams_of
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, first_as
from api.kernel.errors import Forbidden
from api.kernel.nested import json_rows
from api.orders.errors import ReturnNotFound
from api.orders.labels.drawing import LabelOnPaper
from api.orders.labels.models import ParcelLabel
from api.orders.labels.queries import GRAMS_OF_A_UNIT, place_of, warehouse_place
from api.orders.labels.returning.errors import NoReturnLabel
from api.orders.labels.returning.schemas import ReturnLabelBody
from api.orders.models import Order, OrderItem, Parcel, Return
from api.orders.queries.access import IS_ADMIN, IS_BUYER, SELLER, actor_values
from api.orders.queries.privacy import PARCEL_ADDRESS, Viewer, may_see, seen
from api.orders.returns.policy import POLICIES, has_label, rma_number
from api.orders.returns.returned import RMA_NUMBER
from api.orders.tracking.models import ParcelScan
from api.orders.tracking.queries import SCAN_BODY
from api.shipping.carriers.interface import Packed


@dataclass(frozen=True, slots=True)
class Returning:
    """Units that come back to the warehouse that sent them. `address`: where they were sent."""

    return_id: UUID
    parcel_id: UUID
    order_id: UUID
    seller_id: UUID
    warehouse_id: UUID | None
    product_id: UUID
    quantity: int
    status: str
    currency: str
    address: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Head:
    """A return that the actor may see. `label`: the status of its newest label."""

    reason_code: str
    status: str
    label_due: bool
    label: str | None
    is_buyer: bool


@dataclass(frozen=True, slots=True)
class _Bought:
    """The label of a return."""

    carrier: str
    service: str
    tracking_number: str
    weight_grams: int


_RETURN_ID = bindparam("return_id", type_=Uuid)
_RETURNING = (
    select(
        Return.return_id,
        Parcel.parcel_id,
        Return.order_id,
        Return.seller_id,
        Parcel.warehouse_id,
        Return.product_id,
        Return.quantity,
        Parcel.status,
        Order.currency,
        PARCEL_ADDRESS.label("address"),
    )
    .join(OrderItem, OrderItem.order_item_id == Return.order_item_id)
    .join(Parcel, Parcel.parcel_id == OrderItem.parcel_id)
    .join(Order, Order.order_id == Return.order_id)
)
_BY_ID = _RETURNING.where(Return.return_id == _RETURN_ID)
_DUE = _RETURNING.where(Return.label_due).order_by(Return.return_id).limit(bindparam("most", type_=Integer))
_VIEWERS: dict[Viewer, ColumnElement[bool]] = {
    "buyer": IS_BUYER,
    "seller": Return.seller_id == SELLER,
    "admin": IS_ADMIN,
}
_SEEN = (
    Return.return_id == _RETURN_ID,
    Return.order_id == bindparam("order_id", type_=Uuid),
    or_(*_VIEWERS.values()),
)
_NEWEST = (
    select(ParcelLabel.status)
    .where(ParcelLabel.return_id == Return.return_id)
    .order_by(ParcelLabel.created_at.desc())
    .limit(1)
)
_HEAD = (
    select(
        Return.reason_code,
        Return.status,
        Return.label_due,
        _NEWEST.scalar_subquery().label("label"),
        func.coalesce(IS_BUYER, False).label("is_buyer"),
    )
    .join(Order, Order.order_id == Return.order_id)
    .where(*_SEEN)
)
_EVENTS = (
    select(json_rows(SCAN_BODY, ParcelScan.occurred_at))
    .where(ParcelScan.tracking_id == ParcelLabel.tracking_id)
    .scalar_subquery()
)
_BODY = (
    select(
        ParcelLabel.label_id,
        Return.return_id,
        RMA_NUMBER.label("rma_number"),
        ParcelLabel.carrier,
        ParcelLabel.service,
        ParcelLabel.weight_grams,
        ParcelLabel.price,
        ParcelLabel.currency,
        ParcelLabel.arrives_on,
        seen("return_address", ParcelLabel.tracking_number, _VIEWERS, Parcel.status).label("tracking_number"),
        ParcelLabel.carriage,
        ParcelLabel.last_scan_at,
        seen("return_address", _EVENTS, _VIEWERS, Parcel.status).label("events"),
        ParcelLabel.created_at,
    )
    .join(Return, Return.return_id == ParcelLabel.return_id)
    .join(Parcel, Parcel.parcel_id == ParcelLabel.parcel_id)
    .join(Order, Order.order_id == Return.order_id)
    .where(*_SEEN, ParcelLabel.status == "bought")
)

_BOUGHT = select(ParcelLabel.carrier, ParcelLabel.service, ParcelLabel.tracking_number, ParcelLabel.weight_grams).where(
    ParcelLabel.return_id == _RETURN_ID, ParcelLabel.status == "bought"
)


async def returns_due(tx: ReadTx, most: int) -> Sequence[Returning]:
    """Approved returns for whose label no carrier was asked yet, the oldest first."""
    return await tx.all_as(Returning, _DUE, {"most": most})


async def returning_of(tx: ReadTx, return_id: UUID) -> Returning | None:
    """A return as it is to be sent; None when the table of privacy does not let a carrier know from where."""
    found = await tx.first_as(Returning, _BY_ID, {"return_id": return_id})
    return found if found is not None and may_see("carrier", "return_address", found.status) else None


async def grams_back(tx: ReadTx, coming: Returning) -> int:
    """What the units of a return weigh."""
    grams = await grams_of(tx, [coming.product_id])
    return grams.get(coming.product_id, GRAMS_OF_A_UNIT) * coming.quantity


async def packed_return(tx: ReadTx, coming: Returning, weight_grams: int) -> Packed:
    """The return as its carrier gets it: from where it was sent, to the warehouse that sent it."""
    return Packed(
        reference=rma_number(coming.return_id),
        sender=place_of(coming.address),
        recipient=await warehouse_place(tx, coming.seller_id, coming.warehouse_id, coming.address),
        weight_grams=weight_grams,
        currency=coming.currency,
    )


async def return_label(tx: ReadTx, actor: Actor, place: tuple[UUID, UUID]) -> ReturnLabelBody:
    """The label of a return, `place` (order, return), of the actor's. Raises: ReturnNotFound, NoReturnLabel."""
    return (await _found(tx, actor, place))[1]


async def return_on_paper(tx: ReadTx, actor: Actor, place: tuple[UUID, UUID]) -> LabelOnPaper:
    """What the return's label says, for its buyer. Raises: ReturnNotFound, NoReturnLabel, Forbidden."""
    head, label = await _found(tx, actor, place)
    if not head.is_buyer or label.tracking_number is None:
        raise Forbidden("It has the buyer's address: only the buyer prints the label of a return.")
    printed = await return_by_link(tx, place[1])
    if printed is None:
        raise AssertionError(f"return {place[1]} has a label and no parcel")
    return printed


async def return_by_link(tx: ReadTx, return_id: UUID) -> LabelOnPaper | None:
    """What the label of a return says, for whoever has the link that was mailed to its buyer; None without a label."""
    coming, label = await tx.batch(
        first_as(Returning, _BY_ID, {"return_id": return_id}), first_as(_Bought, _BOUGHT, {"return_id": return_id})
    )
    if coming is None or label is None:
        return None
    parcel = await packed_return(tx, coming, label.weight_grams)
    return LabelOnPaper(
        carrier=label.carrier,
        service=label.service,
        sender=parcel.sender,
        recipient=parcel.recipient,
        tracking_number=label.tracking_number,
        weight_grams=label.weight_grams,
        reference=parcel.reference,
        # Nobody waits for it on a day.
        promised_on=None,
    )


async def _found(tx: ReadTx, actor: Actor, place: tuple[UUID, UUID]) -> tuple[_Head, ReturnLabelBody]:
    """In one round trip. Raises: ReturnNotFound, NoReturnLabel."""
    values = {"order_id": place[0], "return_id": place[1], **actor_values(actor)}
    head, body = await tx.batch(first_as(_Head, _HEAD, values), first_as(ReturnLabelBody, _BODY, values))
    if head is None:
        raise ReturnNotFound
    if body is None:
        raise NoReturnLabel(_why_none(head), extra={"returnStatus": head.status})
    return head, body


def _why_none(head: _Head) -> str:
    if head.reason_code not in POLICIES:
        return "Nothing is sent back for it."
    if not has_label(head.reason_code):
        return "For its reason the buyer pays: send it with a carrier of your choice, and write the RMA number on it."
    if head.status in {"requested", "rejected"}:
        return "A label is made for a return that its seller has approved."
    if head.label_due or head.label == "asked":
        return "A carrier is being asked; look again in a moment."
    return "No carrier takes it: agree with the seller how it is sent."
