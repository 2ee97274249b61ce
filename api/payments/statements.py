"""The SQL of payments and refunds as parts of one statement, and the events that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.kernel.ids import new_id
from api.kernel.money import ZERO
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.payments.parts import Parts

EVENT_OF = {
    "authorised": "PaymentAuthorised",
    "captured": "PaymentCaptured",
    "voided": "PaymentVoided",
    "declined": "PaymentDeclined",
}

_OPEN = """opened AS (
    INSERT INTO payments (payment_id, order_id, checkout_id, gateway, gateway_key, method_type, amount, currency)
    SELECT p.payment_id, p.order_id, p.checkout_id, p.gateway, p.gateway_key, p.method_type, p.amount, p.currency
    FROM unnest(CAST(:opened_ids AS uuid[]), CAST(:opened_orders AS uuid[]), CAST(:opened_checkouts AS uuid[]),
                CAST(:opened_gateways AS text[]), CAST(:opened_keys AS text[]), CAST(:opened_methods AS text[]),
                CAST(:opened_amounts AS numeric[]), CAST(:opened_currencies AS text[]))
         AS p(payment_id, order_id, checkout_id, gateway, gateway_key, method_type, amount, currency)
    JOIN gate USING (checkout_id) RETURNING 1)"""
_MOVE = """moved_payment AS (
    UPDATE payments p SET status = CAST(:payment_to AS text),
           gateway_reference = coalesce(m.reference, p.gateway_reference),
           captured_amount = CASE WHEN CAST(:payment_to AS text) = 'captured' THEN p.amount ELSE p.captured_amount END,
           updated_at = now()
    FROM unnest(CAST(:payment_checkouts AS uuid[]), CAST(:payment_ids AS uuid[]), CAST(:payment_references AS text[]))
         AS m(checkout_id, payment_id, reference)
    JOIN gate USING (checkout_id)
    WHERE p.payment_id = m.payment_id AND p.status = ANY(CAST(:payment_from AS text[])) RETURNING 1)"""
_REQUEST_REFUND = """asked_refund AS (
    INSERT INTO refunds (refund_id, payment_id, order_id, booking_id, gateway_key, amount, goods_amount, tax_amount,
                         shipping_amount)
    SELECT r.refund_id, r.payment_id, :payment_order, :refund_booking, r.key, r.amount, r.goods, r.tax, r.shipping
    FROM unnest(CAST(:refund_ids AS uuid[]), CAST(:refund_payments AS uuid[]), CAST(:refund_keys AS text[]),
                CAST(:refund_amounts AS numeric[]), CAST(:refund_goods AS numeric[]), CAST(:refund_taxes AS numeric[]),
                CAST(:refund_shippings AS numeric[]))
         AS r(refund_id, payment_id, key, amount, goods, tax, shipping), gate
    RETURNING 1)"""
_ISSUE_REFUND = """gate AS (
    UPDATE refunds SET status = 'refunded', gateway_reference = :refund_reference
    WHERE refund_id = :refund_id AND status = 'pending' RETURNING NULL::uuid AS checkout_id),
refunded_payment AS (
    UPDATE payments SET refunded_amount = refunded_amount + :refund_amount, updated_at = now()
    FROM gate WHERE payment_id = :payment_id RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class NewPayment:
    """The payment of a checkout; `gateway_key` is its own at the gateway."""

    payment_id: UUID
    order_id: UUID
    checkout_id: UUID
    gateway: str
    gateway_key: str
    method_type: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class PaymentMove:
    """What the gateway did with a checkout's payment; `reference` is the gateway's."""

    checkout_id: UUID
    payment_id: UUID
    order_id: UUID
    amount: Decimal
    currency: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A payment that a refund can be taken from. `refundable`: captured, without completed and pending refunds."""

    payment_id: UUID
    status: str
    refundable: Decimal


@dataclass(frozen=True, slots=True)
class OrderPayment:
    """The payments of an order, the first first: that of placing it, then those of its edits."""

    sources: Sequence[Source]

    @property
    def status(self) -> str:
        """Of the payment that placed the order."""
        return self.sources[0].status

    @property
    def refundable(self) -> Decimal:
        return sum((source.refundable for source in self.sources), ZERO)


@dataclass(frozen=True, slots=True)
class PendingRefund:
    """A refund that its gateway has not confirmed. `key` is its own at the gateway, `payment_key` the payment's.
    Refunds with one `booking_id` pay for one thing together."""

    refund_id: UUID
    order_id: UUID
    payment_id: UUID
    booking_id: UUID
    amount: Decimal
    key: str
    gateway: str
    payment_key: str


@dataclass(frozen=True, slots=True)
class IssuedRefund:
    """A refund that its gateway has made, to be recorded with `issued_part`."""

    refund: PendingRefund
    reference: str


def open_part(payments: Sequence[NewPayment]) -> Part:
    """Insert the payments as pending; the gate names the checkouts."""
    return Part(
        _OPEN,
        {
            "opened_ids": [payment.payment_id for payment in payments],
            "opened_orders": [payment.order_id for payment in payments],
            "opened_checkouts": [payment.checkout_id for payment in payments],
            "opened_gateways": [payment.gateway for payment in payments],
            "opened_keys": [payment.gateway_key for payment in payments],
            "opened_methods": [payment.method_type for payment in payments],
            "opened_amounts": [payment.amount for payment in payments],
            "opened_currencies": [payment.currency for payment in payments],
        },
        makes=("opened",),
        needs=("gate",),
        writes=frozenset({"payments"}),
    )


def move_part(moves: Sequence[PaymentMove], before: Sequence[str], after: str) -> Part:
    """Move each payment if it is in one of `before`; the gate names the checkouts."""
    return Part(
        _MOVE,
        {
            "payment_from": list(before),
            "payment_to": after,
            "payment_checkouts": [move.checkout_id for move in moves],
            "payment_ids": [move.payment_id for move in moves],
            "payment_references": [move.reference for move in moves],
        },
        makes=("moved_payment",),
        needs=("gate",),
        writes=frozenset({"payments"}),
    )


def moved_event(move: PaymentMove, after: str) -> Event:
    """The outbox event of the move."""
    payload = {
        "paymentId": move.payment_id,
        "orderId": move.order_id,
        "to": after,
        "amount": move.amount,
        "currency": move.currency,
    }
    return Event("payment", move.payment_id, EVENT_OF[after], payload, move.checkout_id)


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A refund to be inserted, with the parts and events of that; without them when its amount is 0. `refund_id` names
    it, also when it is taken from several payments."""

    refund_id: UUID
    parts: list[Part]
    events: list[Event]


def request_refund(payment: OrderPayment, order_id: UUID, refunded: Parts) -> NewRefund:
    """Insert a refund as pending: the intent is durable before the gateway is asked.

    It is taken from the order's payments, the first first, as far as each of them reaches.
    """
    booking_id = new_id()
    if refunded.amount <= 0:
        return NewRefund(booking_id, [], [])
    taken = _taken(payment.sources, refunded)
    ids = [booking_id, *(new_id() for _ in taken[1:])]
    part = Part(
        _REQUEST_REFUND,
        {
            "payment_order": order_id,
            "refund_booking": booking_id,
            "refund_ids": ids,
            "refund_payments": [payment_id for payment_id, _ in taken],
            "refund_keys": [f"refund-{refund_id}" for refund_id in ids],
            "refund_amounts": [parts.amount for _, parts in taken],
            "refund_goods": [parts.goods for _, parts in taken],
            "refund_taxes": [parts.tax for _, parts in taken],
            "refund_shippings": [parts.shipping for _, parts in taken],
        },
        makes=("asked_refund",),
        needs=("gate",),
        writes=frozenset({"refunds"}),
    )
    events = [
        Event("payment", payment_id, "RefundRequested", {"orderId": order_id, "amount": parts.amount})
        for payment_id, parts in taken
    ]
    return NewRefund(booking_id, [part], events)


def _taken(sources: Sequence[Source], refunded: Parts) -> list[tuple[UUID, Parts]]:
    """What each payment pays of a refund. The last one has what no payment has: the database refuses it there."""
    left, taken = refunded, list[tuple[UUID, Parts]]()
    for source in sources[:-1]:
        part = left.at_most(min(left.amount, source.refundable))
        if part.amount > 0:
            taken.append((source.payment_id, part))
            left = left - part
    return taken if left.amount <= 0 else [*taken, (sources[-1].payment_id, left)]


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
