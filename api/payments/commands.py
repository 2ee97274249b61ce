"""Refunds: lock a payment's balance, and request pending refunds at the gateways."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, bindparam, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute

from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx
from api.kernel.logs import get_logger
from api.payments.gateways.interface import GatewayRefused, Unreachable
from api.payments.gateways.registry import UnknownGateway, gateway_named
from api.payments.models import Payment, Refund
from api.payments.statements import IssuedRefund, OrderPayment, PendingRefund

log = get_logger(__name__)

Column = InstrumentedAttribute[Decimal] | InstrumentedAttribute[Decimal | None]
# Batch size per gateway, so that an unavailable gateway does not delay the others.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Balance:
    """`kept`: captured and not yet refunded. `others_pending`: whether another refund of the order is."""

    kept: Decimal
    others_pending: bool


async def lock_payment(tx: Tx, order_id: UUID) -> OrderPayment | None:
    """The order's latest payment, locked; the caller holds the order's lock."""

    def asked(column: Column) -> ScalarSelect[Any]:  # Any: a sum of amounts
        return (
            select(func.coalesce(func.sum(column), 0))
            .where(Refund.payment_id == Payment.payment_id, Refund.status != "failed")
            .scalar_subquery()
        )

    statement = (
        select(
            Payment.payment_id,
            Payment.status,
            (Payment.captured_amount - asked(Refund.amount)).label("refundable"),
            asked(Refund.goods_amount).label("goods_asked"),
            asked(Refund.tax_amount).label("tax_asked"),
        )
        .where(Payment.order_id == order_id)
        .order_by(Payment.created_at.desc())
        .limit(1)
        .with_for_update()
    )
    return await tx.first_as(OrderPayment, statement)


async def lock_balance(tx: Tx, refund: PendingRefund) -> Balance:
    """The balance of the refund's payment, locked; the caller holds the order's lock."""
    others = exists().where(
        Refund.order_id == refund.order_id, Refund.status == "pending", Refund.refund_id != refund.refund_id
    )
    statement = (
        select((Payment.captured_amount - Payment.refunded_amount).label("kept"), others.label("others_pending"))
        .where(Payment.payment_id == refund.payment_id)
        .with_for_update()
    )
    balance = await tx.first_as(Balance, statement)
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
        select(row.refund_id, row.order_id, row.payment_id, row.amount, row.key, row.gateway, row.payment_key)
        .where(row.place <= BATCH)
        .order_by(row.created_at)
    )
