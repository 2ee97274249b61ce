"""The rows of `returns`, which units that come back have, units that are not sent, and money that goes back alone."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import insert

from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.orders.models import Return
from api.orders.returns.policy import NOTHING_SENT
from api.orders.returns.returnable import LineRefund
from api.payments.statements import NewRefund


async def insert_returns(
    tx: Tx, order_id: UUID, given: Sequence[LineRefund], shared: Mapping[str, object]
) -> list[UUID]:
    """A row for each, with the columns that are the same in all of them; returns their ids in the same order."""
    rows = [{"return_id": new_id(), "order_id": order_id, **shared, **_of_line(one)} for one in given]
    if rows:
        await tx.execute(insert(Return).values(rows))
    return [UUID(str(row["return_id"])) for row in rows]


async def insert_units_off(
    tx: Tx, order_id: UUID, units: Sequence[LineRefund], others: Sequence[LineRefund], shared: Mapping[str, object]
) -> list[UUID]:
    """A row for the units of each line that are not sent, with the columns `shared`, and one for what each of the
    `others` gives back of the cost of sending with them; their ids in that order."""
    unspent = {**shared, "reason_code": NOTHING_SENT, "outbound_refunded": True, "restocked": False}
    return [
        *await insert_returns(tx, order_id, units, shared),
        *await insert_returns(tx, order_id, others, unspent),
    ]


def settled_by(refund: NewRefund) -> dict[str, object]:
    """The columns of returns that nobody decides: their money is on its way, or there is none to pay."""
    paid = bool(refund.parts)
    return {"status": "approved" if paid else "refunded", "refund_id": refund.refund_id if paid else None}


def _of_line(one: LineRefund) -> dict[str, object]:
    parts = one.refund.parts
    return {
        "order_item_id": one.line.order_item_id,
        "product_id": one.line.product_id,
        "seller_id": one.line.seller_id,
        "quantity": one.quantity,
        "refund_amount": parts.amount,
        "goods_amount": parts.goods,
        "tax_amount": parts.tax,
        "shipping_amount": parts.shipping,
        "shipping_tax": one.refund.shipping_tax,
    }
