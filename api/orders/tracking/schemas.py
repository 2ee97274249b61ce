"""A parcel's way on the wire."""

from typing import Annotated

from pydantic import Field

from api.kernel.schemas import Wire, WireDate, WireId, WireTime
from api.shipping.scans import Carriage, ScanKind


class ScanBody(Wire):
    """`at`: when the carrier says it happened."""

    kind: ScanKind
    at: WireTime
    place: str | None
    note: str | None


class TrackedParcel(Wire):
    """`carriage`: where the scans say that it is, null before the first, or with a carrier of the seller's own.

    `promisedOn`: the day that the order was promised for; `carrierPromisedOn`: the carrier's own. `deliveredAt` is the
    carrier's time where there is one. `lostAt`: when it was given up, and refunded.
    """

    parcel_id: WireId
    number: int
    status: str
    carrier: str | None
    tracking_number: str | None
    carriage: Carriage | None
    promised_on: WireDate | None
    carrier_promised_on: WireDate | None
    shipped_at: WireTime | None
    delivered_at: WireTime | None
    lost_at: WireTime | None
    events: list[ScanBody]


class ParcelTracking(TrackedParcel):
    """`late`: it arrived after the day it was promised for, or has not arrived though that day is over. `daysLate`:
    by how many days, so far. `trackingUrl` shows the same to whoever has it."""

    late: bool
    days_late: int
    tracking_url: str


class OrderTracking(Wire):
    order_id: WireId
    order_number: str
    status: str
    parcels: list[ParcelTracking]


class ScansTaken(Wire):
    """`repeated`: events that had been taken before."""

    taken: Annotated[int, Field(ge=0)]
    repeated: Annotated[int, Field(ge=0)]
