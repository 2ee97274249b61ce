"""A return's label on the wire."""

from datetime import datetime

from api.kernel.money import Amount
from api.kernel.schemas import Wire, WireDate, WireId, WireTime
from api.orders.tracking.schemas import ScanBody
from api.shipping.scans import Carriage


class ReturnLabelBody(Wire):
    """A label with which the buyer sends units back. `price`: what its seller pays. `carriage`: where its scans say
    that the parcel is, null before the first; `delivered` is at the warehouse.

    `trackingNumber` and `events` are null for those who may not see where the buyer is (docs/privacy.md).
    """

    label_id: WireId
    return_id: WireId
    rma_number: str
    carrier: str
    service: str
    weight_grams: int
    price: Amount
    currency: str
    arrives_on: WireDate | None
    tracking_number: str | None
    carriage: Carriage | None
    last_scan_at: WireTime | None
    events: list[ScanBody] | None
    created_at: datetime
