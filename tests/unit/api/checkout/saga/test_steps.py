"""What each transition of the saga writes, told by the parts of its statement; nothing is executed."""

from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from api.checkout.errors import CartBeingOrdered, OutOfStock, PaymentDeclined, PaymentUnavailable
from api.checkout.saga.lease import LeasedCheckout
from api.checkout.saga.steps import Done, Opening, StepStatement, TaskOutcome, opening, prepare, refusal, success
from api.checkout.saga.transitions import TRANSITIONS, Outcome, Transition
from api.checkout.schemas import Plan, PlanCart, PlanCartLine
from api.checkout.statements import PASSED, Move, gate_part, no_check
from api.kernel.errors import Problem
from api.kernel.idempotency import RequestKey
from api.kernel.statement import Part, compose
from tests.unit.api.checkout.checkouts import PLAN, checkout_at, id_of

STOCK = {"product_variants", "warehouse_stock", "inventory_reservations", "inventory_transactions"}
ORDER = {"orders", "order_items", "order_events", "parcels", "parcel_events"}
KEY = {"idempotency_keys"}
ABANDON = STOCK | ORDER | KEY
CART = PlanCart(cart_id=id_of(10), version=4, lines=[PlanCartLine(cart_item_id=id_of(11), quantity=2)])
DECLINED = PaymentDeclined("Use another payment method.", extra={"reason": "card_declined"})
AWAY = PaymentUnavailable("The payment provider does not answer.")
# Transition -> (tables written besides the checkout and the outbox, events in order).
WRITTEN: dict[tuple[str, Outcome], tuple[set[str], list[str]]] = {
    ("created", Outcome.AUTHORISED): (
        {"payments", "warehouse_stock", "inventory_reservations"} | ORDER,
        ["PaymentAuthorised", "StockConfirmed", "OrderPlaced"],
    ),
    ("created", Outcome.STOCK_LOST): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("created", Outcome.DECLINED): (ABANDON | {"payments"}, ["StockReleased", "OrderCancelled", "PaymentDeclined"]),
    ("created", Outcome.UNREACHABLE): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("created", Outcome.LATE): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("confirmed", Outcome.CAPTURED): ({"payments", "orders"} | KEY, ["PaymentCaptured"]),
    ("confirmed", Outcome.UNREACHABLE): (set(), []),
    ("confirmed", Outcome.REFUSED): (ABANDON, ["StockReturned", "OrderCancelled"]),
    ("compensating", Outcome.VOIDED): ({"payments"}, ["PaymentVoided"]),
    ("compensating", Outcome.UNREACHABLE): (set(), []),
    ("started", Outcome.LATE): (KEY, []),
    ("reserved", Outcome.LATE): (STOCK | KEY, ["StockReleased"]),
    ("authorised", Outcome.READY): (
        {"warehouse_stock", "inventory_reservations"} | ORDER,
        ["StockConfirmed", "OrderPlaced"],
    ),
    ("authorised", Outcome.STOCK_LOST): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("captured", Outcome.READY): (KEY, []),
}


def prepared(point: str, found: TaskOutcome) -> tuple[Transition, StepStatement]:
    move = TRANSITIONS[point, found.outcome]
    return move, prepare([Done(checkout_at(point), found)], move.writes)


def found(outcome: Outcome, failure: Problem | None = None) -> TaskOutcome:
    return TaskOutcome(outcome, reference="ref", failure=failure)


def checkouts_at(point: str, count: int) -> list[LeasedCheckout]:
    """`count` checkouts of one batch, each with an order and a payment of its own."""
    plans = [PLAN.model_copy(update={"order_id": id_of(100 + n), "payment_id": id_of(200 + n)}) for n in range(count)]
    first = checkout_at(point)
    return [replace(first, checkout_id=id_of(300 + n), key=f"key-{n}", plan=plan) for n, plan in enumerate(plans)]


def openings(*checkouts: LeasedCheckout) -> list[Part]:
    keys = [RequestKey(checkout.actor_key, checkout.key, "POST /api/v1/orders", b"x" * 32) for checkout in checkouts]
    new = [Opening(checkout, key) for checkout, key in zip(checkouts, keys, strict=True)]
    return opening(new, reservation_seconds=600, key_seconds=90, lease_seconds=30)


def part_that_writes(statement: StepStatement, table: str) -> Part:
    [part] = [part for part in statement.parts if table in part.writes]
    return part


def test_every_transition_is_told_here() -> None:
    assert set(WRITTEN) == set(TRANSITIONS)


@pytest.mark.parametrize(("point", "outcome"), TRANSITIONS)
def test_a_transition_writes_its_tables_in_one_statement(point: str, outcome: Outcome) -> None:
    tables, events = WRITTEN[point, outcome]
    failure = DECLINED if outcome in {Outcome.DECLINED, Outcome.REFUSED} else None
    move, statement = prepared(point, found(outcome, failure))
    assert {table for part in statement.parts for table in part.writes} == tables
    assert [event.event_type for event in statement.events] == events
    checkout = checkout_at(point)
    gate = gate_part([Move(checkout.checkout_id, checkout.token, 30, failure)], point, move.point)
    # Raises when two parts write one table, or one reads a CTE that is not there.
    compose([*(statement.checks or [no_check([checkout.checkout_id])]), gate, *statement.all_parts()], PASSED)


def test_a_checkout_begins_with_all_of_it_in_one_statement() -> None:
    parts = openings(checkout_at("created"))
    tables = [table for part in parts for table in part.writes]
    assert set(tables) == STOCK | ORDER | KEY | {"checkouts", "payments", "carts"}
    assert {table for part in parts for table in part.appends} == {"outbox_events"}
    alerts, events = [part for part in parts if part.appends]
    assert "alerted" in alerts.makes, "few are left, in the commit that holds the units"
    assert events.values["outbox_types"] == ["StockReserved", "OrderCreated"]
    compose(parts, PASSED)


def from_cart(checkout: LeasedCheckout, cart: PlanCart | None = CART) -> LeasedCheckout:
    plan = checkout.settled_plan.model_copy(update={"from_cart": True, "cart": cart})
    return replace(checkout, plan=plan)


@pytest.mark.parametrize(("point", "outcome"), [key for key in TRANSITIONS if key[0] not in {"started", "reserved"}])
def test_a_cart_is_left_by_what_ends_its_claim(point: str, outcome: Outcome) -> None:
    failure = DECLINED if outcome in {Outcome.DECLINED, Outcome.REFUSED} else None
    move = TRANSITIONS[point, outcome]
    statement = prepare([Done(from_cart(checkout_at(point)), found(outcome, failure))], move.writes)
    made = {name for part in statement.parts for name in part.makes if "carts" in part.writes}

    if move.point == "completed":
        assert made == {"carts_taken", "lines_taken", "lines_left", "carts_ordered"}
    elif "cancelled" in str([part.values.get("step_after") for part in statement.parts]):
        assert made == {"carts_released"}
    else:
        assert made == set()


def test_what_is_taken_off_a_cart_is_what_its_checkout_read() -> None:
    batch = [*checkouts_at("confirmed", 1), from_cart(checkouts_at("confirmed", 2)[1])]
    statement = prepare(
        [Done(checkout, found(Outcome.CAPTURED)) for checkout in batch],
        TRANSITIONS["confirmed", Outcome.CAPTURED].writes,
    )
    values = part_that_writes(statement, "carts").values
    assert (values["take_gates"], values["take_carts"]) == ([batch[1].checkout_id], [CART.cart_id])
    assert (values["take_lines"], values["take_quantities"]) == ([CART.lines[0].cart_item_id], [2])


def test_a_plan_of_an_earlier_version_takes_its_variants_off_the_actors_cart() -> None:
    checkout = from_cart(checkout_at("confirmed"), None)
    assert Plan.model_validate_json(PLAN.model_dump_json(exclude={"cart"})).cart is None
    statement = prepare([Done(checkout, found(Outcome.CAPTURED))], TRANSITIONS["confirmed", Outcome.CAPTURED].writes)
    values = part_that_writes(statement, "carts").values
    assert (values["take_session"], values["take_variants"], values["take_quantities"]) == (
        "a-session",
        [id_of(5)],
        [2],
    )


def test_a_claim_names_the_version_that_was_read() -> None:
    values: dict[str, object] = {}
    for part in openings(checkout_at("created"), from_cart(checkout_at("created"))):
        values.update(part.values)
    assert (values["claim_carts"], values["claim_versions"]) == ([None, CART.cart_id], [None, 4])


@pytest.mark.parametrize("point", ["created", "authorised"])
def test_reservations_are_checked_before_the_gate(point: str) -> None:
    outcome = Outcome.AUTHORISED if point == "created" else Outcome.READY
    _, statement = prepared(point, found(outcome))
    assert ["feasible" in check.makes for check in statement.checks] == [True]


@pytest.mark.parametrize("count", [1, 2, 32])
def test_the_statements_of_an_order_have_one_text_for_every_size_of_a_batch(count: int) -> None:
    created, confirmed = checkouts_at("created", count), checkouts_at("confirmed", count)
    assert compose(openings(*created), PASSED)[0] is compose(openings(checkout_at("created")), PASSED)[0]
    for batch, outcome in ((created, Outcome.AUTHORISED), (confirmed, Outcome.CAPTURED)):
        writes = TRANSITIONS[batch[0].point, outcome].writes
        many = prepare([Done(checkout, found(outcome)) for checkout in batch], writes)
        one = prepare([Done(batch[0], found(outcome))], writes)
        assert [part.ctes for part in (*many.checks, *many.all_parts())] == [
            part.ctes for part in (*one.checks, *one.all_parts())
        ]


def test_every_row_of_a_batch_names_its_checkout() -> None:
    batch = checkouts_at("confirmed", 3)
    ids = [checkout.checkout_id for checkout in batch]
    statement = prepare(
        [Done(checkout, found(Outcome.CAPTURED)) for checkout in batch],
        TRANSITIONS["confirmed", Outcome.CAPTURED].writes,
    )
    named = {name: values for part in statement.all_parts() for name, values in part.values.items()}
    for name in ("payment_checkouts", "paid_gates", "answer_gates", "outbox_gates"):
        assert named[name] == ids
    assert named["answer_keys"] == ["key-0", "key-1", "key-2"]
    assert statement.answers == [success(checkout.settled_plan) for checkout in batch]


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.UNREACHABLE, Outcome.STOCK_LOST])
def test_a_step_that_releases_stock_is_never_taken_in_a_batch(outcome: Outcome) -> None:
    batch = [Done(checkout, found(outcome, DECLINED)) for checkout in checkouts_at("created", 2)]
    with pytest.raises(AssertionError, match="one checkout at a time"):
        prepare(batch, TRANSITIONS["created", outcome].writes)


def test_the_payment_is_opened_at_the_plans_gateway_under_the_checkouts_key() -> None:
    checkout = checkout_at("created")
    [part] = [part for part in openings(checkout) if "payments" in part.writes]
    assert part.values["opened_gateways"] == ["second"]
    assert part.values["opened_keys"] == [f"checkout-{checkout.checkout_id}"]
    assert part.values["opened_amounts"] == [Decimal("26.59")]


@pytest.mark.parametrize(
    ("point", "outcome", "before", "after"),
    [
        ("created", Outcome.AUTHORISED, ["pending"], "authorised"),
        ("created", Outcome.DECLINED, ["pending"], "declined"),
        ("confirmed", Outcome.CAPTURED, ["authorised"], "captured"),
        ("compensating", Outcome.VOIDED, ["pending", "authorised"], "voided"),
    ],
)
def test_a_payment_moves_only_from_where_it_may(point: str, outcome: Outcome, before: list[str], after: str) -> None:
    _, statement = prepared(point, found(outcome, DECLINED if outcome is Outcome.DECLINED else None))
    values = part_that_writes(statement, "payments").values
    assert (values["payment_from"], values["payment_to"]) == (before, after)
    assert values["payment_references"] == ["ref"]


@pytest.mark.parametrize(
    ("failure", "kept"),
    [
        (DECLINED, 402),
        (OutOfStock("Others bought it."), 409),
        (AWAY, None),
        (CartBeingOrdered("Wait."), None),
        (None, None),
    ],
    ids=["declined", "out of stock", "gateway away", "another orders the cart", "nothing to say"],
)
def test_definite_refusals_are_kept_for_repeats_and_the_rest_frees_the_key(
    failure: Problem | None, kept: int | None
) -> None:
    _, statement = prepared("created", found(Outcome.UNREACHABLE, failure))
    part = part_that_writes(statement, "idempotency_keys")
    if kept is None:
        assert statement.answers == []
        assert part.makes == ("forgotten",)
        return
    [answer] = statement.answers
    assert (answer.status, part.makes) == (kept, ("finished",))
    assert failure is not None
    assert answer == refusal(failure)
    assert orjson.loads(answer.body)["detail"] == failure.detail
    assert part.values["answer_bodies"] == [answer.body]


@pytest.mark.parametrize(
    ("point", "outcome", "failure", "before", "payment"),
    [
        ("created", Outcome.DECLINED, DECLINED, "pending", "declined"),
        ("created", Outcome.UNREACHABLE, AWAY, "pending", "voided"),
        ("created", Outcome.STOCK_LOST, OutOfStock("Too late."), "pending", "voided"),
        ("authorised", Outcome.STOCK_LOST, OutOfStock("Too late."), "pending", "voided"),
        ("confirmed", Outcome.REFUSED, DECLINED, "confirmed", "declined"),
    ],
)
def test_a_cancelled_order_says_why(point: str, outcome: Outcome, failure: Problem, before: str, payment: str) -> None:
    _, statement = prepared(point, found(outcome, failure))
    values = part_that_writes(statement, "orders").values
    assert (values["step_before"], values["step_after"]) == ([before], ["cancelled"])
    assert (values["step_payments"], values["step_reasons"]) == ([payment], [failure.code])


def test_the_201_is_the_same_bytes_whoever_finishes() -> None:
    answer = success(PLAN)
    assert answer == success(PLAN.model_copy())
    assert (answer.status, answer.headers["Location"]) == (201, f"/api/v1/orders/{PLAN.order_id}")
    assert orjson.loads(answer.body) == {
        "orderId": str(PLAN.order_id),
        "orderNumber": "SK-2026-0001",
        "status": "confirmed",
        "estimatedDelivery": "2026-01-07",
        "total": 26.59,
    }
