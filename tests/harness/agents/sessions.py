"""Checkout sessions: what an answer with one may hold, and what a refusal is."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from tests.harness.agents.forms import Content, Form, Minor, Text, Time, Url

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
STATUSES = Literal[
    "incomplete", "not_ready_for_payment", "requires_escalation", "authentication_required", "ready_for_payment",
    "pending_approval", "complete_in_progress", "completed", "canceled", "in_progress", "expired",
]  # fmt: skip
TOTALS = Literal[
    "items_base_amount", "items_discount", "subtotal", "discount", "fulfillment", "tax", "fee", "gift_wrap", "tip",
    "store_credit", "total", "amount_refunded",
]  # fmt: skip
WARNINGS = Literal[
    "low_stock", "high_demand", "shipping_delay", "price_change", "expiring_promotion", "limited_availability"
]
ERRORS = Literal[
    "missing", "invalid", "out_of_stock", "payment_declined", "requires_sign_in", "requires_3ds", "low_stock",
    "quantity_exceeded", "coupon_invalid", "coupon_expired", "minimum_not_met", "maximum_exceeded",
    "region_restricted", "age_verification_required", "approval_required", "unsupported", "not_found", "conflict",
    "rate_limited", "expired", "intervention_required",
]  # fmt: skip
Path = Annotated[str, Field(pattern=r"^\$(\.[A-Za-z_]\w*|\[\d+\]|\['[^']*'\])*$")]


class Total(Form):
    type: TOTALS
    display_text: Text
    amount: int
    description: str | None = None


class Option(Form):
    name: Text
    value: str


class ItemOf(Form):
    id: Text
    name: str | None = None
    unit_amount: Minor | None = None


class LineItem(Form):
    id: Text
    item: ItemOf
    quantity: Annotated[int, Field(ge=1)]
    totals: list[Total]
    name: str | None = None
    images: list[Url] | None = None
    unit_amount: Minor | None = None
    product_id: str | None = None
    sku: str | None = None
    variant_id: str | None = None
    variant_options: list[Option] | None = None
    availability_status: Literal["in_stock", "low_stock", "out_of_stock", "backorder", "pre_order"] | None = None
    available_quantity: Minor | None = None


class Address(Form):
    name: str
    line_one: str
    line_two: str | None = None
    city: str
    state: str
    country: str
    postal_code: str


class Fulfillment(Form):
    name: str | None = None
    phone_number: str | None = None
    email: str | None = None
    address: Address | None = None


class Buyer(Form):
    email: str
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    phone_number: str | None = None


class ShippingOption(Form):
    type: Literal["shipping"]
    id: Text
    title: Text
    totals: list[Total]
    description: str | None = None
    carrier: str | None = None
    earliest_delivery_time: Time | None = None
    latest_delivery_time: Time | None = None


class DigitalOption(Form):
    type: Literal["digital"]
    id: Text
    title: Text
    totals: list[Total]
    description: str | None = None


class Selected(Form):
    type: Literal["shipping", "digital", "pickup", "local_delivery"]
    option_id: Text
    item_ids: list[Text]


class Message(Form):
    type: Literal["info", "warning", "error"]
    content_type: Content
    content: Text
    code: str | None = None
    severity: Literal["info", "low", "medium", "high", "critical"] | None = None
    resolution: Literal["recoverable", "requires_buyer_input", "requires_buyer_review"] | None = None
    param: Path | None = None

    @model_validator(mode="after")
    def _code_of_its_type(self) -> "Message":
        allowed = {"info": {None}, "warning": {*get_args(WARNINGS)}, "error": {*get_args(ERRORS)}}
        if self.code not in allowed[self.type]:
            raise ValueError(f"{self.code} is no code of {self.type}")
        return self


class Handler(Form):
    id: Text
    name: Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z_]+)+$")]
    display_name: str | None = None
    version: Day
    spec: Url
    requires_delegate_payment: bool
    requires_pci_compliance: bool
    psp: Text
    config_schema: Url
    instrument_schemas: list[Url]
    config: dict[str, Any]


class Payment(Form):
    handlers: list[Handler]


class Interventions(Form):
    supported: list[Literal["3ds", "biometric", "address_verification"]] | None = None
    required: list[Literal["3ds", "biometric"]] | None = None
    enforcement: Literal["always", "conditional", "optional"] | None = None


class Capabilities(Form):
    payment: Payment | None = None
    interventions: Interventions | None = None


class Protocol(Form):
    version: Day


class Link(Form):
    type: Text
    url: Url
    title: str | None = None


class Order(Form):
    id: Text
    checkout_session_id: Text
    permalink_url: Url
    order_number: str | None = None


class CheckoutSession(Form):
    id: Text
    status: STATUSES
    currency: Annotated[str, Field(pattern="^[a-z]{3}$")]
    line_items: list[LineItem]
    totals: list[Total]
    fulfillment_options: list[ShippingOption | DigitalOption]
    messages: list[Message]
    links: list[Link]
    capabilities: Capabilities
    protocol: Protocol | None = None
    buyer: Buyer | None = None
    fulfillment_details: Fulfillment | None = None
    selected_fulfillment_options: list[Selected] | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    expires_at: Time | None = None
    order: Order | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "CheckoutSession":
        if (self.status == "completed") != (self.order is not None):
            raise ValueError("a session has an order when it is completed, and no sooner")
        if self.order is not None and self.order.checkout_session_id != self.id:
            raise ValueError("the order of another session")
        chosen = {one.option_id for one in self.selected_fulfillment_options or ()}
        if not chosen <= {one.id for one in self.fulfillment_options}:
            raise ValueError("an option is selected that is not offered")
        for totals in (self.totals, *(line.totals for line in self.line_items)):
            add_up(totals)
        return self


class Error(Form):
    type: Literal["invalid_request", "processing_error", "service_unavailable"]
    code: Text
    message: Text
    param: Path | None = None
    supported_versions: list[Day] | None = None


def add_up(totals: list[Total]) -> None:
    """Base less discount is the subtotal; with shipping and tax it is the total; each is there once at most."""
    amounts: dict[str, int] = {one.type: one.amount for one in totals}
    assert len(amounts) == len(totals)
    assert amounts["items_base_amount"] - amounts.get("items_discount", 0) == amounts["subtotal"]
    beyond = sum(amounts.get(kind, 0) for kind in ("fulfillment", "tax", "fee"))
    assert amounts["subtotal"] - amounts.get("discount", 0) + beyond == amounts["total"]
