"""A return as it is shown: to the buyer in the order, and to the seller of its line."""

from sqlalchemy import String, case, cast, func, literal_column, select

from api.kernel.money import Amount
from api.kernel.schemas import Wire, WireId, WireTime
from api.orders.labels.models import ParcelLabel
from api.orders.models import Return
from api.orders.returns.policy import ADJUSTMENT_CODES, NOTHING_SENT, POLICIES, Payer
from api.shipping.scans import Carriage


class ReturnBody(Wire):
    """`refundAmount` is the sum of the amounts for goods (without the fee), tax and shipping.

    `returnShippingPaidBy` is who pays for sending the units back; `restocked` is null until the return is decided.
    `exchangeOrderId` is the order that was placed for other units instead. `carriage`: where the scans of its label say
    that the units are, null before the first and without a label; `delivered` is at the warehouse, and decides nothing.
    """

    return_id: WireId
    rma_number: str
    order_item_id: WireId
    quantity: int
    reason: str
    reason_code: str
    return_shipping_paid_by: Payer
    outbound_refunded: bool
    status: str
    fee_amount: Amount
    restocked: bool | None
    refund_amount: Amount
    goods_amount: Amount | None
    tax_amount: Amount | None
    shipping_amount: Amount | None
    exchange_order_id: WireId | None
    carriage: Carriage | None
    created_at: WireTime


class AdjustmentBody(Wire):
    """Money that goes back without a return: `quantity` units were lost, or none. `nothing_sent`: a cancelled line's
    share of the shipping fee, since nothing of the order is sent any more. `refundAmount` is the sum of the
    amounts."""

    adjustment_id: WireId
    order_item_id: WireId
    quantity: int
    reason_code: str
    reason: str
    status: str
    refund_amount: Amount
    goods_amount: Amount | None
    tax_amount: Amount | None
    shipping_amount: Amount | None
    created_at: WireTime


# As `policy.rma_number` and the policy's table say; a test compares both.
RMA_NUMBER = func.concat("RMA-", func.upper(func.right(cast(Return.return_id, String), 12)))
_PAYER = case(
    {code: literal_column(f"'{policy.return_shipping}'") for code, policy in POLICIES.items()},
    value=Return.reason_code,
    else_=literal_column("'buyer'"),
)
# The columns of a ReturnBody.
RETURN = (
    Return.return_id,
    Return.order_item_id,
    Return.quantity,
    Return.reason,
    Return.reason_code,
    RMA_NUMBER.label("rma_number"),
    _PAYER.label("return_shipping_paid_by"),
    Return.outbound_refunded,
    Return.fee_amount,
    Return.restocked,
    Return.status,
    Return.refund_amount,
    Return.goods_amount,
    Return.tax_amount,
    Return.shipping_amount,
    Return.exchange_order_id,
    select(ParcelLabel.carriage)
    .where(ParcelLabel.return_id == Return.return_id, ParcelLabel.status == literal_column("'bought'"))
    .scalar_subquery()
    .label("carriage"),
    Return.created_at,
)
IS_ADJUSTMENT = Return.reason_code.in_([literal_column(f"'{code}'") for code in (*ADJUSTMENT_CODES, NOTHING_SENT)])
# The columns of an AdjustmentBody.
ADJUSTMENT = (
    Return.return_id.label("adjustment_id"),
    Return.order_item_id,
    Return.quantity,
    Return.reason_code,
    Return.reason,
    Return.status,
    Return.refund_amount,
    Return.goods_amount,
    Return.tax_amount,
    Return.shipping_amount,
    Return.created_at,
)
