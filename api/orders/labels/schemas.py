"""Rates and labels on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from api.kernel.money import Amount, Price
from api.kernel.schemas import Wire, WireDate, WireId
from api.shipping.carriers.interface import Pace
from api.shipping.scans import Carriage

Grams = Annotated[int, Field(ge=1, le=1_000_000)]
# The name of a carrier in the settings, and its own name for a service.
CarrierName = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[a-z][a-z0-9_-]*$")]
ServiceName = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
LabelStatus = Literal["asked", "bought", "cancelling", "cancelled", "refused"]


class AskRates(Wire):
    """`weightGrams`: of the packed parcel; by default what its lines weigh."""

    weight_grams: Grams | None = None


class RateBody(Wire):
    """One offer: buy it with the same carrier, service, price and weight. `arrivesOn`: if it is handed over today."""

    carrier: str
    service: str
    speed: Pace
    price: Amount
    currency: str
    arrives_on: date


class RatesBody(Wire):
    """`silent`: carriers that did not answer."""

    weight_grams: int
    rates: list[RateBody]
    silent: list[str]


class BuyLabel(Wire):
    """An offer of the parcel's rates. `price`: the most that is paid."""

    carrier: CarrierName
    service: ServiceName
    price: Price
    weight_grams: Grams | None = None


class LabelBody(Wire):
    """The parcel's newest label. `carriage`: where its scans say that the parcel is, null before the first."""

    label_id: WireId
    parcel_id: WireId
    carrier: str
    service: str
    weight_grams: int
    price: Amount
    currency: str
    arrives_on: WireDate | None
    status: LabelStatus
    tracking_number: str | None
    carriage: Carriage | None
    created_at: datetime
