"""The saga's writes as parts of the one statement that also moves the recovery point. Nothing is executed here.

A statement is for a batch of checkouts that take the same step.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from api.carts.statements import (
    CLAIM,
    Claim,
    Taken,
    claim_check,
    claim_check_after_codes,
    release_part,
    take_part,
    take_unclaimed_part,
)
from api.checkout.errors import CartBeingOrdered, CartChanging
from api.checkout.saga.lease import LeasedCheckout
from api.checkout.saga.transitions import Outcome, Write
from api.checkout.schemas import PlacedOrder, Plan, PlanRedemption
from api.checkout.statements import NewCheckout, open_part
from api.inventory import statements as stock
from api.kernel.errors import Problem
from api.kernel.idempotency import Answer, RequestKey, Stored, claim_each_part, finish_part, forget_part
from api.kernel.outbox import Event, events_part
from api.kernel.problems import render
from api.kernel.statement import Part
from api.orders import statements as orders
from api.payments import statements as payments
from api.payments.gateways.interface import gateway_key
from api.promotions import statements as coupons

ORDERS_PATH = "/api/v1/orders"


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The outcome of a task and its data: the gateway's reference, or the reason of the failure."""

    outcome: Outcome
    reference: str | None = None
    failure: Problem | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A checkout and the outcome of its task."""

    checkout: LeasedCheckout
    found: TaskOutcome


@dataclass(frozen=True, slots=True)
class Opening:
    """A checkout that is to be stored at its first point, with its request's key."""

    checkout: LeasedCheckout
    key: RequestKey


@dataclass(slots=True)
class StepStatement:
    """The parts of one step's statement, `checks` before the gate and `parts` after it, and the answers they store, one
    for each checkout or none."""

    checks: list[Part] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answers: list[Stored] = field(default_factory=list)
    # The promotions that the statement changes: they are locked before it.
    promotions: list[UUID] = field(default_factory=list)

    def all_parts(self) -> list[Part]:
        return [*self.parts, events_part(self.events)] if self.events else self.parts


def opening(
    openings: Sequence[Opening], *, reservation_seconds: int, key_seconds: float, lease_seconds: float
) -> list[Part]:
    """All of the statement that stores checkouts at `created`: for each the key, the checkout, its stock, what it
    redeems, the claim on its cart, its order and its payment, or nothing when the key is known, the stock is short, a
    promotion has no room, or the cart has changed or is another's."""
    plans = [(opening.checkout, opening.checkout.settled_plan) for opening in openings]
    placed = [_new_order(checkout, plan) for checkout, plan in plans]
    events = [
        event
        for (checkout, plan), order in zip(plans, placed, strict=True)
        for event in (_stock_event("StockReserved", checkout, plan), orders.created_event(order))
    ]
    redemptions = [
        _redemption(place, checkout, plan, redeemed)
        for place, (checkout, plan) in enumerate(plans)
        for redeemed in plan.redemptions
    ]
    claims = [_claim(checkout, plan) for checkout, plan in plans]
    return [
        stock.hold_check([(checkout.checkout_id, _held(plan)) for checkout, plan in plans]),
        *_checks(redemptions, claims),
        claim_each_part([(opening.checkout.checkout_id, opening.key) for opening in openings], key_seconds),
        open_part([_new_checkout(checkout, plan) for checkout, plan in plans], lease_seconds),
        CLAIM,
        stock.hold(reservation_seconds),
        orders.create_part(placed),
        *([coupons.redeem_part(redemptions)] if redemptions else []),
        payments.open_part([_new_payment(checkout, plan) for checkout, plan in plans]),
        events_part(events),
    ]


def _checks(redemptions: Sequence[coupons.Redemption], claims: Sequence[Claim]) -> list[Part]:
    """From the checkouts that are in stock to those that are feasible."""
    if redemptions:
        return [coupons.redeem_check(redemptions), claim_check_after_codes(claims)]
    return [claim_check(claims)]


def prepare(batch: Sequence[Done], writes: tuple[Write, ...]) -> StepStatement:
    """The parts for `writes` of every checkout in `batch`."""
    statement = StepStatement()
    for write in writes:
        if write is Write.ANSWER_SUCCESS:
            _answer_success(statement, batch)
        elif write is Write.ANSWER_FAILURE:
            _answer_failure(statement, batch)
        elif write is Write.TAKE_CART:
            _take_cart(statement, batch)
        elif write is Write.RELEASE_CART:
            _release_cart(statement, batch)
        elif write is Write.RELEASE_COUPONS:
            _release_coupons(statement, batch)
        elif write in {Write.CONFIRM_STOCK, Write.RELEASE_STOCK, Write.RESTOCK}:
            _stock(statement, batch, write)
        elif write in {Write.CONFIRM_ORDER, Write.CANCEL_ORDER, Write.CANCEL_CONFIRMED_ORDER}:
            _order(statement, batch, write)
        else:
            _payment(statement, batch, write)
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


def refusal(failure: Problem) -> Stored | None:
    """The response that says why there is no order. Definite refusals (402, 409) are stored and replayed; None for any
    other: nothing was done, so the request may be sent again with its key."""
    if failure.status not in {402, 409} or isinstance(failure, CartBeingOrdered | CartChanging):
        return None
    response = render(failure, ORDERS_PATH)
    return Stored(response.status_code, bytes(response.body), {"Content-Type": str(response.media_type)})


def _answer_success(statement: StepStatement, batch: Sequence[Done]) -> None:
    statement.answers = [success(done.checkout.settled_plan) for done in batch]
    answers = [
        Answer(done.checkout.actor_key, done.checkout.key, stored, done.checkout.checkout_id)
        for done, stored in zip(batch, statement.answers, strict=True)
    ]
    statement.parts.append(finish_part(answers))


def unclaimed(checkout: LeasedCheckout) -> bool:
    """Whether it orders a cart that it has not claimed, because an earlier version of the shop stored its plan."""
    return checkout.plan is not None and checkout.plan.from_cart and checkout.plan.cart is None


def _take_cart(statement: StepStatement, batch: Sequence[Done]) -> None:
    carts = [
        Taken(
            done.checkout.checkout_id,
            cart.cart_id,
            [(line.cart_item_id, line.quantity) for line in cart.lines],
            cart.coupons,
        )
        for done in batch
        if (cart := done.checkout.settled_plan.cart) is not None
    ]
    if carts:
        statement.parts.append(take_part(carts))
    elif any(unclaimed(done.checkout) for done in batch):
        checkout = _only(batch).checkout
        units: Counter[UUID] = Counter()
        for line in checkout.settled_plan.lines:
            units[line.variant_id] += line.quantity
        statement.parts.append(take_unclaimed_part(checkout.actor, units))


def _release_cart(statement: StepStatement, batch: Sequence[Done]) -> None:
    cart = _only(batch).checkout.settled_plan.cart
    if cart is not None:
        statement.parts.append(release_part(cart.cart_id))


def _release_coupons(statement: StepStatement, batch: Sequence[Done]) -> None:
    plan = _only(batch).checkout.settled_plan
    if plan.redemptions:
        statement.promotions += plan.promotions
        statement.parts.append(coupons.release_part(plan.order_id))


def _answer_failure(statement: StepStatement, batch: Sequence[Done]) -> None:
    done = _only(batch)
    checkout, failure = done.checkout, done.found.failure
    stored = None if failure is None else refusal(failure)
    if stored is None:
        statement.parts.append(forget_part(checkout.actor_key, checkout.key))
        return
    statement.answers = [stored]
    answer = Answer(checkout.actor_key, checkout.key, stored, checkout.checkout_id)
    statement.parts.append(finish_part([answer]))


def _stock(statement: StepStatement, batch: Sequence[Done], write: Write) -> None:
    if write is Write.CONFIRM_STOCK:
        plans = {done.checkout.checkout_id: done.checkout.settled_plan for done in batch}
        statement.checks.append(stock.confirm_check({checkout: len(_held(plan)) for checkout, plan in plans.items()}))
        statement.parts.append(stock.confirm())
        statement.events += [_stock_event("StockConfirmed", d.checkout, d.checkout.settled_plan) for d in batch]
        return
    checkout = _only(batch).checkout
    if write is Write.RELEASE_STOCK:
        statement.parts.append(stock.release(checkout.checkout_id))
        statement.events.append(_stock_event("StockReleased", checkout, checkout.settled_plan))
    else:
        plan = checkout.settled_plan
        sold = [(line.variant_id, line.warehouse_id, line.quantity) for line in plan.lines]
        statement.parts.append(stock.restock(plan.order_id, sold, cancels_order=True))
        statement.events.append(_stock_event("StockReturned", checkout, plan))


def _stock_event(event_type: str, checkout: LeasedCheckout, plan: Plan) -> Event:
    payload = {"checkoutId": checkout.checkout_id, "orderId": plan.order_id}
    return Event("checkout", checkout.checkout_id, event_type, payload, checkout.checkout_id)


def _order(statement: StepStatement, batch: Sequence[Done], write: Write) -> None:
    steps = [_order_step(done, write) for done in batch]
    backorders = any(line.expected_on is not None for done in batch for line in done.checkout.settled_plan.lines)
    statement.parts.append(orders.move_part(*steps, backorders=backorders))
    statement.events += [step.event() for step in steps]


def _order_step(done: Done, write: Write) -> orders.Step:
    order_id, gate_id, failure = done.checkout.settled_plan.order_id, done.checkout.checkout_id, done.found.failure
    if write is Write.CONFIRM_ORDER:
        paid = "authorised"
        return orders.Step(order_id, "pending", "confirmed", "service", payment_status=paid, gate_id=gate_id)
    declined = failure is not None and failure.status == 402
    before = "confirmed" if write is Write.CANCEL_CONFIRMED_ORDER else "pending"
    reason = failure.code if failure else None
    return orders.Step(
        order_id, before, "cancelled", "service", reason, "declined" if declined else "voided", gate_id=gate_id
    )


def _payment(statement: StepStatement, batch: Sequence[Done], write: Write) -> None:
    before, after = {
        Write.RECORD_AUTHORISATION: (("pending",), "authorised"),
        Write.RECORD_CAPTURE: (("authorised",), "captured"),
        Write.RECORD_DECLINE: (("pending",), "declined"),
        Write.RECORD_VOID: (("pending", "authorised"), "voided"),
    }[write]
    moves = [_payment_move(done) for done in batch]
    statement.parts.append(payments.move_part(moves, before, after))
    statement.events += [payments.moved_event(move, after) for move in moves]
    if write is Write.RECORD_CAPTURE:
        paid = {done.checkout.settled_plan.order_id: done.checkout.checkout_id for done in batch}
        statement.parts.append(orders.payment_status_part("paid", paid))


def _payment_move(done: Done) -> payments.PaymentMove:
    plan = done.checkout.settled_plan
    return payments.PaymentMove(
        checkout_id=done.checkout.checkout_id,
        payment_id=plan.payment_id,
        order_id=plan.order_id,
        amount=plan.total,
        currency=plan.currency,
        reference=done.found.reference,
    )


def _only(batch: Sequence[Done]) -> Done:
    """The checkout of a step that is not taken in batches."""
    if len(batch) != 1:
        raise AssertionError("this step is taken by one checkout at a time")
    return batch[0]


def _claim(checkout: LeasedCheckout, plan: Plan) -> Claim:
    cart = plan.cart
    return Claim(checkout.checkout_id, cart.cart_id if cart else None, cart.version if cart else None)


def _redemption(place: int, checkout: LeasedCheckout, plan: Plan, redeemed: PlanRedemption) -> coupons.Redemption:
    return coupons.Redemption(
        checkout_id=checkout.checkout_id,
        place=place,
        redemption_id=redeemed.redemption_id,
        promotion_id=redeemed.promotion_id,
        version=redeemed.version,
        code=redeemed.code,
        user_id=checkout.actor.user_id,
        email=redeemed.email,
        discount=redeemed.discount,
        currency=plan.currency,
        lines=redeemed.lines,
    )


def _held(plan: Plan) -> list[stock.Held]:
    """What is held, once for each variant in a warehouse, whatever addresses it goes to."""
    units, later = dict[tuple[UUID, UUID], int](), dict[tuple[UUID, UUID], int]()
    for line in plan.lines:
        place = (line.variant_id, line.warehouse_id)
        units[place] = units.get(place, 0) + line.quantity
        if line.expected_on is not None:
            later[place] = later.get(place, 0) + line.quantity
    return [stock.Held(*place, quantity, later.get(place, 0)) for place, quantity in units.items()]


def _new_checkout(checkout: LeasedCheckout, plan: Plan) -> NewCheckout:
    stored = {"actorKind": checkout.actor.kind, **checkout.request.model_dump(mode="json", by_alias=True)}
    return NewCheckout(
        checkout_id=checkout.checkout_id,
        token=checkout.token,
        actor=checkout.actor,
        key=checkout.key,
        request=orjson.dumps(stored).decode(),
        plan=plan,
    )


def _new_payment(checkout: LeasedCheckout, plan: Plan) -> payments.NewPayment:
    return payments.NewPayment(
        payment_id=plan.payment_id,
        order_id=plan.order_id,
        checkout_id=checkout.checkout_id,
        gateway=plan.gateway,
        gateway_key=gateway_key(checkout.checkout_id),
        method_type=checkout.request.payment_method.type,
        amount=plan.total,
        currency=plan.currency,
    )


def _new_order(checkout: LeasedCheckout, plan: Plan) -> orders.NewOrder:
    return orders.NewOrder(
        checkout_id=checkout.checkout_id,
        order_id=plan.order_id,
        order_number=plan.order_number,
        user_id=checkout.actor.user_id,
        session_id=checkout.actor.session_id,
        email=checkout.request.email,
        actor_kind=checkout.actor.kind,
        currency=plan.currency,
        subtotal=plan.subtotal,
        tax=plan.tax,
        tax_included=plan.tax_included,
        shipping=plan.shipping,
        discount=plan.discount,
        redemptions=len(plan.redemptions),
        total=plan.total,
        payment_method=checkout.request.payment_method.type,
        address=plan.address,
        delivery_speed=checkout.request.delivery_speed,
        shipping_preference=checkout.request.shipping_preference,
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
                line.taken_snapshot,
                line.promised_on,
                line.allocation,
                line.destination,
                line.expected_on,
                line.digital,
            )
            for line in plan.lines
        ],
        destinations=plan.destinations,
    )
