"""Returns of a delivered order, in full or in part: the buyer requests, the seller decides.

The order's own state changes only when everything is returned. After a partial return the order stays delivered,
and only the states of its returns change.
"""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from fastapi import Response
from sqlalchemy import insert

from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey
from api.kernel.ids import new_id
from api.kernel.money import ZERO
from api.kernel.outbox import Event
from api.orders.commands.change import change_order, impossible, write
from api.orders.models import Return
from api.orders.queries.locked import lines_of, lock_order, requested_returns_of
from api.orders.refunds import settle_refunds
from api.orders.returnable import OrderLine, RefundOf, comes_back_whole, refund_of, units_to_return
from api.orders.schemas import DecideReturn, OrderState, ReturnOrder
from api.orders.statements import Step, decide_part, move_part, requested_part
from api.orders.states import may_follow
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import request_refund


@dataclass(frozen=True, slots=True)
class _NewReturn:
    return_id: UUID
    line: OrderLine
    quantity: int
    refund: RefundOf

    @property
    def amount(self) -> Decimal:
        return self.refund.parts.amount

    def values(self) -> dict[str, object]:
        """The columns that differ between the returns of one request."""
        return {
            "return_id": self.return_id,
            "order_item_id": self.line.order_item_id,
            "product_id": self.line.product_id,
            "seller_id": self.line.seller_id,
            "quantity": self.quantity,
            "refund_amount": self.amount,
            "goods_amount": self.refund.parts.goods,
            "tax_amount": self.refund.parts.tax,
            "shipping_amount": self.refund.parts.shipping,
            "shipping_tax": self.refund.shipping_tax,
        }


async def return_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: ReturnOrder) -> Response:
    """Request the return of some or all of a delivered order, by its buyer.

    Raises: OrderNotFound, Forbidden, ImpossibleMove, NotReturnable.
    """
    return await change_order(ctx, key, lambda tx: _request(tx, actor, order_id, request))


async def decide_return(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: DecideReturn) -> Response:
    """Approve or refuse the requested returns, by the seller of every line or an administrator.

    Refused: the order stays delivered. Approved: the units are restocked and the refund is requested.
    Raises: OrderNotFound, Forbidden, ImpossibleMove when no return is open.
    """
    answer = await change_order(ctx, key, lambda tx: _decide(tx, actor, order_id, request))
    await settle_refunds(ctx, order_id)
    return answer


async def _request(tx: Tx, actor: Actor, order_id: UUID, request: ReturnOrder) -> OrderState:
    order = await lock_order(tx, actor, order_id)
    if not order.is_buyer:
        raise Forbidden("Only the buyer may return an order.")
    if not may_follow(order.status, "return_requested"):
        raise impossible(order.status, "return_requested")
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    units = units_to_return(request.items, lines)
    returns = [
        _NewReturn(
            new_id(), lines[item_id], quantity, refund_of(order.amounts, lines, item_id, quantity, outbound=True)
        )
        for item_id, quantity in units.items()
    ]
    shared = {"order_id": order_id, "user_id": actor.user_id, "reason": request.reason}
    await tx.execute(insert(Return).values([{**shared, **new.values()} for new in returns]))
    parts = [requested_part([new.return_id for new in returns])]
    events = [_event(new.return_id, order_id, "requested") for new in returns]
    status = order.status
    if comes_back_whole(lines, units):
        move = Step(order_id, status, "return_requested", actor.kind, request.reason[:200])
        parts.append(move_part(move))
        events.append(move.event())
        status = "return_requested"
    await write(tx, parts, events)
    amount = sum((new.amount for new in returns), ZERO)
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status, refund_amount=amount)


async def _decide(tx: Tx, actor: Actor, order_id: UUID, request: DecideReturn) -> OrderState:
    order = await lock_order(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of every line, or an administrator, may do this.")
    returns = await requested_returns_of(tx, order)
    after = "return_approved" if request.approve else "delivered"
    if not returns:
        raise impossible(order.status, after)
    verdict = "approved" if request.approve else "rejected"
    # A part that comes back writes no step of the order's history: the event alone keeps the reason.
    events = [_event(row.return_id, order_id, verdict, request.reason) for row in returns]
    decided = [row.return_id for row in returns]
    parts, amount = [], None
    if request.approve:
        payment = await lock_payment(tx, order_id)
        if payment is None:
            raise AssertionError("a delivered order has a payment")
        refunded = sum((row.parts for row in returns), Parts()).at_most(payment.refundable)
        lines = [(row.variant_id, row.warehouse_id, row.quantity) for row in returns]
        refund, amount = request_refund(payment, order_id, refunded), refunded.amount
        parts += [
            decide_part(decided, "requested", verdict, refund.refund_id),
            stock.restock(returns[0].return_id, lines, cancels_order=False),
            *refund.parts,
        ]
        events += refund.events
    else:
        parts.append(decide_part(decided, "requested", verdict))
    status = order.status
    if status == "return_requested":
        move = Step(order_id, status, after, actor.kind, request.reason and request.reason[:200])
        parts.append(move_part(move))
        events.append(move.event())
        status = after
    await write(tx, parts, events)
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status, refund_amount=amount)


def _event(return_id: UUID, order_id: UUID, status: str, reason: str | None = None) -> Event:
    payload = {"orderId": order_id, "to": status} | ({} if reason is None else {"reason": reason})
    return Event("return", return_id, f"ItemReturn{status.title()}", payload)
