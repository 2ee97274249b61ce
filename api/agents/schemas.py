"""What an agent sends, by version 2026-04-17 of the protocol, and what a session keeps of it.

Fields that the protocol has and the shop does not need are read and forgotten; those that would change what is bought,
charged or who is charged are refused.
"""

from typing import Annotated, NoReturn
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from api.checkout.schemas import Line
from api.kernel.card_numbers import refuse_card_number
from api.kernel.schemas import Quantity
from api.kernel.texts import MAIL_ADDRESS, OneLine

MOST_ITEMS = 100


def _refuse(_: object) -> NoReturn:
    raise PydanticCustomError("unsupported", "this shop does not support it; leave it out")


Unsupported = Annotated[None, BeforeValidator(_refuse)]
Forgotten = JsonValue
_Text = Annotated[OneLine, AfterValidator(refuse_card_number)]
Short = Annotated[_Text, Field(max_length=255)]
Email = Annotated[_Text, Field(max_length=255, pattern=MAIL_ADDRESS)]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True, allow_inf_nan=False)


class Item(Form):
    """`id` is a variant's. The same id twice adds up. The schema of the version has lost `quantity`, which its text and
    its sessions have; it is read, and 1 without it. What the agent thinks an item costs is forgotten."""

    id: Short
    quantity: Quantity = 1
    name: Forgotten = None
    unit_amount: Forgotten = None


class Address(Form):
    """What the protocol asks for and the order does not need may be empty: `state` and `postal_code` where the
    country's addresses have none, `line_one` and `city` where all of it is delivered online."""

    name: Line
    line_one: Annotated[_Text, Field(max_length=120)]
    line_two: Annotated[_Text, Field(max_length=120)] = ""
    city: Short
    state: Annotated[_Text, Field(max_length=100)]
    country: Annotated[_Text, Field(pattern="^[A-Z]{2}$")]
    postal_code: Annotated[_Text, Field(max_length=20)]


class FulfillmentDetails(Form):
    name: Short | None = None
    phone_number: Short | None = None
    email: Email | None = None
    address: Address | None = None


class Buyer(Form):
    email: Email
    first_name: Short | None = None
    last_name: Short | None = None
    full_name: Short | None = None
    phone_number: Short | None = None
    customer_id: Forgotten = None
    account_type: Forgotten = None
    authentication_status: Forgotten = None
    company: Forgotten = None
    loyalty: Forgotten = None
    tax_exemption: Unsupported = None


class SelectedOption(Form):
    type: Short
    option_id: Short
    item_ids: Annotated[list[Short], Field(min_length=1, max_length=MOST_ITEMS)]


Items = Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)]


class CreateSession(Form):
    line_items: Items
    currency: Annotated[str, Field(pattern="^[A-Za-z]{3}$")]
    capabilities: dict[str, JsonValue]
    buyer: Buyer | None = None
    fulfillment_details: FulfillmentDetails | None = None
    fulfillment_groups: Unsupported = None
    coupons: Unsupported = None
    discounts: Unsupported = None
    quote_id: Unsupported = None
    affiliate_attribution: Forgotten = None
    locale: Forgotten = None
    timezone: Forgotten = None
    metadata: Forgotten = None
    order_notes: Unsupported = None


class UpdateSession(Form):
    """A field that is sent replaces what the session had; null takes it away, but for the items."""

    line_items: Items = []
    buyer: Buyer | None = None
    fulfillment_details: FulfillmentDetails | None = None
    selected_fulfillment_options: Annotated[list[SelectedOption], Field(max_length=MOST_ITEMS)] | None = None
    fulfillment_groups: Unsupported = None
    coupons: Unsupported = None
    discounts: Unsupported = None
    order_notes: Unsupported = None


class Credential(Form):
    type: Short
    token: Annotated[_Text, Field(min_length=1, max_length=200)]


class Instrument(Form):
    type: Short
    credential: Credential


class PaymentData(Form):
    """`token` comes from the payment provider; a card number is refused."""

    handler_id: Short
    instrument: Instrument
    billing_address: Address | None = None
    purchase_order_number: Unsupported = None
    payment_terms: Unsupported = None
    due_date: Unsupported = None
    approval_required: Unsupported = None


class CompleteSession(Form):
    payment_data: PaymentData
    buyer: Buyer | None = None
    authentication_result: Unsupported = None
    affiliate_attribution: Forgotten = None
    risk_signals: Forgotten = None
    marketing_consents: Forgotten = None
    order_notes: Unsupported = None


class CancelSession(BaseModel):
    """Why the buyer goes is forgotten."""

    intent_trace: Forgotten = None


class WantedItem(BaseModel):
    model_config = ConfigDict(frozen=True)

    variant_id: UUID
    quantity: Annotated[int, Field(le=999)]


class Content(BaseModel):
    """What a session wants: its row keeps it. `option`: the delivery speed that was chosen."""

    model_config = ConfigDict(frozen=True)

    items: list[WantedItem]
    currency: str
    buyer: Buyer | None = None
    fulfillment: FulfillmentDetails | None = None
    option: str | None = None

    @property
    def stored(self) -> dict[str, JsonValue]:
        """As its row keeps it."""
        found: dict[str, JsonValue] = self.model_dump(mode="json", exclude_none=True)
        return found

    @property
    def email(self) -> str | None:
        if self.buyer is not None:
            return self.buyer.email
        return None if self.fulfillment is None else self.fulfillment.email
