"""Edits on the wire, and the plan that an edit stores in its row."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.checkout.schemas import AskedBirthDate, PaymentMethod, ShippingAddress
from api.kernel.money import Amount
from api.kernel.schemas import Quantity, Wire, WireId, WireTime
from api.orders.statements import Snapshot

ChangeKind = Literal["removed", "added", "retaxed", "shipping"]


class EditedLine(Wire):
    """`quantity`: the units that the line is to have afterwards, 0 to take it off."""

    order_item_id: WireId
    quantity: Annotated[int, Field(ge=0, le=999)]


class NewLine(Wire):
    variant_id: WireId
    quantity: Quantity


class StageEdit(Wire):
    """What is to be different. More units of a line, and new lines, are bought at today's price; `birthDate`: for what
    of them is sold from an age on."""

    lines: Annotated[list[EditedLine], Field(default_factory=list, max_length=100)]
    add: Annotated[list[NewLine], Field(default_factory=list, max_length=100)]
    shipping_address: ShippingAddress | None = None
    birth_date: AskedBirthDate = None

    @model_validator(mode="after")
    def _changes_something(self) -> "StageEdit":
        if not self.lines and not self.add and self.shipping_address is None:
            raise ValueError("lines, add or shippingAddress is needed")
        return self


class CommitEdit(Wire):
    """`expectedTotal`: the total after the edit, as the buyer saw it. `paymentMethod`: needed when that is more."""

    expected_total: Amount
    payment_method: PaymentMethod | None = None


class ChangeBody(Wire):
    """A part of the difference: an amount that is added to the total, less than zero for one that is taken off."""

    kind: ChangeKind
    text: str
    quantity: int | None
    amount: Amount


class EditBody(Wire):
    """`oldTotal` is what is due for the order now, `newTotal` afterwards, `delta` the difference: it is charged when it
    is above zero and refunded when it is below. `changes` add up to it."""

    edit_id: WireId
    order_id: WireId
    status: Literal["staged", "paying", "completed", "failed"]
    currency: str
    old_total: Amount
    new_total: Amount
    delta: Amount
    subtotal: Amount
    tax: Amount
    shipping: Amount
    discount: Amount
    changes: list[ChangeBody]
    shipping_address: dict[str, str] | None
    estimated_delivery: date | None
    expires_at: WireTime


class CommittedEdit(Wire):
    """The order after the edit. `chargedAmount` and `refundAmount` are null when nothing is paid in that direction."""

    edit_id: WireId
    order_id: WireId
    status: str
    payment_status: str
    total: Amount
    charged_amount: Amount | None
    refund_amount: Amount | None


class PlanRemoval(BaseModel):
    model_config = ConfigDict(frozen=True)

    order_item_id: UUID
    quantity: int


class PlanAddition(BaseModel):
    """A line that the edit adds. `moved_from`: the line that the edit takes off for it, so no stock moves."""

    model_config = ConfigDict(frozen=True)

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID | None
    quantity: int
    unit_price: Decimal
    promised_on: date | None
    moved_from: UUID | None = None
    snapshot: Snapshot

    @property
    def moved(self) -> bool:
        return self.moved_from is not None


class PlanChange(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: ChangeKind
    text: str
    quantity: int | None
    amount: Decimal


class EditPlan(BaseModel):
    """Everything decided when an edit is staged. The amounts are the order's afterwards; `due` is what is due for it
    without its returns, before and after."""

    model_config = ConfigDict(frozen=True)

    currency: str
    removed: list[PlanRemoval]
    added: list[PlanAddition]
    subtotal: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping: Decimal
    discount: Decimal
    total: Decimal
    due_before: Decimal
    due_after: Decimal
    # Whether something of the order is sent. The default is for plans of an earlier release.
    sends: bool = True
    refund_goods: Decimal
    refund_tax: Decimal
    refund_shipping: Decimal
    address: dict[str, str] | None
    promised: dict[UUID, date]
    estimated_delivery: date | None
    changes: list[PlanChange]

    @property
    def bought(self) -> list[PlanAddition]:
        """The lines that are new, and not moved from another: their units come from stock."""
        return [line for line in self.added if not line.moved]
