"""Returns of a delivered order, in full or in part, by its buyer; `decide` has the seller's answer.

The order's own state changes only when everything is returned. After a partial return the order stays delivered,
and only the states of its returns change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import Response

from api.catalog.queries.categories import paths_of
from api.kernel import clock
from api.kernel.actor import SHOP, Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Forbidden
from api.kernel.idempotency import RequestKey
from api.kernel.money import ZERO
from api.kernel.outbox import Event
from api.orders.commands.change import change_order, impossible, write
from api.orders.commands.rows import insert_returns
from api.orders.errors import NotReturnable, ReturnWindowClosed
from api.orders.queries.locked import LockedOrder, lines_of, lock_order
from api.orders.returns.policy import POLICIES, closes_at, reason_code_of, window_days
from api.orders.returns.returnable import LineRefund, OrderLine, comes_back_whole, refund_of, units_to_return
from api.orders.returns.statements import requested_part
from api.orders.schemas import OrderState, ReturnLine, ReturnOrder
from api.orders.statements import Step, move_part
from api.orders.states import RETURN_EVENT_OF, may_follow


async def return_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: ReturnOrder) -> Response:
    """Request the return of some or all of a delivered order, by its buyer.

    Raises: OrderNotFound, Forbidden, ImpossibleMove, NotReturnable, ReturnWindowClosed.
    """
    return await change_order(ctx, key, lambda tx: request_return(tx, actor, order_id, request))


@dataclass(frozen=True, slots=True)
class Returnable:
    """A request that may be granted, of an order that the transaction has locked: its lines, and the units of each."""

    order: LockedOrder
    lines: dict[UUID, OrderLine]
    units: dict[UUID, int]


async def check_return(tx: Tx, actor: Actor, order_id: UUID, request: ReturnOrder) -> Returnable:
    """Raises: as `return_order`."""
    order = await lock_order(tx, actor, order_id)
    if not order.is_buyer:
        raise Forbidden("Only the buyer may return an order.")
    if not may_follow(order.status, "return_requested"):
        raise impossible(order.status, "return_requested")
    wanted = await _returnable(tx, order, request)
    _check_digital(request, wanted.lines)
    await _check_window(tx, order, request.items, wanted.lines)
    return wanted


async def _returnable(tx: Tx, order: LockedOrder, request: ReturnOrder) -> Returnable:
    """Raises: NotReturnable."""
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    return Returnable(order, lines, units_to_return(request.items, lines))


async def request_return(tx: Tx, actor: Actor, order_id: UUID, request: ReturnOrder) -> OrderState:
    """Raises: as `return_order`."""
    return await _book(tx, actor, await check_return(tx, actor, order_id, request), request)


async def book_return(
    tx: Tx, actor: Actor, order_id: UUID, request: ReturnOrder, exchange_order_id: UUID
) -> OrderState:
    """The return of units that are exchanged for `exchange_order_id`: `check_return` granted it to the actor before
    that was placed, and the order was left to the exchange since. Neither the end of its window nor a guest's claim
    ends it."""
    order = await lock_order(tx, SHOP, order_id)
    return await _book(tx, actor, await _returnable(tx, order, request), request, exchange_order_id)


async def _book(
    tx: Tx, actor: Actor, wanted: Returnable, request: ReturnOrder, exchange_order_id: UUID | None = None
) -> OrderState:
    order, lines, units = wanted.order, wanted.lines, wanted.units
    order_id = order.order_id
    code = reason_code_of(request.reason_code, request.reason)
    outbound, reason = POLICIES[code].outbound, request.reason or code
    given = [
        LineRefund(lines[item_id], quantity, refund_of(order.amounts, lines, item_id, quantity, outbound=outbound))
        for item_id, quantity in units.items()
    ]
    shared = {"user_id": actor.user_id, "reason": reason, "reason_code": code, "outbound_refunded": outbound}
    ids = await insert_returns(tx, order_id, given, {**shared, "exchange_order_id": exchange_order_id})
    parts = [requested_part(ids)]
    events = [return_event(return_id, order_id, "requested") for return_id in ids]
    status = order.status
    if comes_back_whole(lines, units):
        move = Step(order_id, status, "return_requested", actor.kind, reason[:200])
        parts.append(move_part(move))
        events.append(move.event())
        status = "return_requested"
    await write(tx, parts, events)
    amount = sum((one.refund.parts.amount for one in given), ZERO)
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status, refund_amount=amount)


def _check_digital(request: ReturnOrder, lines: Mapping[UUID, OrderLine]) -> None:
    """Raises: NotReturnable, which names what was delivered online and is returned without a cause."""
    if POLICIES[reason_code_of(request.reason_code, request.reason)].digital:
        return
    causes = ", ".join(code for code, policy in POLICIES.items() if policy.digital)
    errors = [
        FieldError(pointer=f"/items/{index}/orderItemId", message=f"was delivered online: returned only as {causes}")
        for index, entry in enumerate(request.items)
        if lines[entry.order_item_id].digital
    ]
    if errors:
        raise NotReturnable("Correct the lines named in `errors`.", errors=errors)


async def _check_window(
    tx: Tx, order: LockedOrder, items: Sequence[ReturnLine], lines: Mapping[UUID, OrderLine]
) -> None:
    """Raises: ReturnWindowClosed, which names every item whose window is closed."""
    if order.delivered_at is None:
        return
    days = await _windows(tx, [lines[entry.order_item_id] for entry in items])
    errors, closed = [], list[datetime]()
    for index, entry in enumerate(items):
        until = closes_at(order.delivered_at, days[entry.order_item_id])
        if until < clock.now():
            message = f"could be returned until {until.date()}"
            errors.append(FieldError(pointer=f"/items/{index}/orderItemId", message=message))
            closed.append(until)
    if errors:
        raise ReturnWindowClosed(
            "Take the items named in `errors` out of the request, or ask the seller for help.",
            errors=errors,
            extra={"closedAt": min(closed).isoformat()},
        )


async def _windows(tx: Tx, lines: Sequence[OrderLine]) -> dict[UUID, int]:
    """Line -> days, as they were when it was bought. A line of an earlier release has those of its category of
    today."""
    without = sorted({line.product_id for line in lines if line.return_days is None})
    paths = await paths_of(tx, without) if without else {}
    return {
        line.order_item_id: window_days(paths.get(line.product_id, ""))
        if line.return_days is None
        else line.return_days
        for line in lines
    }


def return_event(return_id: UUID, order_id: UUID, status: str, reason: str | None = None) -> Event:
    payload = {"orderId": order_id, "to": status} | ({} if reason is None else {"reason": reason})
    return Event("return", return_id, RETURN_EVENT_OF[status], payload)
