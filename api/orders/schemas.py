"""Orders on the wire."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, computed_field, model_validator

from api.kernel.card_numbers import refuse_card_number
from api.kernel.contacts import Email
from api.kernel.money import ZERO, Amount
from api.kernel.pagination import Pagination
from api.kernel.schemas import Quantity, Wire, WireId, WireTime
from api.kernel.texts import SomeLines
from api.orders.kits.schemas import KitBody, KitOfLine, kits_in
from api.orders.parcels.schemas import ParcelBody
from api.orders.returns.policy import ReasonCode
from api.orders.returns.returned import AdjustmentBody, ReturnBody

OrderStatus = Literal[
    "pending",
    "confirmed",
    "processing",
    "shipped",
    "delivered",
    "cancelled",
    "return_requested",
    "return_approved",
    "refunded",
]
ParcelStatus = Literal[OrderStatus, "backordered"]
# A fraction: 0.08 is eight per cent.
Rate = Annotated[Decimal, Field(strict=False), PlainSerializer(float, return_type=float, when_used="json")]
Reason = Annotated[SomeLines, AfterValidator(refuse_card_number), Field(min_length=1, max_length=500)]


class OrderItemBody(Wire):
    """The line as it was bought: title, sku, attributes, picture and amounts of that moment, for ever.

    `price` and `listPrice` per unit; `discount` and `taxAmount` of the whole line, where `taxIncluded` says that the
    price contains the tax; `returnedQuantity` counts requested, approved and refunded returns. It may be returned for
    `returnDays` after delivery; who takes it in is `minAge` years old. `condition` is null for what was bought before
    products had one. `kit`: what it was bought as a part of, at its share of the kit's price; null for others.
    """

    order_item_id: WireId
    product_id: WireId
    variant_id: WireId
    seller_id: WireId
    title: str
    sku: str
    attributes: dict[str, object]
    image_url: str | None
    condition: str | None
    min_age: int | None
    kit: KitOfLine | None
    list_price: Amount | None
    discount: Amount
    promotion: str | None
    tax_rate: Rate | None
    tax_amount: Amount | None
    tax_included: bool
    tax_class: str | None
    return_days: int | None
    quantity: int
    price: Amount
    subtotal: Amount
    status: str
    returned_quantity: int


class OrderStepBody(Wire):
    from_status: str | None
    to_status: str
    by: str
    reason: str | None
    at: WireTime


class PaymentBody(Wire):
    """`status` as of the gateway's last answer; amounts in the order's currency."""

    method: str | None
    status: str
    captured: Amount
    refunded: Amount


class OrderBody(Wire):
    """`shippingAddress` and `email` are null for those who may not see them (docs/privacy.md).

    total = subtotal + tax - taxIncluded + shipping - discount. `kits`: of the items that were bought as parts of kits.
    """

    order_id: WireId
    order_number: str
    status: str
    currency: str
    items: list[OrderItemBody]
    parcels: list[ParcelBody]
    subtotal: Amount
    tax: Amount
    tax_included: Amount
    shipping: Amount
    discount: Amount
    total: Amount
    payment: PaymentBody
    shipping_address: dict[str, str] | None
    email: str | None
    delivery_speed: str
    shipping_preference: str
    estimated_delivery: date | None
    delivered_at: datetime | None
    history: list[OrderStepBody]
    returns: list[ReturnBody]
    adjustments: list[AdjustmentBody]
    created_at: datetime
    updated_at: datetime

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def kits(self) -> list[KitBody]:
        return kits_in(self.items)


class BoughtItem(Wire):
    """A line as it was bought, for a list."""

    order_item_id: WireId
    product_id: WireId
    variant_id: WireId
    seller_id: WireId
    title: str
    image_url: str | None
    quantity: int
    price: Amount
    subtotal: Amount
    status: str


class OrderSummary(Wire):
    order_id: WireId
    order_number: str
    status: str
    currency: str
    total: Amount
    item_count: int
    items: list[BoughtItem]
    estimated_delivery: date | None
    created_at: datetime


class OrderList(Wire):
    orders: list[OrderSummary]
    pagination: Pagination


class CancelOrder(Wire):
    reason: Reason | None = None


class CancelUnits(Wire):
    quantity: Quantity
    reason: Reason | None = None


class ReturnLine(Wire):
    order_item_id: WireId
    quantity: Quantity


class ReturnOrder(Wire):
    """`reasonCode` decides what is refunded and who pays for sending the units back; `reason` is the buyer's comment.

    One of the two is needed: a comment that is a code counts as one, any other as `other`.
    """

    items: Annotated[list[ReturnLine], Field(min_length=1, max_length=100)]
    reason_code: ReasonCode | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _says_why(self) -> "ReturnOrder":
        if self.reason_code is None and self.reason is None:
            raise ValueError("reasonCode or reason is needed")
        return self


class AdvanceOrder(Wire):
    status: Literal["processing", "shipped", "delivered"]


class DecideReturn(Wire):
    approve: bool
    reason: Reason | None = None


class ApproveReturn(Wire):
    """`fee`: what the seller keeps of the goods, as far as the refund policy allows for the reason.

    `restock`: whether the units can be sold again; by default as the policy says.
    """

    fee: Annotated[Amount, Field(ge=0)] = ZERO
    restock: bool | None = None
    comment: Reason | None = None


class RejectReturn(Wire):
    reason: Reason


class OrderState(Wire):
    """The response of every change: the order's state, and the amount refunded to the buyer (null without a refund)."""

    order_id: WireId
    status: str
    payment_status: str
    refund_amount: Amount | None = None


MailedToken = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]


class ClaimRequest(Wire):
    """The address that guest orders were placed with."""

    email: Email


class LookUpRequest(Wire):
    """A guest's order, by its number and the address that it was placed with."""

    order_number: Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[0-9-]+$")]
    email: Email


class ClaimAccepted(Wire):
    """The same whether there is such a guest order or not: only the owner of the address learns it, by mail."""

    status: Literal["accepted"] = "accepted"


class ClaimOrders(Wire):
    """`token`: the code of a mail, about one order or about all of an address."""

    token: MailedToken


class ClaimedOrder(Wire):
    order_id: WireId
    order_number: str


class ClaimedOrders(Wire):
    claimed: int
    orders: list[ClaimedOrder]


class LookUpOrder(Wire):
    """All three are in the mail that confirmed the order. They travel in the body, so that no log holds them."""

    order_number: Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[0-9-]+$")]
    email: Email
    token: MailedToken
