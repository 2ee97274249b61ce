"""Exchanges on the wire."""

from typing import Annotated

from pydantic import Field

from api.checkout.schemas import AskedBirthDate, PaymentMethod, ShippingAddress
from api.kernel.money import Amount
from api.kernel.schemas import Quantity, Wire, WireId
from api.orders.returns.policy import ReasonCode
from api.orders.schemas import Reason


class ExchangeUnits(Wire):
    """Units of a line for as many of `variantId`, of the same product. The address is that of the order, unless
    another is given; `expectedTotal` is the total that the buyer saw for the new order; `birthDate` is as with an
    order."""

    order_item_id: WireId
    quantity: Quantity
    variant_id: WireId
    reason_code: ReasonCode = "wrong_size"
    reason: Reason | None = None
    payment_method: PaymentMethod
    shipping_address: ShippingAddress | None = None
    birth_date: AskedBirthDate = None
    expected_total: Amount | None = None


class Exchange(Wire):
    """The new order was charged with `charged`; `refundAmount` goes back when the return is approved. `difference` is
    what the buyer pays more, negative when it is less."""

    order_id: WireId
    status: str
    exchange_order_id: WireId
    exchange_order_number: str
    charged: Annotated[Amount, Field(ge=0)]
    refund_amount: Amount
    difference: Amount
