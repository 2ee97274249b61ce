"""The saga's writes as parts of the one statement that also moves the recovery point."""

from dataclasses import dataclass, field

import orjson

from api.checkout.record import Running, settled_plan
from api.checkout.saga import Write
from api.checkout.schemas import PlacedOrder, Plan
from api.inventory import statements as stock
from api.inventory.allocation import Allocation
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored, finish_part, forget_part
from api.kernel.outbox import Event, events_part
from api.kernel.problems import render
from api.kernel.statement import Part
from api.orders import statements as orders
from api.payments import statements as payments
from api.payments.gateways.interface import gateway_key

ORDERS_PATH = "/api/v1/orders"


@dataclass(slots=True)
class Facts:
    """What a task found out: the plan, the gateway's reference, or why it failed."""

    plan: Plan | None = None
    reference: str | None = None
    failure: Problem | None = None


@dataclass(slots=True)
class Batch:
    """Parts of one statement: `checks` come before the gate, `parts` after it."""

    checks: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answer: Stored | None = None

    def all_parts(self) -> list[Part]:
        return [*self.parts, events_part(self.events)] if self.events else self.parts


def prepare(ctx: Context, running: Running, writes: tuple[Write, ...], facts: Facts) -> Batch:
    """The parts for `writes`."""
    batch = Batch()
    for write in writes:
        if write is Write.ANSWER_SUCCESS:
            batch.answer = success(settled_plan(running))
            batch.parts.append(finish_part(running.actor_key, running.key, batch.answer))
        elif write is Write.ANSWER_FAILURE:
            _answer_failure(batch, running, facts)
        elif write in {Write.HOLD_STOCK, Write.CONFIRM_STOCK, Write.RELEASE_STOCK, Write.RESTOCK}:
            _stock(ctx, batch, running, write, facts)
        elif write in {Write.CREATE_ORDER, Write.CONFIRM_ORDER, Write.CANCEL_ORDER, Write.CANCEL_CONFIRMED_ORDER}:
            _order(batch, running, write, facts)
        else:
            _payment(batch, running, write, facts)
    return batch


def success(plan: Plan) -> Stored:
    """The 201, byte for byte the same whoever finishes the checkout."""
    body = PlacedOrder(
        order_id=plan.order_id,
        order_number=plan.order_number,
        status="confirmed",
        estimated_delivery=plan.estimated_delivery,
        total=plan.total,
    )
    headers = {"Content-Type": "application/json", "Location": f"{ORDERS_PATH}/{plan.order_id}"}
    return Stored(201, orjson.dumps(body.model_dump(mode="json", by_alias=True)), headers)


def _answer_failure(batch: Batch, running: Running, facts: Facts) -> None:
    """Definite refusals (402, 409) are kept for repeats; the rest frees the key, because nothing was done."""
    failure = facts.failure
    if failure is None or failure.status not in {402, 409}:
        batch.parts.append(forget_part(running.actor_key, running.key))
        return
    response = render(failure, ORDERS_PATH)
    batch.answer = Stored(response.status_code, bytes(response.body), {"Content-Type": str(response.media_type)})
    batch.parts.append(finish_part(running.actor_key, running.key, batch.answer))


def _stock(ctx: Context, batch: Batch, running: Running, write: Write, facts: Facts) -> None:
    plan = facts.plan if write is Write.HOLD_STOCK else settled_plan(running)
    if plan is None:
        raise AssertionError("stock is held for a plan")
    change = {"checkoutId": running.checkout_id, "orderId": plan.order_id}
    if write is Write.HOLD_STOCK:
        lines = [Allocation(line.variant_id, line.warehouse_id, line.quantity) for line in plan.lines]
        batch.checks.append(stock.hold_check(lines))
        batch.parts.append(stock.hold(plan.order_id, ctx.settings.reservation_seconds))
        batch.events.append(Event("checkout", running.checkout_id, "StockReserved", change))
    elif write is Write.CONFIRM_STOCK:
        batch.checks.append(stock.confirm_check(running.checkout_id, len(plan.lines)))
        batch.parts.append(stock.confirm())
        batch.events.append(Event("checkout", running.checkout_id, "StockConfirmed", change))
    elif write is Write.RELEASE_STOCK:
        batch.parts.append(stock.release(running.checkout_id))
        batch.events.append(Event("checkout", running.checkout_id, "StockReleased", change))
    else:
        sold = [(line.variant_id, line.warehouse_id, line.quantity) for line in plan.lines]
        batch.parts.append(stock.restock(plan.order_id, sold, cancels_order=True))
        batch.events.append(Event("checkout", running.checkout_id, "StockReturned", change))


def _order(batch: Batch, running: Running, write: Write, facts: Facts) -> None:
    plan = settled_plan(running)
    if write is Write.CREATE_ORDER:
        order = _new_order(running, plan)
        batch.parts.append(orders.create_part(order))
        batch.events.append(orders.created_event(order))
        return
    if write is Write.CONFIRM_ORDER:
        move = orders.Step(plan.order_id, "pending", "confirmed", "service", payment_status="authorised")
    else:
        declined = facts.failure is not None and facts.failure.status == 402
        before = "confirmed" if write is Write.CANCEL_CONFIRMED_ORDER else "pending"
        reason = facts.failure.code if facts.failure else None
        move = orders.Step(plan.order_id, before, "cancelled", "service", reason, "declined" if declined else "voided")
    batch.parts.append(orders.move_part(move))
    batch.events.append(move.event())


def _payment(batch: Batch, running: Running, write: Write, facts: Facts) -> None:
    plan = settled_plan(running)
    if write is Write.OPEN_PAYMENT:
        batch.parts.append(
            payments.open_part(
                payment_id=plan.payment_id,
                order_id=plan.order_id,
                gateway=plan.gateway,
                key=gateway_key(running.checkout_id),
                method=running.request.payment_method.type,
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
    batch.parts.append(payments.move_part(plan.payment_id, before, after, facts.reference))
    batch.events.append(payments.moved_event(plan.payment_id, plan.order_id, after, plan.total, plan.currency))
    if write is Write.RECORD_CAPTURE:
        batch.parts.append(orders.payment_status_part(plan.order_id, "paid"))


def _new_order(running: Running, plan: Plan) -> orders.NewOrder:
    return orders.NewOrder(
        order_id=plan.order_id,
        order_number=plan.order_number,
        user_id=running.actor.user_id,
        session_id=running.actor.session_id,
        email=running.request.email,
        actor_kind=running.actor.kind,
        currency=plan.currency,
        subtotal=plan.subtotal,
        tax=plan.tax,
        shipping=plan.shipping,
        discount=plan.discount,
        total=plan.total,
        payment_method=running.request.payment_method.type,
        address=plan.address,
        delivery_speed=running.request.delivery_speed,
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
