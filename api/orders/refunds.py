"""Refunds that were decided reach the gateway: asked with the refund's own key until it answers, recorded once."""

from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.logs import get_logger
from api.kernel.outbox import Event, events_part
from api.kernel.statement import Part, compose
from api.orders.life import decide_part
from api.orders.statements import Step, move_part
from api.payments.gateway import GatewayRefused, Unreachable, gateway_of

log = get_logger(__name__)

_PENDING = text(
    """SELECT r.refund_id, r.order_id, r.payment_id, r.amount, r.gateway_key, p.gateway_key AS payment_key
    FROM refunds r JOIN payments p USING (payment_id)
    WHERE r.status = 'pending' AND (CAST(:order_id AS uuid) IS NULL OR r.order_id = CAST(:order_id AS uuid))
    ORDER BY r.created_at LIMIT 100"""
)
_LOCK = text(
    """SELECT o.status, o.total, p.captured_amount - p.refunded_amount AS kept FROM orders o JOIN payments p USING
    (order_id)
    WHERE o.order_id = :order_id AND p.payment_id = :payment_id FOR UPDATE"""
)
_RECORD = """gate AS (
    UPDATE refunds SET status = 'refunded', gateway_reference = :refund_reference WHERE refund_id = :refund_id AND
    status = 'pending'
    RETURNING NULL::uuid AS checkout_id),
given_back AS (
    UPDATE payments SET refunded_amount = refunded_amount + :refund_amount, updated_at = now() FROM gate
    WHERE payment_id = :payment_id RETURNING 1)"""
# Which refund belongs to which return is not recorded; the returns are refunded when the last of the order's refunds
# is.
_RETURNED = """given_returns AS (
    UPDATE returns SET status = 'refunded', updated_at = now() FROM gate
    WHERE order_id = :order_id AND status = 'approved'
      AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = :order_id AND r.status = 'pending' AND r.refund_id <>
      :refund_id)
    RETURNING 1)"""
_PARTLY = """kept_rest AS (
    UPDATE orders SET payment_status = CASE WHEN status = 'cancelled' THEN 'refunded' ELSE payment_status END,
    updated_at = now()
    FROM gate WHERE order_id = :order_id RETURNING 1)"""


async def settle_refunds(ctx: Context, order_id: UUID | None = None) -> int:
    """Ask the gateway for every pending refund (of one order, or of all); returns how many were given. A silent gateway
    is asked later."""
    async with ctx.db.read() as tx:
        rows = await tx.all(_PENDING, {"order_id": order_id})
    given = 0
    for row in rows:
        try:
            reference = await gateway_of(ctx).refund(row.payment_key, row.gateway_key, row.amount)
        except Unreachable as error:
            log.warning("a refund waits for the gateway", refund=str(row.refund_id), reason=str(error))
            return given
        except GatewayRefused as error:
            log.warning("the gateway refused a refund", refund=str(row.refund_id), reason=error.code)
            continue
        await ctx.db.run(partial(_record, refund=row, reference=reference))
        given += 1
    return given


async def _record(tx: Tx, refund: Row[Any], reference: str) -> None:  # Any: a row of _PENDING
    """The gateway's answer, once: the refund, the payment's sum, the returns it pays for, and the last step of an order
    that came back."""
    order = await tx.first(_LOCK, {"order_id": refund.order_id, "payment_id": refund.payment_id})
    if order is None:
        raise AssertionError(f"refund {refund.refund_id} has no order")
    values = {
        "refund_id": refund.refund_id,
        "refund_reference": reference,
        "refund_amount": refund.amount,
        "payment_id": refund.payment_id,
    }
    parts = [Part(_RECORD, values, makes=("gate", "given_back"), writes=frozenset({"refunds", "payments"}))]
    events = [
        Event("payment", refund.payment_id, "RefundIssued", {"orderId": refund.order_id, "amount": refund.amount})
    ]
    if order.status == "return_approved" and order.kept == refund.amount:
        move = Step(refund.order_id, "return_approved", "refunded", "service", payment_status="refunded")
        parts += [decide_part(refund.order_id, "approved", "refunded"), move_part(move)]
        events.append(move.event())
    else:
        parts.append(
            Part(
                f"{_RETURNED}, {_PARTLY}",
                {"order_id": refund.order_id},
                makes=("given_returns", "kept_rest"),
                needs=("gate",),
                writes=frozenset({"returns", "orders"}),
            )
        )
    await tx.execute(*compose([*parts, events_part(events)], "1"))
