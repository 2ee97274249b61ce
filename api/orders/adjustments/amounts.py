"""What a refund without a return is worth, line by line: pure rules on an order's lines."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import UUID

from api.kernel.errors import FieldError
from api.kernel.money import ZERO
from api.orders.adjustments.schemas import RefundedLine
from api.orders.errors import NotReturnable, RefundTooHigh
from api.orders.returns.returnable import (
    LineRefund,
    OrderAmounts,
    OrderLine,
    RefundOf,
    part_of,
    refund_of,
    shipping_left,
)

# Units that have left the shop and are not on their way back; before that they are cancelled.
_SENT = frozenset({"shipped", "delivered"})


def adjustments(
    amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], mine: Collection[UUID], items: Sequence[RefundedLine]
) -> list[LineRefund]:
    """The refund of each item, of the lines `mine`, which the actor may refund; `lines` are all of the order's.

    Raises: NotReturnable, which names every line that is wrong; RefundTooHigh, which says what is left of it.
    """
    _refuse_wrong({item_id: line for item_id, line in lines.items() if item_id in mine}, items)
    _refuse_too_high(amounts, lines, items)
    return [_adjustment(amounts, lines, item) for item in items]


def _adjustment(amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], item: RefundedLine) -> LineRefund:
    line = lines[item.order_item_id]
    if item.quantity is not None:
        return LineRefund(
            line, item.quantity, refund_of(amounts, lines, line.order_item_id, item.quantity, outbound=True)
        )
    sending = part_of(shipping_left(amounts, lines, line.order_item_id), item.shipping_amount)
    return LineRefund(line, 0, RefundOf(part_of(line.left, item.amount) + sending, sending.tax))


def _refuse_wrong(lines: Mapping[UUID, OrderLine], items: Sequence[RefundedLine]) -> None:
    """Raises: NotReturnable."""
    errors = list(_wrong(lines, items))
    if errors:
        raise NotReturnable("Correct the lines named in `errors`.", errors=errors)


def _wrong(lines: Mapping[UUID, OrderLine], items: Sequence[RefundedLine]) -> Iterator[FieldError]:
    seen: set[UUID] = set()
    for index, item in enumerate(items):
        line, place = lines.get(item.order_item_id), f"/items/{index}"
        if line is None:
            yield FieldError(pointer=f"{place}/orderItemId", message="not a line of this order that you may refund")
        elif item.order_item_id in seen:
            yield FieldError(pointer=f"{place}/orderItemId", message="named twice")
        elif item.quantity is not None and line.status not in _SENT:
            message = f"a line that is {line.status.replace('_', ' ')} cannot be lost; cancel units that are not sent"
            yield FieldError(pointer=f"{place}/quantity", message=message)
        elif item.quantity is not None and item.quantity > line.returnable:
            message = f"{line.returnable} of this line can still be lost"
            yield FieldError(pointer=f"{place}/quantity", message=message)
        seen.add(item.order_item_id)


def _refuse_too_high(amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], items: Sequence[RefundedLine]) -> None:
    """Raises: RefundTooHigh."""
    errors, refundable = [], []
    for index, item in enumerate(items):
        goods = lines[item.order_item_id].left.amount
        sending = shipping_left(amounts, lines, item.order_item_id).amount
        over = {"amount": (item.amount, goods), "shippingAmount": (item.shipping_amount, sending)}
        wrong = [
            FieldError(pointer=f"/items/{index}/{name}", message=f"{max(left, ZERO)} is left")
            for name, (asked, left) in over.items()
            if asked > max(left, ZERO)
        ]
        if wrong:
            errors += wrong
            left = {"amount": float(max(goods, ZERO)), "shippingAmount": float(max(sending, ZERO))}
            refundable.append({"orderItemId": str(item.order_item_id), **left})
    if errors:
        detail = "Refund at most what is left of the lines named in `errors`."
        raise RefundTooHigh(detail, errors=errors, extra={"refundable": refundable})
