"""What happens to an order after it was placed: cancelled, moved on by its seller, returned.

Each change is one transaction: lock the order, look, write everything in one statement. Money follows: a refund is
first a pending row in that same commit, then the gateway is asked with a key derived from the row, by whoever comes
first, this process or the worker.

The order's own state machine moves when all of it comes back; a part that comes back lives on its lines, and the order
stays delivered.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Forbidden
from api.kernel.ids import new_id
from api.kernel.money import ZERO, allocate
from api.kernel.outbox import Event, events_part
from api.kernel.statement import OPEN_GATE, Part, compose
from api.orders.errors import ImpossibleMove, NotReturnable, StillBeingPlaced
from api.orders.queries import lock_order
from api.orders.schemas import AdvanceOrder, CancelOrder, DecideReturn, OrderState, ReturnOrder
from api.orders.statements import Step, move_part
from api.orders.states import CANCELLABLE, may_follow
from api.payments.commands import lock_payment
from api.payments.statements import request_refund

_ITEMS = text(
    """SELECT i.order_item_id, i.product_id, i.variant_id, i.seller_id, i.warehouse_id, i.quantity, i.subtotal,
       coalesce((SELECT sum(r.quantity) FROM returns r WHERE r.order_item_id = i.order_item_id AND r.status <>
       'rejected'), 0) AS returned
    FROM order_items i WHERE i.order_id = :order_id ORDER BY i.order_item_id"""
)
_OPEN_RETURNS = text(
    """SELECT r.return_id, r.order_item_id, r.variant_id_of_item AS variant_id, r.warehouse_id, r.quantity,
    r.refund_amount FROM (
        SELECT r.*, i.variant_id AS variant_id_of_item, i.warehouse_id FROM returns r JOIN order_items i USING
        (order_item_id)) r
    WHERE r.order_id = :order_id AND r.status = :status ORDER BY r.return_id"""
)
_REQUEST = """asked AS (
    INSERT INTO returns (return_id, order_id, order_item_id, product_id, seller_id, user_id, quantity, reason,
    refund_amount)
    SELECT x.return_id, :order_id, x.order_item_id, x.product_id, x.seller_id, :return_user, x.quantity, :return_reason,
    x.amount
    FROM unnest(CAST(:return_ids AS uuid[]), CAST(:return_items AS uuid[]), CAST(:return_products AS uuid[]),
                CAST(:return_sellers AS uuid[]), CAST(:return_quantities AS int[]), CAST(:return_amounts AS numeric[]))
         AS x(return_id, order_item_id, product_id, seller_id, quantity, amount), gate RETURNING 1)"""
_DECIDE = """decided AS (
    UPDATE returns SET status = :return_to, updated_at = now() FROM gate
    WHERE order_id = :order_id AND status = :return_from RETURNING 1)"""


async def cancel(tx: Tx, actor: Actor, order_id: UUID, request: CancelOrder) -> OrderState:
    """Cancel for the buyer or an administrator: money back in full, units back on the shelf. Raises: OrderNotFound,
    ImpossibleMove, StillBeingPlaced, Forbidden (a seller who is not the buyer)."""
    order = await lock_order(tx, actor, order_id)
    if not order.is_buyer and actor.kind != "admin":
        raise Forbidden("Only the buyer may cancel; a seller refuses an order through support.")
    if order.status == "pending":
        raise StillBeingPlaced
    if order.status not in CANCELLABLE:
        raise _impossible(order.status, "cancelled")
    payment = await lock_payment(tx, order_id)
    if payment is None or payment.status != "captured":
        raise StillBeingPlaced
    items = await tx.all(_ITEMS, {"order_id": order_id})
    sold = [(item.variant_id, item.warehouse_id, item.quantity) for item in items]
    move = Step(order_id, order.status, "cancelled", actor.kind, request.reason and request.reason[:200], "refunded")
    refund, requested = request_refund(payment, order_id, payment.refundable)
    parts = [stock.restock(order_id, sold, cancels_order=True), move_part(move), *refund]
    await _write(tx, parts, [move.event(), *requested])
    return OrderState(
        order_id=order_id, status="cancelled", payment_status="refunded", refund_amount=payment.refundable
    )


async def advance(tx: Tx, actor: Actor, order_id: UUID, request: AdvanceOrder) -> OrderState:
    """One step of fulfilment by the seller of every line, or an administrator. Raises: OrderNotFound, Forbidden,
    ImpossibleMove."""
    order = await lock_order(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of every line, or an administrator, may do this.")
    if not may_follow(order.status, request.status):
        raise _impossible(order.status, request.status)
    if order.status == "return_requested":  # back to delivered is an answer to the buyer, not a delivery
        raise _impossible(order.status, request.status)
    if order.payment_status == "authorised":
        raise StillBeingPlaced
    move = Step(order_id, order.status, request.status, actor.kind)
    await _write(tx, [move_part(move)], [move.event()])
    return OrderState(order_id=order_id, status=request.status, payment_status=order.payment_status)


async def request_return(tx: Tx, actor: Actor, order_id: UUID, request: ReturnOrder) -> OrderState:
    """The buyer of a delivered order asks to return some or all of it. Raises: OrderNotFound, Forbidden,
    ImpossibleMove, NotReturnable."""
    order = await lock_order(tx, actor, order_id)
    if not order.is_buyer:
        raise Forbidden("Only the buyer may return an order.")
    if not may_follow(order.status, "return_requested"):
        raise _impossible(order.status, "return_requested")
    items = {item.order_item_id: item for item in await tx.all(_ITEMS, {"order_id": order_id})}
    wanted = _wanted(request, items)
    amounts = [_refund_share(order, items, item_id, quantity) for item_id, quantity in wanted.items()]
    ids = [new_id() for _ in wanted]
    values: dict[str, object] = {
        "order_id": order_id,
        "return_user": actor.user_id,
        "return_reason": request.reason,
        "return_ids": ids,
        "return_items": list(wanted),
        "return_products": [items[item_id].product_id for item_id in wanted],
        "return_sellers": [items[item_id].seller_id for item_id in wanted],
        "return_quantities": list(wanted.values()),
        "return_amounts": amounts,
    }
    parts = [Part(_REQUEST, values, makes=("asked",), needs=("gate",), writes=frozenset({"returns"}))]
    events = [_return_event(return_id, order_id, "requested") for return_id in ids]
    everything = all(item.returned + wanted.get(item.order_item_id, 0) == item.quantity for item in items.values())
    if everything:
        move = Step(order_id, order.status, "return_requested", actor.kind, request.reason[:200])
        parts.append(move_part(move))
        events.append(move.event())
    await _write(tx, parts, events)
    after = "return_requested" if everything else order.status
    return OrderState(
        order_id=order_id, status=after, payment_status=order.payment_status, refund_amount=sum(amounts, ZERO)
    )


async def decide_return(tx: Tx, actor: Actor, order_id: UUID, request: DecideReturn) -> OrderState:
    """The seller of every line, or an administrator, answers what was asked to be returned.

    Refused: the order is delivered as before. Approved: units back on the shelf, refund asked for.
    Raises: OrderNotFound, Forbidden, ImpossibleMove when no return is open.
    """
    order = await lock_order(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of every line, or an administrator, may do this.")
    returns = await tx.all(_OPEN_RETURNS, {"order_id": order_id, "status": "requested"})
    after = "return_approved" if request.approve else "delivered"
    if not returns:
        raise _impossible(order.status, after)
    verdict = "approved" if request.approve else "rejected"
    parts = [decide_part(order_id, "requested", verdict)]
    events = [_return_event(row.return_id, order_id, verdict) for row in returns]
    amount = None
    if request.approve:
        payment = await lock_payment(tx, order_id)
        if payment is None:
            raise AssertionError("a delivered order has a payment")
        amount = min(sum((row.refund_amount for row in returns), ZERO), payment.refundable)
        lines = [(row.variant_id, row.warehouse_id, row.quantity) for row in returns]
        refund, requested = request_refund(payment, order_id, amount)
        parts += [stock.restock(returns[0].return_id, lines, cancels_order=False), *refund]
        events += requested
    if order.status == "return_requested":
        move = Step(order_id, order.status, after, actor.kind, request.reason and request.reason[:200])
        parts.append(move_part(move))
        events.append(move.event())
    await _write(tx, parts, events)
    status = after if order.status == "return_requested" else order.status
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status, refund_amount=amount)


def _return_event(return_id: UUID, order_id: UUID, status: str) -> Event:
    return Event("return", return_id, f"ItemReturn{status.title()}", {"orderId": order_id, "to": status})


def decide_part(order_id: UUID, before: str, after: str) -> Part:
    """All returns of the order that are in `before` become `after`."""
    return Part(
        _DECIDE,
        {"order_id": order_id, "return_from": before, "return_to": after},
        makes=("decided",),
        needs=("gate",),
        writes=frozenset({"returns"}),
    )


def _wanted(request: ReturnOrder, items: dict[UUID, Row[Any]]) -> dict[UUID, int]:  # Any: rows of _ITEMS
    wanted: dict[UUID, int] = {}
    errors = []
    for index, line in enumerate(request.items):
        item = items.get(line.order_item_id)
        wanted[line.order_item_id] = wanted.get(line.order_item_id, 0) + line.quantity
        if item is None:
            errors.append(FieldError(pointer=f"/items/{index}/orderItemId", message="not a line of this order"))
        elif wanted[line.order_item_id] > item.quantity - item.returned:
            message = f"{item.quantity - item.returned} of this line can still be returned"
            errors.append(FieldError(pointer=f"/items/{index}/quantity", message=message))
    if errors:
        raise NotReturnable("Correct the lines named in `errors`.", errors=errors)
    return wanted


def _refund_share(order: Row[Any], items: dict[UUID, Row[Any]], item_id: UUID, quantity: int) -> Decimal:  # Any: rows
    """What `quantity` units of a line cost with their share of everything on the bill, to the cent.

    Lines share the total by their subtotals, units share their line; units returned one by one add up to exactly the
    line's share.
    """
    ordered = list(items.values())
    shares = dict(zip(items, allocate(order.total, [item.subtotal for item in ordered]), strict=True))
    units = allocate(shares[item_id], [Decimal(1)] * items[item_id].quantity)
    returned = items[item_id].returned
    return sum(units[returned : returned + quantity], ZERO)


async def _write(tx: Tx, parts: Sequence[Part], events: Sequence[Event]) -> None:
    await tx.execute(*compose([OPEN_GATE, *parts, events_part(events)], "1"))


def _impossible(status: str, wanted: str) -> ImpossibleMove:
    return ImpossibleMove(
        f"An order that is {status.replace('_', ' ')} cannot become {wanted.replace('_', ' ')}.",
        extra={"orderStatus": status},
    )
