"""The state machine of orders, parcels and order lines, once: the database's checks and triggers, the code and the
tests all read this table.

Source: the design's section 7.5, plus pending -> cancelled, processing -> cancelled,
return_requested -> delivered (a refused return). A line has its parcel's state; an order's follows from its parcels
(`parcels/derived.py`). Only parcels and their lines are `backordered`: paid, and waiting for units that no warehouse
had.
"""

from types import MappingProxyType

TRANSITIONS: MappingProxyType[str, frozenset[str]] = MappingProxyType(
    {
        "pending": frozenset({"confirmed", "backordered", "cancelled"}),
        "backordered": frozenset({"confirmed", "cancelled"}),
        "confirmed": frozenset({"processing", "cancelled"}),
        "processing": frozenset({"shipped", "cancelled"}),
        "shipped": frozenset({"delivered"}),
        "delivered": frozenset({"return_requested"}),
        "return_requested": frozenset({"return_approved", "delivered"}),
        "return_approved": frozenset({"refunded"}),
        "refunded": frozenset(),
        "cancelled": frozenset(),
    }
)
# Every step of an order leaves exactly one event.
EVENT_OF: MappingProxyType[str, str] = MappingProxyType(
    {
        "pending": "OrderCreated",
        "confirmed": "OrderPlaced",
        "processing": "OrderProcessing",
        "shipped": "OrderShipped",
        "delivered": "OrderDelivered",
        "cancelled": "OrderCancelled",
        "return_requested": "ReturnRequested",
        "return_approved": "ReturnApproved",
        "refunded": "OrderRefunded",
    }
)
# A step that a parcel takes on its own leaves an event of the parcel. Placing, confirming and the return of everything
# are steps of the whole order.
PARCEL_EVENT_OF: MappingProxyType[str, str] = MappingProxyType(
    {
        "confirmed": "BackorderReady",
        "processing": "ParcelProcessing",
        "shipped": "ParcelShipped",
        "delivered": "ParcelDelivered",
        "cancelled": "ParcelCancelled",
    }
)
# A return is settled by the gateway's answer, which is an event of its payment.
RETURN_EVENT_OF: MappingProxyType[str, str] = MappingProxyType(
    {"requested": "ItemReturnRequested", "approved": "ItemReturnApproved", "rejected": "ItemReturnRejected"}
)
PARCEL_STATES = tuple(TRANSITIONS)
ORDER_STATES = tuple(state for state in PARCEL_STATES if state != "backordered")
CANCELLABLE = frozenset(state for state, following in TRANSITIONS.items() if "cancelled" in following)
SOLD_STATES = frozenset(ORDER_STATES) - {"pending", "cancelled"}


def may_follow(current: str, following: str) -> bool:
    """Whether an order, parcel or line in state `current` may enter state `following`."""
    return following in TRANSITIONS[current]
