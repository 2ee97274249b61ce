"""Reads of payments for other nouns."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select

from api.kernel.db import ReadTx
from api.payments.models import Payment, Refund
from api.payments.parts import Parts


@dataclass(frozen=True, slots=True)
class OrderRefund:
    """A refund of an order, made or about to be. Those of one booking pay for one thing together; `booking_id` is the
    first of them, which the returns name that it pays."""

    refund_id: UUID
    booking_id: UUID
    order_id: UUID
    status: str
    goods: Decimal
    tax: Decimal
    shipping: Decimal

    @property
    def parts(self) -> Parts:
        return Parts(self.goods, self.tax, self.shipping)


# The parts of a refund that is older than they are: goods.
_REFUNDS = (
    select(
        Refund.refund_id,
        func.coalesce(Refund.booking_id, Refund.refund_id).label("booking_id"),
        Refund.order_id,
        Refund.status,
        func.coalesce(Refund.goods_amount, Refund.amount).label("goods"),
        func.coalesce(Refund.tax_amount, 0).label("tax"),
        func.coalesce(Refund.shipping_amount, 0).label("shipping"),
    )
    .where(Refund.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))), Refund.status != "failed")
    .order_by(Refund.created_at, Refund.refund_id)
)


_CAPTURED = (
    select(Payment.order_id, func.sum(Payment.captured_amount))
    .where(Payment.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))))
    .group_by(Payment.order_id)
)


async def captured_of(tx: ReadTx, order_ids: Iterable[UUID]) -> dict[UUID, Decimal]:
    """What was charged for orders that were locked, by all of their payments."""
    return {row[0]: row[1] for row in await tx.all(_CAPTURED, {"order_ids": list(order_ids)})}


async def refunds_of(tx: ReadTx, order_ids: Iterable[UUID]) -> list[OrderRefund]:
    """The refunds of orders that were locked, in the order in which they were asked for."""
    return await tx.all_as(OrderRefund, _REFUNDS, {"order_ids": list(order_ids)})
