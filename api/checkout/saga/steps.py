"""The saga's writes as parts of the one statement that also moves the recovery point. Nothing is executed here."""

from dataclasses import dataclass, field

import orjson

from api.checkout.saga.lease import LeasedCheckout
from api.checkout.saga.transitions import Outcome, Write
from api.checkout.schemas import PlacedOrder, Plan
from api.inventory import statements as stock
from api.inventory.allocation import Allocation
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored, finish_part, forget_part
from api.kernel.outbox import Event, events_part
from api.kernel.problems import render
from api.kernel.statement import Part
from api.orders import statements as orders
from api.payments import statements as payments
from api.payments.gateways.interface import gateway_key

ORDERS_PATH = "/api/v1/orders"


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The outcome of a task and its data: the plan, the gateway's reference, or the reason of the failure."""

    outcome: Outcome
    plan: Plan | None = None
    reference: str | None = None
    failure: Problem | None = None


@dataclass(slots=True)
class StepStatement:
    """The parts of one step's statement, `checks` before the gate and `parts` after it, and the answer they store."""

    checks: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answer: Stored | None = None

    def all_parts(self) -> list[Part]:
        return [*self.parts, events_part(self.events)] if self.events else self.parts


def prepare(
    checkout: LeasedCheckout, writes: tuple[Write, ...], found: TaskOutcome, *, reservation_seconds: int
) -> StepStatement:
    """The parts for `writes`. Raises: AssertionError when stock is to be held without a plan."""
    statement = StepStatement()
    for write in writes:
        if write is Write.ANSWER_SUCCESS:
            statement.answer = success(checkout.settled_plan)
            statement.parts.append(finish_part(checkout.actor_key, checkout.key, statement.answer))
        elif write is Write.ANSWER_FAILURE:
            _answer_failure(statement, checkout, found)
        elif write is Write.HOLD_STOCK:
            _hold_stock(statement, checkout, found, reservation_seconds)
        elif write in {Write.CONFIRM_STOCK, Write.RELEASE_STOCK, Write.RESTOCK}:
            _stock(statement, checkout, write)
        elif write in {Write.CREATE_ORDER, Write.CONFIRM_ORDER, Write.CANCEL_ORDER, Write.CANCEL_CONFIRMED_ORDER}:
            _order(statement, checkout, write, found)
        else:
            _payment(statement, checkout, write, found)
    return statement


def success(plan: Plan) -> Stored:
    """The 201 response, the same bytes in every process that completes the checkout."""
    body = PlacedOrder(
        order_id=plan.order_id,
        order_number=plan.order_number,
        status="confirmed",
        estimated_delivery=plan.estimated_delivery,
        total=plan.total,
    )
    headers = {"Content-Type": "application/json", "Location": f"{ORDERS_PATH}/{plan.order_id}"}
    return Stored(201, orjson.dumps(body.model_dump(mode="json", by_alias=True)), headers)


def _answer_failure(statement: StepStatement, checkout: LeasedCheckout, found: TaskOutcome) -> None:
    """Definite refusals (402, 409) are stored and replayed; other failures free the key, because nothing was done."""
    failure = found.failure
    if failure is None or failure.status not in {402, 409}:
        statement.parts.append(forget_part(checkout.actor_key, checkout.key))
        return
    response = render(failure, ORDERS_PATH)
    statement.answer = Stored(response.status_code, bytes(response.body), {"Content-Type": str(response.media_type)})
    statement.parts.append(finish_part(checkout.actor_key, checkout.key, statement.answer))


def _hold_stock(statement: StepStatement, checkout: LeasedCheckout, found: TaskOutcome, seconds: int) -> None:
    if found.plan is None:
        raise AssertionError("stock is held for a plan")
    lines = [Allocation(line.variant_id, line.warehouse_id, line.quantity) for line in found.plan.lines]
    statement.checks.append(stock.hold_check(lines))
    statement.parts.append(stock.hold(found.plan.order_id, seconds))
    statement.events.append(_stock_event("StockReserved", checkout, found.plan))


def _stock(statement: StepStatement, checkout: LeasedCheckout, write: Write) -> None:
    plan = checkout.settled_plan
    if write is Write.CONFIRM_STOCK:
        statement.checks.append(stock.confirm_check(checkout.checkout_id, len(plan.lines)))
        statement.parts.append(stock.confirm())
        statement.events.append(_stock_event("StockConfirmed", checkout, plan))
    elif write is Write.RELEASE_STOCK:
        statement.parts.append(stock.release(checkout.checkout_id))
        statement.events.append(_stock_event("StockReleased", checkout, plan))
    else:
        sold = [(line.variant_id, line.warehouse_id, line.quantity) for line in plan.lines]
        statement.parts.append(stock.restock(plan.order_id, sold, cancels_order=True))
        statement.events.append(_stock_event("StockReturned", checkout, plan))


def _stock_event(event_type: str, checkout: LeasedCheckout, plan: Plan) -> Event:
    payload = {"checkoutId": checkout.checkout_id, "orderId": plan.order_id}
    return Event("checkout", checkout.checkout_id, event_type, payload)


def _order(statement: StepStatement, checkout: LeasedCheckout, write: Write, found: TaskOutcome) -> None:
    plan = checkout.settled_plan
    if write is Write.CREATE_ORDER:
        order = _new_order(checkout, plan)
        statement.parts.append(orders.create_part(order))
        statement.events.append(orders.created_event(order))
        return
    if write is Write.CONFIRM_ORDER:
        move = orders.Step(plan.order_id, "pending", "confirmed", "service", payment_status="authorised")
    else:
        declined = found.failure is not None and found.failure.status == 402
        before = "confirmed" if write is Write.CANCEL_CONFIRMED_ORDER else "pending"
        reason = found.failure.code if found.failure else None
        move = orders.Step(plan.order_id, before, "cancelled", "service", reason, "declined" if declined else "voided")
    statement.parts.append(orders.move_part(move))
    statement.events.append(move.event())


def _payment(statement: StepStatement, checkout: LeasedCheckout, write: Write, found: TaskOutcome) -> None:
    plan = checkout.settled_plan
    if write is Write.OPEN_PAYMENT:
        statement.parts.append(
            payments.open_part(
                payment_id=plan.payment_id,
                order_id=plan.order_id,
                gateway=plan.gateway,
                key=gateway_key(checkout.checkout_id),
                method=checkout.request.payment_method.type,
                amount=plan.total,
                currency=plan.currency,
            )
        )
        return
    before, after = {
        Write.RECORD_AUTHORISATION: (("pending",), "authorised"),
        Write.RECORD_CAPTURE: (("authorised",), "captured"),
        Write.RECORD_DECLINE: (("pending",), "declined"),
        Write.RECORD_VOID: (("pending", "authorised"), "voided"),
    }[write]
    statement.parts.append(payments.move_part(plan.payment_id, before, after, found.reference))
    statement.events.append(payments.moved_event(plan.payment_id, plan.order_id, after, plan.total, plan.currency))
    if write is Write.RECORD_CAPTURE:
        statement.parts.append(orders.payment_status_part(plan.order_id, "paid"))


def _new_order(checkout: LeasedCheckout, plan: Plan) -> orders.NewOrder:
    return orders.NewOrder(
        order_id=plan.order_id,
        order_number=plan.order_number,
        user_id=checkout.actor.user_id,
        session_id=checkout.actor.session_id,
        email=checkout.request.email,
        actor_kind=checkout.actor.kind,
        currency=plan.currency,
        subtotal=plan.subtotal,
        tax=plan.tax,
        shipping=plan.shipping,
        discount=plan.discount,
        total=plan.total,
        payment_method=checkout.request.payment_method.type,
        address=plan.address,
        delivery_speed=checkout.request.delivery_speed,
        estimated_delivery=plan.estimated_delivery,
        items=[
            orders.NewItem(
                line.order_item_id,
                line.product_id,
                line.variant_id,
                line.seller_id,
                line.warehouse_id,
                line.quantity,
                line.unit_price,
            )
            for line in plan.lines
        ],
    )
