"""What each transition of the saga writes, told by the parts of its statement; nothing is executed."""

from decimal import Decimal

import orjson
import pytest

from api.checkout.errors import OutOfStock, PaymentDeclined, PaymentUnavailable
from api.checkout.saga.steps import StepStatement, TaskOutcome, prepare, success
from api.checkout.saga.transitions import TRANSITIONS, Outcome, Transition
from api.checkout.statements import MOVED, NO_CHECK, gate_part
from api.kernel.errors import Problem
from api.kernel.statement import Part, compose
from tests.unit.api.checkout.checkouts import PLAN, checkout_at

STOCK = {"product_variants", "warehouse_stock", "inventory_reservations", "inventory_transactions"}
ORDER = {"orders", "order_items", "order_events"}
KEY = {"idempotency_keys"}
ABANDON = STOCK | ORDER | KEY
DECLINED = PaymentDeclined("Use another payment method.", extra={"reason": "card_declined"})
AWAY = PaymentUnavailable("The payment provider does not answer.")
# Transition -> (tables written besides the checkout and the outbox, events in order).
WRITTEN: dict[tuple[str, Outcome], tuple[set[str], list[str]]] = {
    ("started", Outcome.PLANNED): (STOCK, ["StockReserved"]),
    ("started", Outcome.REFUSED): (KEY, []),
    ("started", Outcome.LATE): (KEY, []),
    ("reserved", Outcome.READY): (ORDER | {"payments"}, ["OrderCreated"]),
    ("reserved", Outcome.LATE): (STOCK | KEY, ["StockReleased"]),
    ("created", Outcome.AUTHORISED): ({"payments"}, ["PaymentAuthorised"]),
    ("created", Outcome.DECLINED): (ABANDON | {"payments"}, ["StockReleased", "OrderCancelled", "PaymentDeclined"]),
    ("created", Outcome.UNREACHABLE): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("created", Outcome.LATE): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("authorised", Outcome.READY): (
        {"warehouse_stock", "inventory_reservations"} | ORDER,
        ["StockConfirmed", "OrderPlaced"],
    ),
    ("authorised", Outcome.STOCK_LOST): (ABANDON, ["StockReleased", "OrderCancelled"]),
    ("confirmed", Outcome.CAPTURED): ({"payments", "orders"}, ["PaymentCaptured"]),
    ("confirmed", Outcome.UNREACHABLE): (set(), []),
    ("confirmed", Outcome.REFUSED): (ABANDON, ["StockReturned", "OrderCancelled"]),
    ("captured", Outcome.READY): (KEY, []),
    ("compensating", Outcome.VOIDED): ({"payments"}, ["PaymentVoided"]),
    ("compensating", Outcome.UNREACHABLE): (set(), []),
}


def prepared(point: str, found: TaskOutcome) -> tuple[Transition, StepStatement]:
    move = TRANSITIONS[point, found.outcome]
    return move, prepare(checkout_at(point), move.writes, found, reservation_seconds=600)


def found(outcome: Outcome, failure: Problem | None = None) -> TaskOutcome:
    return TaskOutcome(outcome, plan=PLAN if outcome is Outcome.PLANNED else None, reference="ref", failure=failure)


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
    gate = gate_part(
        checkout_id=checkout.checkout_id,
        token=checkout.token,
        before=point,
        after=move.point,
        lease_seconds=30,
        plan=None,
        failure=failure,
    )
    # Raises when two parts write one table, or one reads a CTE that is not there.
    compose([*(statement.checks or [NO_CHECK]), gate, *statement.all_parts()], MOVED)


@pytest.mark.parametrize(
    ("point", "outcome"), [("started", Outcome.PLANNED), ("authorised", Outcome.READY)], ids=["hold", "confirm"]
)
def test_stock_is_checked_before_the_gate(point: str, outcome: Outcome) -> None:
    _, statement = prepared(point, found(outcome))
    assert ["feasible" in check.makes for check in statement.checks] == [True]


def test_stock_is_not_held_without_a_plan() -> None:
    with pytest.raises(AssertionError, match="held for a plan"):
        prepared("started", TaskOutcome(Outcome.PLANNED))


def test_the_payment_is_opened_at_the_plans_gateway_under_the_checkouts_key() -> None:
    _, statement = prepared("reserved", found(Outcome.READY))
    values = part_that_writes(statement, "payments").values
    assert values["payment_gateway"] == "second"
    assert values["payment_key"] == f"checkout-{checkout_at('reserved').checkout_id}"
    assert values["payment_amount"] == Decimal("26.59")


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
    assert values["payment_reference"] == "ref"


@pytest.mark.parametrize(
    ("failure", "kept"),
    [
        (DECLINED, 402),
        (OutOfStock("Others bought it."), 409),
        (AWAY, None),
        (None, None),
    ],
    ids=["declined", "out of stock", "gateway away", "nothing to say"],
)
def test_definite_refusals_are_kept_for_repeats_and_the_rest_frees_the_key(
    failure: Problem | None, kept: int | None
) -> None:
    _, statement = prepared("started", found(Outcome.REFUSED, failure))
    [part] = statement.parts
    if kept is None:
        assert statement.answer is None
        assert part.makes == ("forgotten",)
        return
    assert statement.answer is not None
    assert (statement.answer.status, part.makes) == (kept, ("finished",))
    assert failure is not None
    assert orjson.loads(statement.answer.body)["detail"] == failure.detail
    assert part.values["answer_body"] == statement.answer.body


@pytest.mark.parametrize(
    ("point", "outcome", "failure", "before", "payment"),
    [
        ("created", Outcome.DECLINED, DECLINED, "pending", "declined"),
        ("created", Outcome.UNREACHABLE, AWAY, "pending", "voided"),
        ("authorised", Outcome.STOCK_LOST, OutOfStock("Too late."), "pending", "voided"),
        ("confirmed", Outcome.REFUSED, DECLINED, "confirmed", "declined"),
    ],
)
def test_a_cancelled_order_says_why(point: str, outcome: Outcome, failure: Problem, before: str, payment: str) -> None:
    _, statement = prepared(point, found(outcome, failure))
    values = part_that_writes(statement, "orders").values
    assert (values["step_from"], values["step_to"]) == (before, "cancelled")
    assert (values["step_payment"], values["step_reason"]) == (payment, failure.code)


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
