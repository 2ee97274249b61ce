"""The SQL of payments as parts of one statement: open one, and move one along."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

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
    :payment_amount,
           :payment_currency
    FROM gate RETURNING 1)"""
_MOVE = """moved_payment AS (
    UPDATE payments SET status = CAST(:payment_to AS text),
           gateway_reference = coalesce(CAST(:payment_reference AS text), gateway_reference),
           captured_amount = CASE WHEN CAST(:payment_to AS text) = 'captured' THEN amount ELSE captured_amount END,
           updated_at = now()
    FROM gate WHERE payment_id = :payment_id AND status = ANY(CAST(:payment_from AS text[])) RETURNING 1)"""
_REQUEST_REFUND = """asked_refund AS (
    INSERT INTO refunds (refund_id, payment_id, order_id, gateway_key, amount)
    SELECT :refund_id, :payment_id, :payment_order, :refund_key, :refund_amount FROM gate RETURNING 1)"""


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


def request_refund_part(refund_id: UUID, payment_id: UUID, order_id: UUID, key: str, amount: Decimal) -> Part:
    """Insert the refund as pending: the intent is durable before the gateway is asked."""
    return Part(
        _REQUEST_REFUND,
        {
            "refund_id": refund_id,
            "payment_id": payment_id,
            "payment_order": order_id,
            "refund_key": key,
            "refund_amount": amount,
        },
        makes=("asked_refund",),
        needs=("gate",),
        writes=frozenset({"refunds"}),
    )
