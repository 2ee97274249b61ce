"""Guest orders by a mailed token, and what their mails say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, LargeBinary, String, Uuid, and_, any_, bindparam, func, select

from api.kernel.db import ReadTx
from api.kernel.security import hash_opaque_token
from api.orders.models import Order, OrderItem, OrderToken

# What is still a guest's and has been paid or refused: the checkout of a pending one is at work.
CLAIMABLE = and_(Order.user_id.is_(None), Order.status != "pending")
USABLE = and_(
    OrderToken.token_id == bindparam("token_id", type_=Uuid),
    OrderToken.token_hash == bindparam("token_hash", type_=LargeBinary),
    OrderToken.used_at.is_(None),
    OrderToken.expires_at > func.now(),
)


@dataclass(frozen=True, slots=True)
class GuestOrder:
    """An order that a guest's mailed token opens."""

    order_id: UUID
    guest_session: str | None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An order as its mail tells of it."""

    order_id: UUID
    order_number: str
    user_id: UUID | None
    guest_email: str | None
    currency: str
    total: Decimal
    estimated_delivery: date | None


@dataclass(frozen=True, slots=True)
class ConfirmedLine:
    """A line as it was bought. `kit`: what it was bought as a part of, as the line keeps it."""

    order_item_id: UUID
    order_id: UUID
    title: str
    quantity: int
    amount: Decimal
    kit: dict[str, Any] | None  # Any: JSON


@dataclass(frozen=True, slots=True)
class ClaimAsked:
    """A request for a code, of somebody who has guest orders."""

    token_id: UUID
    email: str
    expires_at: datetime


def token_values(token_id: UUID, token: str) -> Mapping[str, object]:
    """The binds of USABLE."""
    return {"token_id": token_id, "token_hash": hash_opaque_token(token)}


_OPEN = (
    select(Order.order_id, Order.guest_session)
    .join(OrderToken, OrderToken.order_id == Order.order_id)
    .where(USABLE, OrderToken.purpose == "order", Order.user_id.is_(None))
)
_OPENED = _OPEN.where(
    Order.order_number == bindparam("number", type_=String),
    func.lower(Order.guest_email) == bindparam("email", type_=String),
)
_OPENED_BY_TOKEN = _OPEN.where(Order.order_id == bindparam("order_id", type_=Uuid))


async def guest_order_of(tx: ReadTx, token_id: UUID, token: str, *, number: str, email: str) -> GuestOrder | None:
    """The order of this number and address, when the token opens it."""
    values = {**token_values(token_id, token), "number": number, "email": email}
    return await tx.first_as(GuestOrder, _OPENED, values)


async def guest_order_by_token(tx: ReadTx, token_id: UUID, token: str, order_id: UUID) -> GuestOrder | None:
    """This order, when the token opens it."""
    values = {**token_values(token_id, token), "order_id": order_id}
    return await tx.first_as(GuestOrder, _OPENED_BY_TOKEN, values)


_BY_NUMBER = select(Order.order_id).where(
    CLAIMABLE,
    Order.order_number == bindparam("number", type_=String),
    func.lower(Order.guest_email) == bindparam("email", type_=String),
)


async def guest_order_by_number(tx: ReadTx, *, number: str, email: str) -> UUID | None:
    """The guest's order of this number and address: for a mail to that address alone."""
    order_id: UUID | None = await tx.scalar(_BY_NUMBER, {"number": number, "email": email})
    return order_id


_CONFIRMED = select(
    Order.order_id,
    Order.order_number,
    Order.user_id,
    Order.guest_email,
    Order.currency,
    Order.total,
    Order.estimated_delivery,
).where(Order.order_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_CONFIRMED_LINES = (
    select(
        OrderItem.order_item_id,
        OrderItem.order_id,
        OrderItem.title,
        OrderItem.quantity,
        OrderItem.subtotal.label("amount"),
        OrderItem.kit,
    )
    .where(OrderItem.order_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(OrderItem.order_id, OrderItem.order_item_id)
)
_HAS_ORDERS = select(Order.order_id).where(CLAIMABLE, func.lower(Order.guest_email) == OrderToken.email).exists()
_ASKED = select(OrderToken.token_id, OrderToken.email, OrderToken.expires_at).where(
    OrderToken.token_id == any_(bindparam("ids", type_=ARRAY(Uuid))), OrderToken.purpose == "claim", _HAS_ORDERS
)


@dataclass(frozen=True, slots=True)
class LookUpAsked:
    """A request to have an order mailed again."""

    token_id: UUID
    order_id: UUID
    expires_at: datetime


_LOOK_UPS = select(OrderToken.token_id, OrderToken.order_id, OrderToken.expires_at).where(
    OrderToken.token_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    OrderToken.purpose == "order",
    OrderToken.used_at.is_(None),
)


async def look_ups_asked(tx: ReadTx, token_ids: Iterable[UUID]) -> list[LookUpAsked]:
    """The requests among these whose code is good."""
    return await tx.all_as(LookUpAsked, _LOOK_UPS, {"ids": list(token_ids)})


async def confirmed_orders(tx: ReadTx, order_ids: Iterable[UUID]) -> tuple[list[Confirmed], list[ConfirmedLine]]:
    """What the mails of these orders say."""
    ids = {"ids": list(order_ids)}
    return await tx.all_as(Confirmed, _CONFIRMED, ids), await tx.all_as(ConfirmedLine, _CONFIRMED_LINES, ids)


async def claims_asked(tx: ReadTx, token_ids: Iterable[UUID]) -> list[ClaimAsked]:
    """The requests among these whose address has guest orders."""
    return await tx.all_as(ClaimAsked, _ASKED, {"ids": list(token_ids)})
