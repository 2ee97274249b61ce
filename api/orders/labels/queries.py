"""Reads of labels, and of what a carrier must know of a parcel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Interval, Select, Uuid, bindparam, func, select

from api.catalog.queries.weights import grams_of
from api.inventory.queries import site_of
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, Tx
from api.orders.errors import ParcelNotFound
from api.orders.labels.drawing import LabelOnPaper
from api.orders.labels.errors import LabelClosed, NoLabel
from api.orders.labels.models import ParcelLabel
from api.orders.labels.schemas import LabelBody
from api.orders.models import Order, OrderItem, Parcel
from api.orders.parcels.queries import MAY_SEND, whose
from api.orders.queries.locked import RETURNED_UNITS
from api.orders.queries.privacy import PARCEL_ADDRESS, may_see
from api.sellers.queries import store_card
from api.shipping.carriers.interface import Packed, Place

# A unit whose weight nobody has said.
GRAMS_OF_A_UNIT = 500


@dataclass(frozen=True, slots=True)
class Label:
    """A row of `parcel_labels`, and the order of its parcel; `return_id`: it is of units that come back."""

    label_id: UUID
    parcel_id: UUID
    return_id: UUID | None
    order_id: UUID
    carrier: str
    service: str
    weight_grams: int
    price: Decimal
    currency: str
    status: str
    asked_by: str
    tracking_number: str | None

    @property
    def carrier_key(self) -> str:
        """The label's own key at the carrier."""
        return f"label-{self.label_id}"


@dataclass(frozen=True, slots=True)
class Sending:
    """A parcel as it is to be sent."""

    parcel_id: UUID
    order_id: UUID
    order_number: str
    number: int
    status: str
    seller_id: UUID
    warehouse_id: UUID | None
    promised_on: date | None
    currency: str
    address: dict[str, str]
    digital: bool


@dataclass(frozen=True, slots=True)
class _Line:
    product_id: UUID
    quantity: int


_LABEL = (
    ParcelLabel.label_id,
    ParcelLabel.parcel_id,
    ParcelLabel.return_id,
    Parcel.order_id,
    ParcelLabel.carrier,
    ParcelLabel.service,
    ParcelLabel.weight_grams,
    ParcelLabel.price,
    ParcelLabel.currency,
    ParcelLabel.status,
    ParcelLabel.asked_by,
    ParcelLabel.tracking_number,
)


def _labels() -> Select[Any]:  # Any: the columns of a Label
    return select(*_LABEL).join(Parcel, Parcel.parcel_id == ParcelLabel.parcel_id)


_OUTWARD = ParcelLabel.return_id.is_(None)
_NEWEST_FIRST = (ParcelLabel.created_at.desc(), ParcelLabel.label_id.desc())
_NEWEST = _labels().where(MAY_SEND, _OUTWARD).order_by(*_NEWEST_FIRST).limit(1)
_BY_ID = _labels().where(ParcelLabel.label_id == bindparam("label_id", type_=Uuid))
_BODY = (
    select(
        ParcelLabel.label_id,
        ParcelLabel.parcel_id,
        ParcelLabel.carrier,
        ParcelLabel.service,
        ParcelLabel.weight_grams,
        ParcelLabel.price,
        ParcelLabel.currency,
        ParcelLabel.arrives_on,
        ParcelLabel.status,
        ParcelLabel.tracking_number,
        ParcelLabel.carriage,
        ParcelLabel.created_at,
    )
    .join(Parcel, Parcel.parcel_id == ParcelLabel.parcel_id)
    .where(MAY_SEND, _OUTWARD)
    .order_by(*_NEWEST_FIRST)
    .limit(1)
)
_SENDING = (
    select(
        Parcel.parcel_id,
        Parcel.order_id,
        Order.order_number,
        Parcel.number,
        Parcel.status,
        Parcel.seller_id,
        Parcel.warehouse_id,
        Parcel.promised_on,
        Order.currency,
        PARCEL_ADDRESS.label("address"),
        Parcel.digital,
    )
    .join(Order, Order.order_id == Parcel.order_id)
    .where(MAY_SEND)
)
_LINES = select(OrderItem.product_id, (OrderItem.quantity - RETURNED_UNITS).label("quantity")).where(
    OrderItem.order_id == bindparam("order_id", type_=Uuid), OrderItem.parcel_id == bindparam("parcel_id", type_=Uuid)
)
_OPEN = (
    _labels()
    .where(
        ParcelLabel.status.in_(("asked", "cancelling")),
        ParcelLabel.updated_at < func.now() - bindparam("age", type_=Interval),
    )
    .order_by(ParcelLabel.updated_at)
    .limit(bindparam("most", type_=Integer))
)


async def newest_label(tx: Tx, actor: Actor, parcel_id: UUID) -> Label | None:
    """The parcel's newest label: the live one, when there is one."""
    return await tx.first_as(Label, _NEWEST, {"parcel_id": parcel_id, **whose(actor)})


async def label_of(tx: ReadTx, label_id: UUID) -> Label:
    """A label that the shop itself works on."""
    label = await tx.first_as(Label, _BY_ID, {"label_id": label_id})
    if label is None:
        raise AssertionError(f"label {label_id} is gone")
    return label


async def label_body(tx: ReadTx, actor: Actor, parcel_id: UUID) -> LabelBody:
    """The newest label of a parcel of the actor's. Raises: NoLabel, ParcelNotFound."""
    values = {"parcel_id": parcel_id, **whose(actor)}
    body = await tx.first_as(LabelBody, _BODY, values)
    if body is None:
        await sending_of(tx, actor, parcel_id)
        raise NoLabel
    return body


async def open_labels(tx: ReadTx, age: timedelta, most: int) -> Sequence[Label]:
    """Labels whose carrier was asked so long ago without an answer that was written down."""
    return await tx.all_as(Label, _OPEN, {"age": age, "most": most})


async def sending_of(tx: ReadTx, actor: Actor, parcel_id: UUID) -> Sending:
    """A parcel that the actor may send. Raises: ParcelNotFound."""
    sending = await tx.first_as(Sending, _SENDING, {"parcel_id": parcel_id, **whose(actor)})
    if sending is None:
        raise ParcelNotFound
    return sending


async def grams_in(tx: ReadTx, sending: Sending) -> int:
    """What the units weigh that are to be sent of a parcel; one of unknown weight counts as GRAMS_OF_A_UNIT."""
    lines = await tx.all_as(_Line, _LINES, {"order_id": sending.order_id, "parcel_id": sending.parcel_id})
    grams = await grams_of(tx, {line.product_id for line in lines})
    return sum(grams.get(line.product_id, GRAMS_OF_A_UNIT) * line.quantity for line in lines)


async def packed(tx: ReadTx, sending: Sending, weight_grams: int) -> Packed:
    """The parcel as its carrier gets it."""
    sender = await warehouse_place(tx, sending.seller_id, sending.warehouse_id, sending.address)
    return Packed(
        reference=f"{sending.order_number}/{sending.number}",
        sender=sender,
        recipient=place_of(sending.address),
        weight_grams=weight_grams,
        currency=sending.currency,
    )


async def label_on_paper(tx: ReadTx, actor: Actor, parcel_id: UUID) -> LabelOnPaper:
    """What the parcel's label says. Raises: ParcelNotFound, NoLabel, and LabelClosed when the table of privacy does not
    let its seller see the address any more."""
    sending = await sending_of(tx, actor, parcel_id)
    label = await label_body(tx, actor, parcel_id)
    if label.status != "bought" or label.tracking_number is None:
        raise NoLabel
    if not may_see("seller", "shipping_address", sending.status):
        raise LabelClosed
    parcel = await packed(tx, sending, label.weight_grams)
    return LabelOnPaper(
        carrier=label.carrier,
        service=label.service,
        sender=parcel.sender,
        recipient=parcel.recipient,
        tracking_number=label.tracking_number,
        weight_grams=label.weight_grams,
        reference=parcel.reference,
        promised_on=label.arrives_on,
    )


async def warehouse_place(tx: ReadTx, seller_id: UUID, warehouse_id: UUID | None, buyers: Mapping[str, str]) -> Place:
    """Where a seller's warehouse is. What has no warehouse is in the country of the buyer's address."""
    store, site = await store_card(tx, seller_id), await site_of(tx, warehouse_id)
    return Place(
        name=store.name if store else "",
        street="" if site is None else f"Warehouse {site.code}",
        city=site.city if site else "",
        state="",
        zip_code="",
        country=site.country if site else buyers.get("country", ""),
    )


def place_of(address: Mapping[str, str]) -> Place:
    """The place of an order's address."""
    return Place(
        name=address.get("name", ""),
        street=address.get("street", ""),
        city=address.get("city", ""),
        state=address.get("state", ""),
        zip_code=address.get("zipCode", ""),
        country=address.get("country", ""),
    )
