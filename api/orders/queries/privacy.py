"""Who sees which data of a buyer, and when: one table, which every read of orders and parcels asks.

The buyer's own reads are not limited by time. A seller sees where a parcel goes while the parcel is under way, and
never the buyer's e-mail address. An administrator says why, and the reason is written down first. Everything that is
not in the table is hidden. `docs/privacy.md` is rendered from this module.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Boolean, ColumnElement, and_, bindparam, case, false, func, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from api.orders.models import Order, Parcel
from api.orders.states import PARCEL_STATES

Viewer = Literal["buyer", "seller", "carrier", "admin"]
Field = Literal["shipping_address", "email", "invoice_address", "return_address"]
ALWAYS = frozenset(PARCEL_STATES)
# Paid, and not yet delivered: who sends it needs the address, also when it comes back undelivered.
UNDER_WAY = frozenset({"confirmed", "processing", "shipped"})
# A carrier that is asked for rates or a label is told where the parcel goes.
NOT_SENT = frozenset({"confirmed", "processing"})
# What it brought is sent back from there.
COMES_BACK = frozenset({"delivered", "return_requested", "return_approved", "refunded"})
# (who, what) -> the states of the order, or of the seller's parcel in it, in which it is seen.
SEEN: MappingProxyType[tuple[Viewer, Field], frozenset[str]] = MappingProxyType(
    {
        ("buyer", "shipping_address"): ALWAYS,
        ("buyer", "email"): ALWAYS,
        ("seller", "shipping_address"): UNDER_WAY,
        ("carrier", "shipping_address"): NOT_SENT,
        ("admin", "shipping_address"): ALWAYS,
        ("admin", "email"): ALWAYS,
        # A seller's copy of an invoice says the buyer's country.
        ("buyer", "invoice_address"): ALWAYS,
        ("admin", "invoice_address"): ALWAYS,
        # A return's label, its tracking number and the places of its scans say where the buyer is.
        ("buyer", "return_address"): ALWAYS,
        ("carrier", "return_address"): COMES_BACK,
    }
)
# Those who see what the table says only for a reason, which is written to `buyer_data_accesses` before they see it.
WITH_REASON: frozenset[Viewer] = frozenset({"admin"})
# Where a parcel goes.
PARCEL_ADDRESS = func.coalesce(Parcel.shipping_address, Order.shipping_address)
# What an order itself says of its buyer.
OF_ORDER: tuple[Field, ...] = ("shipping_address", "email")
OF_INVOICE: tuple[Field, ...] = ("invoice_address",)
REASON_GIVEN = bindparam("actor_reason_given", type_=Boolean)


def may_see(viewer: Viewer, field: Field, status: str, reason: str | None = None) -> bool:
    """Whether `viewer` sees `field` while the order, or the viewer's parcel in it, has this status."""
    return status in SEEN.get((viewer, field), ()) and (viewer not in WITH_REASON or reason is not None)


def audited(viewer: Viewer, fields: Collection[Field] = OF_ORDER) -> list[Field]:
    """Which of `fields` the viewer sees for a reason that is written down."""
    return [field for who, field in SEEN if who == viewer and viewer in WITH_REASON and field in fields]


def while_seen(viewer: Viewer, field: Field, status: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition that `status`, and the reason where one is needed, let `viewer` see `field`."""
    states = SEEN.get((viewer, field), frozenset())
    # Written out: a list in the statement would be built again for each call.
    seen = true() if states == ALWAYS else or_(false(), *(status == state for state in sorted(states)))
    return and_(seen, REASON_GIVEN) if viewer in WITH_REASON else seen


def seen(
    field: Field,
    column: ColumnElement[Any] | InstrumentedAttribute[Any],  # Any: a column of any type
    viewers: Mapping[Viewer, ColumnElement[bool]],
    status: InstrumentedAttribute[str],
) -> ColumnElement[Any]:
    """`column`, null for those of `viewers` (each with the condition of being one) whom the table does not let see it
    while `status` is what it is."""
    allowed = [and_(is_viewer, while_seen(viewer, field, status)) for viewer, is_viewer in viewers.items()]
    return case((or_(*allowed), column))


def render() -> str:
    """The table as a page."""
    viewers: tuple[Viewer, ...] = ("buyer", "seller", "carrier", "admin")
    fields: tuple[Field, ...] = ("shipping_address", "email", "invoice_address", "return_address")
    rows = "\n".join(f"| {field} | {' | '.join(_when(viewer, field) for viewer in viewers)} |" for field in fields)
    return f"""# Who sees which data of a buyer

Rendered from `api/orders/queries/privacy.py`; the reads of orders and parcels are made from the same table. What the
reader may not see is `null`. The buyer is the member who placed the order, or the guest whose session or mailed token
opens it. Of an order of several sellers each sees their own part; nobody else sees an order at all.

| | buyer | seller, of the own parcel | carrier, of a parcel it may get | administrator |
| --- | --- | --- | --- | --- |
{rows}

An administrator says why in the header `X-Access-Reason`, 10 to 500 characters. Reason, reader, order and fields are a
row of `buyer_data_accesses` before the data leaves, and Postgres refuses to change or remove such a row.
"""


def _when(viewer: Viewer, field: Field) -> str:
    states = SEEN.get((viewer, field), frozenset())
    if not states:
        return "never"
    when = "always" if states == ALWAYS else f"while {', '.join(state for state in PARCEL_STATES if state in states)}"
    return "with a reason" if viewer in WITH_REASON and when == "always" else when
