"""Bodies of the carrier's API. Amounts are decimal strings, as carriers write them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from api.sandbox.schemas import Body, Key

Kind = Literal["accepted", "in_transit", "out_for_delivery", "delivered", "exception", "lost"]
Price = Annotated[
    Decimal, Field(gt=0, max_digits=12, decimal_places=2), PlainSerializer("{:.2f}".format, return_type=str)
]
Text = Annotated[str, Field(max_length=500)]


class Place(Body):
    name: Text
    street: Text
    city: Text
    state: Text
    zip_code: Text
    country: Annotated[str, Field(min_length=2, max_length=100)]


class RatesRequest(Body):
    sender: Annotated[Place, Field(alias="from")]
    recipient: Annotated[Place, Field(alias="to")]
    weight_grams: Annotated[int, Field(ge=1)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class LabelRequest(RatesRequest):
    """`price`: the most that the merchant pays; `reference`: the merchant's own name for the parcel."""

    key: Key
    service: Annotated[str, Field(min_length=1, max_length=50)]
    price: Price
    reference: Annotated[str, Field(max_length=200)]


class Offer(Body):
    service: str
    speed: Literal["economy", "standard", "express"]
    price: Price
    arrives_on: date


class Offers(Body):
    offers: list[Offer]


class Label(Body):
    """`sequence` counts from 1 in the order of purchases."""

    sequence: int
    key: Key
    tracking_number: str
    service: str
    reference: str
    price: Price
    currency: str
    arrives_on: date
    status: Literal["bought", "cancelled"]
    created_at: datetime


class Labels(Body):
    labels: list[Label]


class CancelRequest(Body):
    key: Key


class Cancelled(Body):
    key: Key
    status: Literal["cancelled"] = "cancelled"


class AdvanceRequest(Body):
    """The next step of a parcel's way, or this one. `sent` False: the shop is not told; the event is in the answer."""

    tracking_number: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Kind | None = None
    place: Text | None = None
    note: Text | None = None
    occurred_at: datetime | None = None
    sent: bool = True


class ScanEvent(Body):
    """One event of a message to the shop."""

    event_id: str
    tracking_number: str
    kind: Kind
    occurred_at: datetime
    place: str | None
    note: str | None
