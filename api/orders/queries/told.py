"""What mails say of a parcel, and where they go; for the relay, which acts for nobody."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.identity.queries import emails_of
from api.kernel.db import Tx
from api.kernel.nested import json_rows
from api.orders.models import Order, OrderItem, Parcel
from api.orders.queries.lines import TITLE
from api.orders.queries.locked import RETURNED_UNITS


class _Bought(Protocol):
    """Something of an order: it names the member who placed it, or the address that its guest gave."""

    @property
    def user_id(self) -> UUID | None: ...
    @property
    def guest_email(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ToldParcel:
    """`lines`: title and quantity of what is left in it."""

    parcel_id: UUID
    number: int
    promised_on: date | None
    order_number: str
    user_id: UUID | None
    guest_email: str | None
    lines: list[dict[str, object]]


_PARCELS = (
    select(
        Parcel.parcel_id,
        Parcel.number,
        Parcel.promised_on,
        Order.order_number,
        Order.user_id,
        Order.guest_email,
        select(json_rows((TITLE, (OrderItem.quantity - RETURNED_UNITS).label("quantity")), OrderItem.order_item_id))
        .where(OrderItem.order_id == Parcel.order_id, OrderItem.parcel_id == Parcel.parcel_id)
        .scalar_subquery()
        .label("lines"),
    )
    .join(Order, Order.order_id == Parcel.order_id)
    .where(Parcel.parcel_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


async def told_parcels(tx: Tx, parcel_ids: Collection[UUID]) -> dict[UUID, tuple[ToldParcel, str]]:
    """By id: each parcel, and where its buyer is written to; without those whose buyer has no address."""
    parcels = await tx.all_as(ToldParcel, _PARCELS, {"ids": list(parcel_ids)})
    return {
        parcel.parcel_id: (parcel, buyer)
        for parcel, buyer in zip(parcels, await buyers_emails(tx, parcels), strict=True)
        if buyer is not None
    }


async def buyers_emails(tx: Tx, bought: Sequence[_Bought]) -> list[str | None]:
    """Where the buyer of each is written to: the address of a member's account, or the one that a guest gave; None
    without one."""
    emails = await emails_of(tx, {one.user_id for one in bought if one.user_id is not None})
    return [one.guest_email if one.user_id is None else emails.get(one.user_id) for one in bought]
