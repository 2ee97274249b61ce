"""The SQL of orders as parts of one statement: create one, and move one along its state machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import orjson

from api.kernel.actor import ActorKind
from api.kernel.ids import new_id
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.states import EVENT_OF, may_follow

_CREATE = """placed AS (
    INSERT INTO orders (order_id, order_number, user_id, guest_session, guest_email, status, currency,
                        subtotal, tax, shipping_fee, discount, total, payment_method, payment_status,
                        shipping_address, country, delivery_speed, estimated_delivery)
    SELECT :order_id, :order_number, :order_user, :order_session, :order_email, 'pending', :order_currency,
           :order_subtotal, :order_tax, :order_shipping, :order_discount, :order_total, :order_method, 'pending',
           CAST(:order_address AS jsonb), :order_country, :order_speed, :order_estimate
    FROM gate RETURNING 1),
placed_items AS (
    INSERT INTO order_items (order_item_id, order_id, product_id, variant_id, seller_id, warehouse_id, quantity,
                             price_at_purchase, subtotal)
    SELECT i.order_item_id, :order_id, i.product_id, i.variant_id, i.seller_id, i.warehouse_id, i.quantity,
           i.price, i.price * i.quantity
    FROM unnest(CAST(:item_ids AS uuid[]), CAST(:item_products AS uuid[]), CAST(:item_variants AS uuid[]),
                CAST(:item_sellers AS uuid[]), CAST(:item_warehouses AS uuid[]), CAST(:item_quantities AS int[]),
                CAST(:item_prices AS numeric[]))
         AS i(order_item_id, product_id, variant_id, seller_id, warehouse_id, quantity, price), gate
    RETURNING 1),
placed_step AS (
    INSERT INTO order_events (order_event_id, order_id, sequence, from_status, to_status, actor_kind)
    SELECT :step_id, :order_id, 1, NULL, 'pending', :step_actor FROM gate RETURNING 1)"""
_MOVE = """moved_order AS (
    UPDATE orders
    SET status = CAST(:step_to AS text),
        payment_status = coalesce(CAST(:step_payment AS text), payment_status),
        actual_delivery = CASE WHEN CAST(:step_to AS text) = 'delivered' AND actual_delivery IS NULL
                               THEN now() ELSE actual_delivery END,
        updated_at = now()
    FROM gate WHERE order_id = :order_id AND status = CAST(:step_from AS text) RETURNING order_id),
moved_items AS (
    UPDATE order_items i SET status = CAST(:step_to AS text) FROM moved_order o
    WHERE i.order_id = o.order_id RETURNING 1),
moved_step AS (
    INSERT INTO order_events (order_event_id, order_id, sequence, from_status, to_status, actor_kind, reason)
    SELECT :step_id, o.order_id, (SELECT max(e.sequence) + 1 FROM order_events e WHERE e.order_id = o.order_id),
           CAST(:step_from AS text), CAST(:step_to AS text), CAST(:step_actor AS text), CAST(:step_reason AS text)
    FROM moved_order o RETURNING 1)"""
_PAID = """paid_order AS (
    UPDATE orders SET payment_status = :paid_status, updated_at = now()
    FROM gate WHERE order_id = :order_id RETURNING 1)"""
_RETURNS_REQUESTED = """requested_steps AS (
    INSERT INTO return_events (return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount,
                               currency)
    SELECT r.return_id, r.status, r.order_id, r.order_item_id, r.seller_id, r.quantity, r.refund_amount, o.currency
    FROM returns r JOIN orders o ON o.order_id = r.order_id, gate
    WHERE r.return_id = ANY(CAST(:return_ids AS uuid[])) RETURNING 1)"""
_DECIDE_RETURNS = """decided AS (
    UPDATE returns SET status = CAST(:return_to AS text), updated_at = now() FROM gate
    WHERE order_id = :order_id AND status = :return_from
    RETURNING return_id, order_id, order_item_id, seller_id, quantity, refund_amount),
decided_steps AS (
    INSERT INTO return_events (return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount,
                               currency)
    SELECT d.return_id, CAST(:return_to AS text), d.order_id, d.order_item_id, d.seller_id, d.quantity,
           d.refund_amount, o.currency
    FROM decided d JOIN orders o ON o.order_id = d.order_id RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class NewItem:
    """One line of a parcel: the same variant from two warehouses makes two lines."""

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class NewOrder:
    order_id: UUID
    order_number: str
    user_id: UUID | None
    session_id: str | None
    email: str | None
    actor_kind: str
    currency: str
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    discount: Decimal
    total: Decimal
    payment_method: str
    address: dict[str, str]
    delivery_speed: str
    estimated_delivery: date
    items: Sequence[NewItem]


@dataclass(frozen=True, slots=True)
class Step:
    """One move of one order; `payment_status` None leaves it.

    Raises ValueError for a move that the state machine does not have.
    """

    order_id: UUID
    before: str
    after: str
    actor_kind: ActorKind
    reason: str | None = None
    payment_status: str | None = None

    def __post_init__(self) -> None:
        if not may_follow(self.before, self.after):
            raise ValueError(f"an order never goes from {self.before} to {self.after}")

    def event(self) -> Event:
        """The outbox event of the step."""
        payload = {"orderId": self.order_id, "from": self.before, "to": self.after}
        return Event("order", self.order_id, EVENT_OF[self.after], payload)


def create_part(order: NewOrder) -> Part:
    """Insert the order as pending, its lines and its first history row."""
    items = order.items
    values: dict[str, object] = {
        "order_id": order.order_id,
        "order_number": order.order_number,
        "order_user": order.user_id,
        "order_session": None if order.user_id else order.session_id,
        "order_email": order.email,
        "order_currency": order.currency,
        "order_subtotal": order.subtotal,
        "order_tax": order.tax,
        "order_shipping": order.shipping,
        "order_discount": order.discount,
        "order_total": order.total,
        "order_method": order.payment_method,
        "order_address": orjson.dumps(order.address).decode(),
        "order_country": order.address["country"],
        "order_speed": order.delivery_speed,
        "order_estimate": order.estimated_delivery,
        "item_ids": [item.order_item_id for item in items],
        "item_products": [item.product_id for item in items],
        "item_variants": [item.variant_id for item in items],
        "item_sellers": [item.seller_id for item in items],
        "item_warehouses": [item.warehouse_id for item in items],
        "item_quantities": [item.quantity for item in items],
        "item_prices": [item.price for item in items],
        "step_id": new_id(),
        "step_actor": order.actor_kind,
    }
    return Part(
        _CREATE,
        values,
        makes=("placed", "placed_items", "placed_step"),
        needs=("gate",),
        writes=frozenset({"orders", "order_items", "order_events"}),
    )


def created_event(order: NewOrder) -> Event:
    payload = {
        "orderId": order.order_id,
        "from": None,
        "to": "pending",
        "total": order.total,
        "currency": order.currency,
    }
    return Event("order", order.order_id, EVENT_OF["pending"], payload)


def move_part(step: Step) -> Part:
    """Move the order if it is in the step's from-state; CTE `moved_order` then has its row."""
    return Part(
        _MOVE,
        {
            "order_id": step.order_id,
            "step_from": step.before,
            "step_to": step.after,
            "step_payment": step.payment_status,
            "step_id": new_id(),
            "step_actor": step.actor_kind,
            "step_reason": step.reason,
        },
        makes=("moved_order", "moved_items", "moved_step"),
        needs=("gate",),
        writes=frozenset({"orders", "order_items", "order_events"}),
    )


def payment_status_part(order_id: UUID, status: str) -> Part:
    """Set the order's payment status; not a step of the state machine."""
    return Part(
        _PAID,
        {"order_id": order_id, "paid_status": status},
        makes=("paid_order",),
        needs=("gate",),
        writes=frozenset({"orders"}),
    )


def requested_part(return_ids: Sequence[UUID]) -> Part:
    """The first event of each of these returns, which the transaction has inserted."""
    return Part(
        _RETURNS_REQUESTED,
        {"return_ids": list(return_ids)},
        makes=("requested_steps",),
        needs=("gate",),
        writes=frozenset({"return_events"}),
    )


def decide_part(order_id: UUID, before: str, after: str) -> Part:
    """Move all returns of the order from `before` to `after`, each with its event."""
    return Part(
        _DECIDE_RETURNS,
        {"order_id": order_id, "return_from": before, "return_to": after},
        makes=("decided", "decided_steps"),
        needs=("gate",),
        writes=frozenset({"returns", "return_events"}),
    )
