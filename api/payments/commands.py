"""Refunds: lock the balance of an order's payments, and request pending refunds at the gateways."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, exists, func, select
from sqlalchemy.orm import aliased

from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx
from api.kernel.logs import get_logger
from api.payments.gateways.interface import GatewayRefused, Unreachable
from api.payments.gateways.registry import UnknownGateway, gateway_named
from api.payments.models import Payment, Refund
from api.payments.statements import IssuedRefund, OrderPayment, PendingRefund, Source

log = get_logger(__name__)

# Batch size per gateway, so that an unavailable gateway does not delay the others.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Balance:
    """`kept`: captured from the order's payments and not yet refunded. `others_pending`: whether another refund of the
    order is; `booking_pending`: whether another of the same booking is."""

    kept: Decimal
    others_pending: bool
    booking_pending: bool


_ASKED = (
    select(func.coalesce(func.sum(Refund.amount), 0))
    .where(Refund.payment_id == Payment.payment_id, Refund.status != "failed")
    .scalar_subquery()
)
_SOURCES = (
    select(Payment.payment_id, Payment.status, (Payment.captured_amount - _ASKED).label("refundable"))
    .where(Payment.order_id == bindparam("order_id", type_=Uuid))
    .order_by(Payment.created_at, Payment.payment_id)
    .with_for_update()
)


async def lock_payment(tx: Tx, order_id: UUID) -> OrderPayment | None:
    """The order's payments, locked; None without any. The caller holds the order's lock."""
    sources = await tx.all_as(Source, _SOURCES, {"order_id": order_id})
    return OrderPayment(sources) if sources else None


# Of a refund that booked nothing together with others the booking is its own.
_BOOKING = func.coalesce(Refund.booking_id, Refund.refund_id)
_OTHERS = (Refund.order_id == bindparam("order_id"), Refund.status == "pending", Refund.refund_id != bindparam("own"))
_ALL = aliased(Payment)
_BALANCE = (
    select(
        select(func.sum(_ALL.captured_amount - _ALL.refunded_amount))
        .where(_ALL.order_id == bindparam("order_id", type_=Uuid))
        .scalar_subquery()
        .label("kept"),
        exists().where(*_OTHERS).label("others_pending"),
        exists().where(*_OTHERS, bindparam("booking", type_=Uuid) == _BOOKING).label("booking_pending"),
    )
    .where(Payment.payment_id == bindparam("payment_id", type_=Uuid))
    .with_for_update(of=Payment)
)


async def lock_balance(tx: Tx, refund: PendingRefund) -> Balance:
    """The balance of the refund's order, its payment locked; the caller holds the order's lock."""
    values = {
        "order_id": refund.order_id,
        "payment_id": refund.payment_id,
        "own": refund.refund_id,
        "booking": refund.booking_id,
    }
    balance = await tx.first_as(Balance, _BALANCE, values)
    if balance is None:
        raise AssertionError(f"refund {refund.refund_id} has no payment")
    return balance


async def issue_refunds(ctx: Context, order_id: UUID | None = None) -> AsyncIterator[IssuedRefund]:
    """Request every pending refund, of one order or of all, at the gateway that
    captured the payment; yields those made.

    The caller records each in a transaction of its own; no transaction is open during a gateway call. When a gateway
    does not answer, or is not configured, the refund stays pending and is requested again later.
    """
    async with ctx.db.read() as tx:
        refunds = await _pending_refunds(tx, order_id)
    away: set[str] = set()
    for refund in refunds:
        if refund.gateway in away:
            continue
        about = {"refund": str(refund.refund_id), "gateway": refund.gateway}
        try:
            gateway = gateway_named(ctx, refund.gateway)
            reference = await gateway.refund(refund.payment_key, refund.key, refund.amount)
        except UnknownGateway as error:
            log.error("a refund waits for a gateway that is not configured", reason=str(error), **about)  # noqa: TRY400 - the reason says it all
            away.add(refund.gateway)
        except Unreachable as error:
            log.warning("a refund waits for the gateway", reason=str(error), **about)
            away.add(refund.gateway)
        except GatewayRefused as error:
            log.warning("the gateway refused a refund", reason=error.code, **about)
        else:
            yield IssuedRefund(refund, reference)


async def _pending_refunds(tx: ReadTx, order_id: UUID | None) -> list[PendingRefund]:
    statement = _pending(of_order=order_id is not None)
    return await tx.all_as(PendingRefund, statement, {"order_id": order_id})


@cache
def _pending(*, of_order: bool) -> Select[Any]:  # Any: the columns of a PendingRefund
    """The oldest refunds that wait for their gateway, of one order or of all; at most BATCH of each gateway."""
    place = func.row_number().over(partition_by=Payment.gateway, order_by=Refund.created_at)
    pending = (
        select(
            Refund.refund_id,
            Refund.order_id,
            Refund.payment_id,
            _BOOKING.label("booking_id"),
            Refund.amount,
            Refund.created_at,
            Refund.gateway_key.label("key"),
            Payment.gateway,
            Payment.gateway_key.label("payment_key"),
            place.label("place"),
        )
        .join(Payment, Payment.payment_id == Refund.payment_id)
        .where(Refund.status == "pending")
    )
    if of_order:
        pending = pending.where(Refund.order_id == bindparam("order_id"))
    row = pending.subquery().c
    return (
        select(
            row.refund_id,
            row.order_id,
            row.payment_id,
            row.booking_id,
            row.amount,
            row.key,
            row.gateway,
            row.payment_key,
        )
        .where(row.place <= BATCH)
        .order_by(row.created_at)
    )
