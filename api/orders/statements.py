"""The SQL of orders as parts of one statement: create one, and move one along its state machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

import orjson

from api.kernel.actor import ActorKind
from api.kernel.ids import new_id
from api.kernel.money import ZERO
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.kits.bought import KitBought, kit_json
from api.orders.parcels.packing import numbered
from api.orders.parcels.statements import FOLLOW_PARCELS, PARCEL_STEPS
from api.orders.states import EVENT_OF, may_follow

_CREATE = """placed AS (
    INSERT INTO orders (order_id, order_number, user_id, guest_session, guest_email, status, currency,
                        subtotal, tax, tax_included, shipping_fee, discount, total, payment_method, payment_status,
                        shipping_address, country, delivery_speed, shipping_preference, estimated_delivery,
                        redemptions)
    SELECT o.order_id, o.order_number, o.user_id, o.guest_session, o.email, 'pending', o.currency,
           o.subtotal, o.tax, o.tax_included, o.shipping, o.discount, o.total, o.method, 'pending',
           CAST(o.address AS jsonb), o.country, o.speed, o.preference, o.estimate, o.redemptions
    FROM unnest(CAST(:order_checkouts AS uuid[]), CAST(:order_ids AS uuid[]), CAST(:order_numbers AS text[]),
                CAST(:order_users AS uuid[]), CAST(:order_sessions AS text[]), CAST(:order_emails AS text[]),
                CAST(:order_currencies AS text[]), CAST(:order_subtotals AS numeric[]), CAST(:order_taxes AS numeric[]),
                CAST(:order_shippings AS numeric[]), CAST(:order_discounts AS numeric[]),
                CAST(:order_totals AS numeric[]), CAST(:order_methods AS text[]), CAST(:order_addresses AS text[]),
                CAST(:order_countries AS text[]), CAST(:order_speeds AS text[]), CAST(:order_estimates AS date[]),
                CAST(:order_included_taxes AS numeric[]), CAST(:order_preferences AS text[]),
                CAST(:order_redemptions AS int[]))
         AS o(checkout_id, order_id, order_number, user_id, guest_session, email, currency, subtotal, tax, shipping,
              discount, total, method, address, country, speed, estimate, tax_included, preference,
              redemptions)
    JOIN gate USING (checkout_id) RETURNING 1),
placed_parcels AS (
    INSERT INTO parcels (parcel_id, order_id, number, seller_id, warehouse_id, promised_on, expected_on, allocation,
                         shipping_address, digital)
    SELECT p.parcel_id, p.order_id, p.number, p.seller_id, p.warehouse_id, p.promise, p.expected,
           CAST(p.allocation AS jsonb), CAST(p.address AS jsonb), p.digital
    FROM unnest(CAST(:parcel_checkouts AS uuid[]), CAST(:parcel_orders AS uuid[]), CAST(:parcel_ids AS uuid[]),
                CAST(:parcel_numbers AS int[]), CAST(:parcel_sellers AS uuid[]), CAST(:parcel_warehouses AS uuid[]),
                CAST(:parcel_promises AS date[]), CAST(:parcel_allocations AS text[]),
                CAST(:parcel_addresses AS text[]), CAST(:parcel_expected AS date[]), CAST(:parcel_digital AS bool[]))
         AS p(checkout_id, order_id, parcel_id, number, seller_id, warehouse_id, promise, allocation, address, expected,
              digital)
    JOIN gate USING (checkout_id) RETURNING 1),
placed_parcel_steps AS (
    INSERT INTO parcel_events (parcel_id, sequence, from_status, to_status, actor_kind)
    SELECT p.parcel_id, 1, NULL, 'pending', p.actor
    FROM unnest(CAST(:parcel_checkouts AS uuid[]), CAST(:parcel_ids AS uuid[]), CAST(:parcel_actors AS text[]))
         AS p(checkout_id, parcel_id, actor)
    JOIN gate USING (checkout_id) RETURNING 1),
placed_items AS (
    INSERT INTO order_items (order_item_id, order_id, product_id, variant_id, seller_id, warehouse_id, parcel_id,
                             quantity, price_at_purchase, subtotal, title, sku, attributes, image_url, list_price,
                             discount, promotion, tax_rate, tax_amount, tax_included, tax_class,
                             return_days, condition, min_age, kit)
    SELECT i.order_item_id, i.order_id, i.product_id, i.variant_id, i.seller_id, i.warehouse_id, i.parcel_id,
           i.quantity, i.price, i.price * i.quantity, i.title, i.sku, CAST(i.attributes AS jsonb), i.image,
           i.list_price, i.discount, i.promotion, i.tax_rate, i.tax, i.tax_included, i.tax_class, i.return_days,
           i.condition, i.min_age, CAST(i.kit AS jsonb)
    FROM unnest(CAST(:item_checkouts AS uuid[]), CAST(:item_orders AS uuid[]), CAST(:item_ids AS uuid[]),
                CAST(:item_products AS uuid[]), CAST(:item_variants AS uuid[]), CAST(:item_sellers AS uuid[]),
                CAST(:item_warehouses AS uuid[]), CAST(:item_quantities AS int[]), CAST(:item_prices AS numeric[]),
                CAST(:item_titles AS text[]), CAST(:item_skus AS text[]), CAST(:item_attributes AS text[]),
                CAST(:item_images AS text[]), CAST(:item_list_prices AS numeric[]),
                CAST(:item_discounts AS numeric[]), CAST(:item_promotions AS text[]),
                CAST(:item_tax_rates AS numeric[]), CAST(:item_taxes AS numeric[]),
                CAST(:item_tax_included AS bool[]), CAST(:item_tax_classes AS text[]), CAST(:item_parcels AS uuid[]),
                CAST(:item_return_days AS int[]), CAST(:item_conditions AS text[]), CAST(:item_min_ages AS int[]),
                CAST(:item_kits AS text[]))
         AS i(checkout_id, order_id, order_item_id, product_id, variant_id, seller_id, warehouse_id, quantity, price,
              title, sku, attributes, image, list_price, discount, promotion, tax_rate, tax, tax_included, tax_class,
              parcel_id, return_days, condition, min_age, kit)
    JOIN gate USING (checkout_id) RETURNING 1),
placed_step AS (
    INSERT INTO order_events (order_event_id, order_id, sequence, from_status, to_status, actor_kind)
    SELECT s.step_id, s.order_id, 1, NULL, 'pending', s.actor
    FROM unnest(CAST(:order_checkouts AS uuid[]), CAST(:order_ids AS uuid[]), CAST(:placed_ids AS uuid[]),
                CAST(:placed_actors AS text[])) AS s(checkout_id, order_id, step_id, actor)
    JOIN gate USING (checkout_id) RETURNING 1)"""
_MOVE_ORDER = """moved_order AS (
    UPDATE orders o
    SET status = s.after,
        payment_status = coalesce(s.payment, o.payment_status),
        actual_delivery = CASE WHEN s.after = 'delivered' AND o.actual_delivery IS NULL
                               THEN now() ELSE o.actual_delivery END,
        updated_at = now()
    FROM unnest(CAST(:step_gates AS uuid[]), CAST(:step_orders AS uuid[]), CAST(:step_ids AS uuid[]),
                CAST(:step_before AS text[]), CAST(:step_after AS text[]), CAST(:step_payments AS text[]),
                CAST(:step_actors AS text[]), CAST(:step_reasons AS text[]))
         AS s(gate_id, order_id, step_id, before, after, payment, actor, reason)
    JOIN gate ON gate.checkout_id IS NOT DISTINCT FROM s.gate_id
    WHERE o.order_id = s.order_id AND o.status = s.before
    RETURNING o.order_id, s.step_id, s.before, s.after, s.actor, s.reason),
moved_step AS (
    INSERT INTO order_events (order_event_id, order_id, sequence, from_status, to_status, actor_kind, reason)
    SELECT o.step_id, o.order_id, (SELECT max(e.sequence) + 1 FROM order_events e WHERE e.order_id = o.order_id),
           o.before, o.after, o.actor, o.reason
    FROM moved_order o RETURNING 1)"""
# The parcels and lines that are where the order was go with it; a cancelled parcel stays cancelled.
_MOVE_WHOLE = """moved_parcels AS (
    UPDATE parcels p SET status = o.after, updated_at = now() FROM moved_order o
    WHERE p.order_id = o.order_id AND p.status = o.before
    RETURNING p.parcel_id, o.before, o.after, o.actor, o.reason),
moved_items AS (
    UPDATE order_items i SET status = o.after FROM moved_order o
    WHERE i.order_id = o.order_id AND i.status = o.before RETURNING 1)"""
# The same where some of them are backordered: what waits for units begins to wait when the others are confirmed, and is
# cancelled with them.
_MOVE_WITH_BACKORDERS = """moved_parcels AS (
    UPDATE parcels p
    SET status = CASE WHEN o.after = 'confirmed' AND p.expected_on IS NOT NULL THEN 'backordered' ELSE o.after END,
        updated_at = now()
    FROM moved_order o
    WHERE p.order_id = o.order_id
      AND (p.status = o.before OR (p.status = 'backordered' AND o.before = 'confirmed' AND o.after = 'cancelled'))
    RETURNING p.parcel_id, p.order_id, old.status AS before, p.status AS after, o.actor, o.reason)"""
_PAID = """paid_order AS (
    UPDATE orders o SET payment_status = :paid_status, updated_at = now()
    FROM unnest(CAST(:paid_gates AS uuid[]), CAST(:paid_orders AS uuid[])) AS p(gate_id, order_id)
    JOIN gate ON gate.checkout_id IS NOT DISTINCT FROM p.gate_id
    WHERE o.order_id = p.order_id RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A line as it is bought; the order keeps it, whatever becomes of the product.

    `list_price` per unit; `discount` and `tax_amount` of the whole line; `tax_included`: the price contains the tax.
    `return_days`: how long after delivery it may be returned. `condition` and `min_age`: null of what is older. `kit`:
    what it was bought as a part of.
    """

    title: str
    sku: str
    attributes: dict[str, object]
    image_url: str
    list_price: Decimal | None
    tax_rate: Decimal
    tax_amount: Decimal
    tax_class: str
    tax_included: bool = False
    discount: Decimal = ZERO
    promotion: str | None = None
    return_days: int | None = None
    condition: str | None = None
    min_age: int | None = None
    kit: KitBought | None = None


_Place = tuple[UUID, UUID, int, bool, bool]


@dataclass(frozen=True, slots=True)
class NewItem:
    """One line of an order: the same variant from two warehouses, or to two addresses, makes two lines, and so does one
    of which units are backordered.

    `allocation`: why it is this warehouse. `destination`: 0 for the order's own address, otherwise a key of the order's
    `destinations`. `expected_on`: when backordered units are expected in the warehouse. `digital`: it is delivered
    online.
    """

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID
    quantity: int
    price: Decimal
    snapshot: Snapshot
    promised_on: date | None
    allocation: Mapping[str, object] | None = None
    destination: int = 0
    expected_on: date | None = None
    digital: bool = False

    @property
    def place(self) -> _Place:
        """Lines of one place travel together; those that are backordered wait for each other."""
        return self.seller_id, self.warehouse_id, self.destination, self.expected_on is not None, self.digital


@dataclass(frozen=True, slots=True)
class NewOrder:
    checkout_id: UUID
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
    tax_included: Decimal = ZERO
    shipping_preference: str = "as_ready"
    destinations: Mapping[int, dict[str, str]] = field(default_factory=dict)
    redemptions: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One move of one order; `payment_status` None leaves it.

    `gate_id`: the row of the statement's gate that lets it happen, None for an open gate.
    Raises ValueError for a move that the state machine does not have.
    """

    order_id: UUID
    before: str
    after: str
    actor_kind: ActorKind
    reason: str | None = None
    payment_status: str | None = None
    gate_id: UUID | None = None

    def __post_init__(self) -> None:
        if not may_follow(self.before, self.after):
            raise ValueError(f"an order never goes from {self.before} to {self.after}")

    def event(self) -> Event:
        """The outbox event of the step."""
        payload = {"orderId": self.order_id, "from": self.before, "to": self.after}
        return Event("order", self.order_id, EVENT_OF[self.after], payload, self.gate_id)


@dataclass(frozen=True, slots=True)
class _NewParcel:
    """A parcel of an order that is placed now."""

    parcel_id: UUID
    order: NewOrder
    number: int
    seller_id: UUID
    warehouse_id: UUID
    destination: int
    promised_on: date | None
    expected_on: date | None
    allocation: Mapping[str, object] | None
    digital: bool

    @property
    def address(self) -> str | None:
        """Its own, if it goes elsewhere than to the order's."""
        return orjson.dumps(self.order.destinations[self.destination]).decode() if self.destination else None


def _packed(order: NewOrder) -> dict[_Place, _NewParcel]:
    """The order's parcels by place."""
    places = numbered(item.place for item in order.items)
    said = {item.place: (item.promised_on, item.expected_on, item.allocation) for item in order.items}
    return {
        place: _NewParcel(new_id(), order, number, *place[:3], *said[place], digital=place[4])
        for place, number in places.items()
    }


def create_part(orders: Sequence[NewOrder]) -> Part:
    """Insert the orders as pending, their parcels and lines and the first rows of their histories; the gate names the
    checkouts."""
    packed = [_packed(order) for order in orders]
    return Part(
        _CREATE,
        _order_values(orders) | _parcel_values(packed) | _item_values(orders, packed),
        makes=("placed", "placed_parcels", "placed_parcel_steps", "placed_items", "placed_step"),
        needs=("gate",),
        writes=frozenset({"orders", "parcels", "parcel_events", "order_items", "order_events"}),
    )


def _order_values(orders: Sequence[NewOrder]) -> dict[str, object]:
    return {
        "order_checkouts": [order.checkout_id for order in orders],
        "order_ids": [order.order_id for order in orders],
        "order_numbers": [order.order_number for order in orders],
        "order_users": [order.user_id for order in orders],
        "order_sessions": [None if order.user_id else order.session_id for order in orders],
        "order_emails": [order.email for order in orders],
        "order_currencies": [order.currency for order in orders],
        "order_subtotals": [order.subtotal for order in orders],
        "order_taxes": [order.tax for order in orders],
        "order_shippings": [order.shipping for order in orders],
        "order_discounts": [order.discount for order in orders],
        "order_totals": [order.total for order in orders],
        "order_methods": [order.payment_method for order in orders],
        "order_addresses": [orjson.dumps(order.address).decode() for order in orders],
        "order_countries": [order.address["country"] for order in orders],
        "order_speeds": [order.delivery_speed for order in orders],
        "order_estimates": [order.estimated_delivery for order in orders],
        "order_included_taxes": [order.tax_included for order in orders],
        "order_preferences": [order.shipping_preference for order in orders],
        "order_redemptions": [order.redemptions for order in orders],
        "placed_ids": [new_id() for _ in orders],
        "placed_actors": [order.actor_kind for order in orders],
    }


def _parcel_values(packed: Sequence[Mapping[_Place, _NewParcel]]) -> dict[str, object]:
    parcels = [parcel for of_order in packed for parcel in of_order.values()]
    return {
        "parcel_checkouts": [parcel.order.checkout_id for parcel in parcels],
        "parcel_orders": [parcel.order.order_id for parcel in parcels],
        "parcel_ids": [parcel.parcel_id for parcel in parcels],
        "parcel_numbers": [parcel.number for parcel in parcels],
        "parcel_sellers": [parcel.seller_id for parcel in parcels],
        "parcel_warehouses": [parcel.warehouse_id for parcel in parcels],
        "parcel_promises": [parcel.promised_on for parcel in parcels],
        "parcel_expected": [parcel.expected_on for parcel in parcels],
        "parcel_allocations": [
            None if parcel.allocation is None else orjson.dumps(parcel.allocation).decode() for parcel in parcels
        ],
        "parcel_addresses": [parcel.address for parcel in parcels],
        "parcel_digital": [parcel.digital for parcel in parcels],
        "parcel_actors": [parcel.order.actor_kind for parcel in parcels],
    }


def _item_values(orders: Sequence[NewOrder], packed: Sequence[Mapping[_Place, _NewParcel]]) -> dict[str, object]:
    items = [(order, item) for order in orders for item in order.items]
    return {
        "item_checkouts": [order.checkout_id for order, _ in items],
        "item_orders": [order.order_id for order, _ in items],
        "item_ids": [item.order_item_id for _, item in items],
        "item_products": [item.product_id for _, item in items],
        "item_variants": [item.variant_id for _, item in items],
        "item_sellers": [item.seller_id for _, item in items],
        "item_warehouses": [item.warehouse_id for _, item in items],
        "item_parcels": [
            parcels[item.place].parcel_id for order, parcels in zip(orders, packed, strict=True) for item in order.items
        ],
        "item_quantities": [item.quantity for _, item in items],
        "item_prices": [item.price for _, item in items],
        **snapshot_values([item.snapshot for _, item in items]),
    }


def snapshot_values(lines: Sequence[Snapshot]) -> dict[str, object]:
    return {
        "item_titles": [line.title for line in lines],
        "item_skus": [line.sku for line in lines],
        "item_attributes": [orjson.dumps(line.attributes).decode() for line in lines],
        "item_images": [line.image_url for line in lines],
        "item_list_prices": [line.list_price for line in lines],
        "item_discounts": [line.discount for line in lines],
        "item_promotions": [line.promotion for line in lines],
        "item_tax_rates": [line.tax_rate for line in lines],
        "item_taxes": [line.tax_amount for line in lines],
        "item_tax_included": [line.tax_included for line in lines],
        "item_tax_classes": [line.tax_class for line in lines],
        "item_return_days": [line.return_days for line in lines],
        "item_conditions": [line.condition for line in lines],
        "item_min_ages": [line.min_age for line in lines],
        "item_kits": [kit_json(line.kit) for line in lines],
    }


def created_event(order: NewOrder) -> Event:
    payload = {
        "orderId": order.order_id,
        "from": None,
        "to": "pending",
        "total": order.total,
        "currency": order.currency,
    }
    return Event("order", order.order_id, EVENT_OF["pending"], payload, order.checkout_id)


def step_part(*steps: Step) -> Part:
    """Move each order if it is in its step's from-state, without its parcels; CTE `moved_order` then has its row. One
    step per order."""
    return Part(
        _MOVE_ORDER,
        _step_values(steps),
        makes=("moved_order", "moved_step"),
        needs=("gate",),
        writes=frozenset({"orders", "order_events"}),
    )


def move_part(*steps: Step, backorders: bool = False) -> Part:
    """As `step_part`, and with each order those of its parcels that are in the from-state too.

    `backorders`: some of the orders have lines that are backordered.
    """
    if backorders:
        return Part(
            f"{_MOVE_ORDER}, {_MOVE_WITH_BACKORDERS}, {FOLLOW_PARCELS}",
            _step_values(steps),
            makes=("moved_order", "moved_step", "moved_parcels", "moved_items", "moved_parcel_steps"),
            needs=("gate",),
            writes=frozenset({"orders", "parcels", "parcel_events", "order_items", "order_events"}),
        )
    return Part(
        f"{_MOVE_ORDER}, {_MOVE_WHOLE}, {PARCEL_STEPS}",
        _step_values(steps),
        makes=("moved_order", "moved_step", "moved_parcels", "moved_items", "moved_parcel_steps"),
        needs=("gate",),
        writes=frozenset({"orders", "parcels", "parcel_events", "order_items", "order_events"}),
    )


def _step_values(steps: Sequence[Step]) -> dict[str, object]:
    return {
        "step_gates": [step.gate_id for step in steps],
        "step_orders": [step.order_id for step in steps],
        "step_ids": [new_id() for _ in steps],
        "step_before": [step.before for step in steps],
        "step_after": [step.after for step in steps],
        "step_payments": [step.payment_status for step in steps],
        "step_actors": [step.actor_kind for step in steps],
        "step_reasons": [step.reason for step in steps],
    }


def payment_status_part(status: str, orders: Mapping[UUID, UUID | None]) -> Part:
    """Set the payment status of `orders` (order -> row of the gate, None for an open gate); not a step of the state
    machine."""
    return Part(
        _PAID,
        {"paid_status": status, "paid_orders": list(orders), "paid_gates": list(orders.values())},
        makes=("paid_order",),
        needs=("gate",),
        writes=frozenset({"orders"}),
    )
