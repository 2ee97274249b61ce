"""Refunds without a return on the wire."""

from typing import Annotated

from pydantic import Field, model_validator

from api.kernel.money import ZERO, Amount
from api.kernel.schemas import Quantity, Wire, WireId
from api.orders.returns.policy import LOST_PARCEL, AdjustmentCode
from api.orders.schemas import Reason


class RefundedLine(Wire):
    """`amount` of the line's goods and their tax, and `shippingAmount` of what sending it cost, tax included.

    Of a lost parcel it is `quantity` instead: these units are paid back in full.
    """

    order_item_id: WireId
    amount: Annotated[Amount, Field(ge=0)] = ZERO
    shipping_amount: Annotated[Amount, Field(ge=0)] = ZERO
    quantity: Quantity | None = None


class RefundOrder(Wire):
    """Why money goes back although nothing comes back, and for which lines. An administrator says more in `reason`."""

    reason_code: AdjustmentCode
    reason: Reason | None = None
    items: Annotated[list[RefundedLine], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _units_or_amounts(self) -> "RefundOrder":
        lost = self.reason_code == LOST_PARCEL
        for item in self.items:
            if lost and (item.quantity is None or item.amount or item.shipping_amount):
                raise ValueError("items of a lost parcel have a quantity and no amounts")
            if not lost and (item.quantity is not None or not (item.amount or item.shipping_amount)):
                raise ValueError(
                    "items have an amount, a shippingAmount or both, and a quantity only when they are lost"
                )
        return self
