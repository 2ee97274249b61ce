"""Parcels on the wire: for their seller, and as a part of the buyer's order."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field, computed_field

from api.inventory.schemas import AllocationBody
from api.kernel.card_numbers import refuse_card_number
from api.kernel.money import Amount
from api.kernel.pagination import Pagination
from api.kernel.schemas import Quantity, Wire, WireId, WireTime
from api.kernel.texts import OneLine, SomeLines
from api.orders.kits.schemas import KitOfLine
from api.orders.parcels.changes.reasons import SellerReason
from api.orders.parcels.derived import Standing, order_status
from api.orders.returns.returned import AdjustmentBody, ReturnBody

WireDay = Annotated[date, Field(strict=False)]
Carrier = Annotated[OneLine, AfterValidator(refuse_card_number), Field(min_length=1, max_length=100)]
TrackingNumber = Annotated[
    str,
    AfterValidator(refuse_card_number),
    Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .\-]*$"),
]


class ParcelLineBody(Wire):
    order_item_id: WireId
    title: str
    quantity: int


class ParcelBody(Wire):
    """One parcel of the buyer's order. `promisedOn`: the day on which it should arrive. `expectedOn`: when its units
    were expected in the warehouse, null where they were in stock. `shipsFrom`: the warehouse's city and country.
    `shippingAddress`: where it goes, null for those who may not see it. `allocation` is for its seller and for
    administrators. `lostAt`: when it was given up, and refunded. `digital`: it is delivered online, and goes nowhere.
    """

    parcel_id: WireId
    number: int
    seller_id: WireId
    seller_name: str | None
    warehouse_country: str | None
    ships_from: str | None
    allocation: AllocationBody | None
    status: str
    digital: bool
    shipping_address: dict[str, str] | None
    promised_on: WireDay | None
    expected_on: WireDay | None
    shipped_at: WireTime | None
    delivered_at: WireTime | None
    carrier: str | None
    tracking_number: str | None
    lost_at: WireTime | None
    lines: list[ParcelLineBody]


class SellerLineBody(Wire):
    """`price` per unit when it was bought; `returnedQuantity` counts requested, approved and refunded returns.
    `minAge`: it is handed over to somebody so old."""

    order_item_id: WireId
    product_id: WireId
    variant_id: WireId
    title: str
    sku: str
    attributes: dict[str, object]
    image_url: str | None
    condition: str | None
    min_age: int | None
    kit: KitOfLine | None
    quantity: int
    price: Amount
    subtotal: Amount
    status: str
    returned_quantity: int


class ParcelStepBody(Wire):
    from_status: str | None
    to_status: str
    by: str
    reason: str | None
    at: WireTime


class SellerParcelBody(Wire):
    parcel_id: WireId
    number: int
    status: str
    digital: bool
    warehouse_id: WireId | None
    ships_from: str | None
    allocation: AllocationBody | None
    shipping_address: dict[str, str] | None
    promised_on: WireDay | None
    expected_on: WireDay | None
    begun_at: WireTime | None
    shipped_at: WireTime | None
    delivered_at: WireTime | None
    carrier: str | None
    tracking_number: str | None
    lost_at: WireTime | None
    lines: list[SellerLineBody]
    history: list[ParcelStepBody]


class SellerParcelSummary(Wire):
    """`lostAt`: when it was given up, and its buyer refunded. `digital`: the shop delivers it online."""

    parcel_id: WireId
    number: int
    status: str
    digital: bool
    promised_on: WireDay | None
    expected_on: WireDay | None
    begun_at: WireTime | None
    lost_at: WireTime | None


def _standing(parcel: SellerParcelBody | SellerParcelSummary) -> Standing:
    return Standing(parcel.status, parcel.begun_at is not None, parcel.lost_at is not None)


class SellerOrderSummary(Wire):
    """The seller's part of an order: `status`, `itemCount` and `subtotal` are of this part alone."""

    order_id: WireId
    order_number: str
    currency: str
    subtotal: Amount
    item_count: int
    parcels: list[SellerParcelSummary]
    created_at: datetime

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def status(self) -> str:
        """As an order's: of the seller's parcels."""
        return order_status(_standing(parcel) for parcel in self.parcels)


class SellerOrderList(Wire):
    orders: list[SellerOrderSummary]
    pagination: Pagination


class SellerOrderBody(Wire):
    """The seller's part of an order, with the returns of their lines and what they gave back without one.

    `shippingAddress`: of the order, while one of the parcels that go there is under way; each parcel has its own too.
    `shippingPreference`: `together` when the buyer wants all of the seller's parcels sent at once."""

    order_id: WireId
    order_number: str
    currency: str
    subtotal: Amount
    delivery_speed: str
    shipping_preference: str
    country: str
    shipping_address: dict[str, str] | None
    parcels: list[SellerParcelBody]
    returns: list[ReturnBody]
    adjustments: list[AdjustmentBody]
    created_at: datetime

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def status(self) -> str:
        """As an order's: of the seller's parcels."""
        return order_status(_standing(parcel) for parcel in self.parcels)


class ShipParcel(Wire):
    carrier: Carrier | None = None
    tracking_number: TrackingNumber | None = None


class ParcelState(Wire):
    """The response of every change of a parcel."""

    parcel_id: WireId
    order_id: WireId
    number: int
    status: str
    carrier: str | None = None
    tracking_number: str | None = None


class ParcelLine(Wire):
    """Some units of one line of the parcel."""

    order_item_id: WireId
    quantity: Quantity


def _named_once(lines: list[ParcelLine]) -> list[ParcelLine]:
    if len({line.order_item_id for line in lines}) < len(lines):
        raise ValueError("names a line twice; add its units up")
    return lines


ParcelLines = Annotated[list[ParcelLine], Field(min_length=1, max_length=100), AfterValidator(_named_once)]


class SplitParcel(Wire):
    """What is sent in a parcel of its own. At least one unit stays."""

    lines: ParcelLines


class SplitState(Wire):
    """The new parcel with its lines; `parcelId` is the one that the rest stays in."""

    order_id: WireId
    parcel_id: WireId
    new_parcel_id: WireId
    number: int
    status: str
    lines: list[ParcelLine]


class CancelParcel(Wire):
    """Without `lines` all that is still to be sent. `reasonCode` decides whether the units can be sold again."""

    reason_code: SellerReason
    reason: Annotated[SomeLines, AfterValidator(refuse_card_number), Field(min_length=1, max_length=500)] | None = None
    lines: ParcelLines | None = None


class CancelledParcel(Wire):
    """The response of a seller's cancellation: what the parcel is now, and what goes back to the buyer."""

    order_id: WireId
    parcel_id: WireId
    status: str
    refund_amount: Amount
