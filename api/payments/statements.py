"""The SQL of payments and refunds as parts of one statement, and the events that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.kernel.ids import new_id
from api.kernel.outbox import Event
from api.kernel.statement import Part

EVENT_OF = {
    "authorised": "PaymentAuthorised",
    "captured": "PaymentCaptured",
    "voided": "PaymentVoided",
    "declined": "PaymentDeclined",
}

_OPEN = """opened AS (
    INSERT INTO payments (payment_id, order_id, checkout_id, gateway, gateway_key, method_type, amount, currency)
    SELECT :payment_id, :payment_order, gate.checkout_id, :payment_gateway, :payment_key, :payment_method,
           :payment_amount, :payment_currency FROM gate RETURNING 1)"""
_MOVE = """moved_payment AS (
    UPDATE payments SET status = CAST(:payment_to AS text),
           gateway_reference = coalesce(CAST(:payment_reference AS text), gateway_reference),
           captured_amount = CASE WHEN CAST(:payment_to AS text) = 'captured' THEN amount ELSE captured_amount END,
           updated_at = now()
    FROM gate WHERE payment_id = :payment_id AND status = ANY(CAST(:payment_from AS text[])) RETURNING 1)"""
_REQUEST_REFUND = """asked_refund AS (
    INSERT INTO refunds (refund_id, payment_id, order_id, gateway_key, amount)
    SELECT :refund_id, :payment_id, :payment_order, :refund_key, :refund_amount FROM gate RETURNING 1)"""
_ISSUE_REFUND = """gate AS (
    UPDATE refunds SET status = 'refunded', gateway_reference = :refund_reference
    WHERE refund_id = :refund_id AND status = 'pending' RETURNING NULL::uuid AS checkout_id),
refunded_payment AS (
    UPDATE payments SET refunded_amount = refunded_amount + :refund_amount, updated_at = now()
    FROM gate WHERE payment_id = :payment_id RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class OrderPayment:
    """`refundable`: captured, without completed and pending refunds."""

    payment_id: UUID
    status: str
    refundable: Decimal


@dataclass(frozen=True, slots=True)
class PendingRefund:
    """A refund that its gateway has not confirmed. `key` is its own at the gateway, `payment_key` the payment's."""

    refund_id: UUID
    order_id: UUID
    payment_id: UUID
    amount: Decimal
    key: str
    gateway: str
    payment_key: str


@dataclass(frozen=True, slots=True)
class IssuedRefund:
    """A refund that its gateway has made, to be recorded with `issued_part`."""

    refund: PendingRefund
    reference: str


def open_part(
    *, payment_id: UUID, order_id: UUID, gateway: str, key: str, method: str, amount: Decimal, currency: str
) -> Part:
    """Insert the payment as pending; the gate names the checkout."""
    return Part(
        _OPEN,
        {
            "payment_id": payment_id,
            "payment_order": order_id,
            "payment_gateway": gateway,
            "payment_key": key,
            "payment_method": method,
            "payment_amount": amount,
            "payment_currency": currency,
        },
        makes=("opened",),
        needs=("gate",),
        writes=frozenset({"payments"}),
    )


def move_part(payment_id: UUID, before: Sequence[str], after: str, reference: str | None = None) -> Part:
    """Move the payment if it is in one of `before`."""
    return Part(
        _MOVE,
        {"payment_id": payment_id, "payment_from": list(before), "payment_to": after, "payment_reference": reference},
        makes=("moved_payment",),
        needs=("gate",),
        writes=frozenset({"payments"}),
    )


def moved_event(payment_id: UUID, order_id: UUID, after: str, amount: Decimal, currency: str) -> Event:
    payload = {"paymentId": payment_id, "orderId": order_id, "to": after, "amount": amount, "currency": currency}
    return Event("payment", payment_id, EVENT_OF[after], payload)


def request_refund(payment: OrderPayment, order_id: UUID, amount: Decimal) -> tuple[list[Part], list[Event]]:
    """Insert a refund as pending: the intent is durable before the gateway is asked. Nothing when `amount` is 0."""
    if amount <= 0:
        return [], []
    refund_id = new_id()
    part = Part(
        _REQUEST_REFUND,
        {
            "refund_id": refund_id,
            "payment_id": payment.payment_id,
            "payment_order": order_id,
            "refund_key": f"refund-{refund_id}",
            "refund_amount": amount,
        },
        makes=("asked_refund",),
        needs=("gate",),
        writes=frozenset({"refunds"}),
    )
    payload = {"orderId": order_id, "amount": amount}
    return [part], [Event("payment", payment.payment_id, "RefundRequested", payload)]


def issued_part(issued: IssuedRefund) -> Part:
    """Record the gateway's refund once: the refund's row is the gate, so whatever
    else the statement writes happens once too."""
    return Part(
        _ISSUE_REFUND,
        {
            "refund_id": issued.refund.refund_id,
            "refund_reference": issued.reference,
            "refund_amount": issued.refund.amount,
            "payment_id": issued.refund.payment_id,
        },
        makes=("gate", "refunded_payment"),
        writes=frozenset({"refunds", "payments"}),
    )


def issued_event(issued: IssuedRefund) -> Event:
    payload = {"orderId": issued.refund.order_id, "amount": issued.refund.amount}
    return Event("payment", issued.refund.payment_id, "RefundIssued", payload)
