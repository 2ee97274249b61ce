"""Who sees which data of a buyer, and when: one table, which every read of orders and parcels asks.

The buyer's own reads are not limited by time. A seller sees where a parcel goes while the parcel is under way, and
never the buyer's e-mail address. Everything that is not in the table is hidden.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, case, false, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from api.orders.states import ORDER_STATES

Viewer = Literal["buyer", "seller"]
Field = Literal["shipping_address", "email"]
ALWAYS = frozenset(ORDER_STATES)
# Paid, and not yet delivered: who sends it needs the address, also when it comes back undelivered.
UNDER_WAY = frozenset({"confirmed", "processing", "shipped"})
# (who, what) -> the states of the order, or of the seller's parcel in it, in which it is seen.
SEEN: MappingProxyType[tuple[Viewer, Field], frozenset[str]] = MappingProxyType(
    {
        ("buyer", "shipping_address"): ALWAYS,
        ("buyer", "email"): ALWAYS,
        ("seller", "shipping_address"): UNDER_WAY,
    }
)


def may_see(viewer: Viewer, field: Field, status: str) -> bool:
    """Whether `viewer` sees `field` while the order, or the viewer's parcel in it, has this status."""
    return status in SEEN.get((viewer, field), ())


def while_seen(viewer: Viewer, field: Field, status: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition that `status` lets `viewer` see `field`."""
    states = SEEN.get((viewer, field), frozenset())
    # Written out: a list in the statement would be built again for each call.
    return true() if states == ALWAYS else or_(false(), *(status == state for state in sorted(states)))


def seen(
    field: Field,
    column: InstrumentedAttribute[Any],  # Any: a column of any type
    viewers: Mapping[Viewer, ColumnElement[bool]],
    status: InstrumentedAttribute[str],
) -> ColumnElement[Any]:
    """`column`, null for those of `viewers` (each with the condition of being one) whom the table does not let see it
    while `status` is what it is."""
    allowed = [and_(is_viewer, while_seen(viewer, field, status)) for viewer, is_viewer in viewers.items()]
    return case((or_(*allowed), column))
