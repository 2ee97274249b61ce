"""The gateway's rules: money is held once, taken at most as held, given back at most as taken; a key means one
thing."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.sandbox.ledger import NO_CURRENCY, Ledger
from api.sandbox.record import Refused
from api.sandbox.schemas import AuthorisationRequest, Entry, LedgerEntry, MoneyRequest, VoidRequest


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "gateway" / "ledger.db")
    yield made
    made._db.close()  # noqa: SLF001 - a process ends; a test must close


def hold(key: str = "a", amount: str = "10.00", token: str = "pm_sandbox_ok") -> AuthorisationRequest:
    return AuthorisationRequest(key=key, amount=Decimal(amount), currency="USD", token=token, reference="checkout-1")


def money(key: str, amount: str, of: str = "a") -> MoneyRequest:
    return MoneyRequest(key=key, authorisation_key=of, amount=Decimal(amount))


def kinds(ledger: Ledger) -> list[tuple[str, str, Decimal]]:
    return [(entry.kind, entry.status, entry.amount) for entry in ledger.page(0, 1_000)]


def code(refused: pytest.ExceptionInfo[Refused]) -> tuple[str, int]:
    return refused.value.code, refused.value.status


def test_money_is_held_taken_and_given_back(ledger: Ledger) -> None:
    held, new = ledger.authorise(hold())
    taken, _ = ledger.capture(money("c", "10.00"))
    given_back, _ = ledger.refund(money("r", "4.00"))

    assert new
    assert (held.status, held.amount, held.parent_key) == ("authorised", Decimal("10.00"), None)
    assert (taken.status, taken.parent_key, taken.reference) == ("captured", "a", "checkout-1")
    assert (given_back.status, given_back.amount) == ("refunded", Decimal("4.00"))
    assert [entry.gateway_reference.split("_")[0] for entry in (held, taken, given_back)] == ["auth", "cap", "re"]


def test_the_same_key_gets_the_same_entry_and_records_nothing(ledger: Ledger) -> None:
    ledger.authorise(hold())
    asks: list[Callable[[], tuple[LedgerEntry, bool]]] = [
        lambda: ledger.authorise(hold()),
        lambda: ledger.capture(money("c", "10.00")),
        lambda: ledger.refund(money("r", "10.00")),
    ]
    for ask in asks:
        first, second = ask(), ask()
        assert second == (first[0], False)
    assert len(kinds(ledger)) == 3


@pytest.mark.parametrize(
    "again", [lambda ledger: ledger.authorise(hold(amount="11.00")), lambda ledger: ledger.capture(money("a", "10.00"))]
)
def test_a_key_used_for_something_else_is_refused(ledger: Ledger, again: Callable[[Ledger], object]) -> None:
    ledger.authorise(hold())

    with pytest.raises(Refused) as refused:
        again(ledger)
    assert code(refused) == ("key_reused", 422)
    assert len(kinds(ledger)) == 1


def test_a_declined_card_holds_nothing(ledger: Ledger) -> None:
    declined, _ = ledger.authorise(hold(token="pm_sandbox_declined"))

    assert (declined.status, declined.reason) == ("declined", "card_declined")
    for move in (ledger.capture, ledger.refund):
        with pytest.raises(Refused) as refused:
            move(money("x", "10.00"))
        assert code(refused) == ("not_authorised", 409)


def test_an_unknown_token_is_refused_and_the_known_ones_are_named(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="pm_sandbox_declined, pm_sandbox_ok, pm_sandbox_timeout") as refused:
        ledger.authorise(hold(token="4242424242424242"))
    assert code(refused) == ("unknown_token", 422)


def test_not_more_is_taken_than_was_held(ledger: Ledger) -> None:
    ledger.authorise(hold())
    ledger.capture(money("c1", "6.00"))

    with pytest.raises(Refused) as refused:
        ledger.capture(money("c2", "4.01"))
    assert code(refused) == ("exceeds_authorisation", 409)
    ledger.capture(money("c3", "4.00"))


def test_not_more_is_given_back_than_was_taken(ledger: Ledger) -> None:
    ledger.authorise(hold())
    ledger.capture(money("c", "6.00"))
    ledger.refund(money("r1", "5.00"))

    with pytest.raises(Refused) as refused:
        ledger.refund(money("r2", "1.01"))
    assert code(refused) == ("exceeds_capture", 409)


def test_held_money_that_was_let_go_cannot_be_taken(ledger: Ledger) -> None:
    ledger.authorise(hold())
    ledger.void(VoidRequest(key="v", authorisation_key="a"))

    with pytest.raises(Refused) as refused:
        ledger.capture(money("c", "1.00"))
    assert code(refused) == ("voided", 409)


def test_taken_money_cannot_be_let_go(ledger: Ledger) -> None:
    ledger.authorise(hold())
    ledger.capture(money("c", "1.00"))

    with pytest.raises(Refused) as refused:
        ledger.void(VoidRequest(key="v", authorisation_key="a"))
    assert code(refused) == ("captured", 409)


def test_a_void_before_its_authorisation_forbids_it(ledger: Ledger) -> None:
    void, _ = ledger.void(VoidRequest(key="v", authorisation_key="a"))
    late, _ = ledger.authorise(hold())

    assert (void.amount, void.currency) == (Decimal(0), NO_CURRENCY)
    assert (late.status, late.reason) == ("declined", "voided_before_authorisation")


def test_a_refused_operation_leaves_the_ledger_usable(ledger: Ledger) -> None:
    with pytest.raises(Refused):
        ledger.capture(money("c", "1.00"))

    assert ledger.authorise(hold())[1]


def test_entries_of_elsewhere_are_loaded_once(ledger: Ledger) -> None:
    entries = [
        Entry(key=f"k{n}", kind="authorisation", status="authorised", amount=Decimal(n), currency="GBP", reference="r",
              origin="import")
        for n in range(1, 4)
    ]  # fmt: skip

    assert ledger.load(entries[:2]) == 2
    assert ledger.load(entries) == 1
    assert [entry.origin for entry in ledger.page(0, 10)] == ["import"] * 3


def test_pages_are_in_the_order_of_commits(ledger: Ledger) -> None:
    for n in range(5):
        ledger.authorise(hold(key=f"k{n}"))

    first = ledger.page(0, 2)
    rest = ledger.page(first[-1].sequence, 10)
    assert [entry.key for entry in (*first, *rest)] == [f"k{n}" for n in range(5)]


MOVES = st.lists(st.tuples(st.sampled_from(["capture", "refund"]), st.integers(1, 1_500)), max_size=12)


@given(MOVES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_whatever_is_asked_nobody_gains(ledger: Ledger, moves: list[tuple[str, int]]) -> None:
    """0 <= given back <= taken <= held, to the cent."""
    run = len(kinds(ledger))
    held, _ = ledger.authorise(hold(key=f"auth-{run}"))
    done: list[LedgerEntry] = []
    for number, (kind, cents) in enumerate(moves):
        request = MoneyRequest(key=f"{run}-{number}", authorisation_key=held.key, amount=Decimal(cents) / 100)
        try:
            done.append((ledger.capture if kind == "capture" else ledger.refund)(request)[0])
        except Refused:
            continue
        taken, given_back = (
            sum((entry.amount for entry in done if entry.kind == side), Decimal(0)) for side in ("capture", "refund")
        )
        assert given_back <= taken <= held.amount
