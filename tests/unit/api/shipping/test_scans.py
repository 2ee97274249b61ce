"""Where a parcel is follows from the set of its scans: whatever the order in which they arrive, and however often."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.orders.states import TRANSITIONS, may_follow
from api.shipping.scans import CARRIAGES, SCAN_KINDS, Carriage, Scan, ScanKind, carriage_of, delivered_at, steps_of

START = datetime(2026, 11, 27, 8, tzinfo=UTC)


def scan(kind: ScanKind, hour: int, event_id: str = "") -> Scan:
    return Scan(event_id or f"{kind}-{hour}", "SBX1", kind, START + timedelta(hours=hour))


SCANS = st.lists(
    st.builds(scan, st.sampled_from(SCAN_KINDS), st.integers(0, 5), st.integers(0, 99).map(str)), max_size=7
)


def after(received: Iterable[Scan], rule: Callable[[Iterable[Scan]], Carriage | None]) -> tuple[str, Carriage | None]:
    """A packed parcel whose scans arrive one after the other, each with all before it; where it ends."""
    status, known = "processing", set[Scan]()
    carriage = None
    for one in received:
        known.add(one)
        carriage = rule(known)
        for step in steps_of(status, carriage):
            assert may_follow(status, step)
            status = step
    return status, carriage


@given(SCANS, st.data())
def test_the_order_of_arrival_and_repeats_change_nothing(scans: list[Scan], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(scans + scans))

    assert after(shuffled, carriage_of) == after(scans, carriage_of)


def test_a_rule_that_believes_the_newest_message_depends_on_the_order() -> None:
    """The negative control: what came last is not what happened last."""
    came: list[Scan] = []

    def newest_message(known: Iterable[Scan]) -> Carriage | None:
        came.extend(one for one in known if one not in came)
        return carriage_of(came[-1:])

    way = [scan("accepted", 0), scan("out_for_delivery", 2), scan("lost", 1)]
    ends, right = set(), set()
    for order in permutations(way):
        came.clear()
        ends.add(after(order, newest_message))
        right.add(after(order, carriage_of))
    assert (len(ends) > 1, right) == (True, {("shipped", "out_for_delivery")})


@pytest.mark.parametrize(
    ("kinds", "carriage"),
    [
        ([], None),
        (["accepted"], "in_transit"),
        (["accepted", "in_transit", "out_for_delivery"], "out_for_delivery"),
        (["accepted", "exception"], "exception"),
        (["accepted", "exception", "in_transit"], "in_transit"),
        (["accepted", "lost"], "lost"),
        (["accepted", "lost", "in_transit"], "in_transit"),
        (["accepted", "lost", "delivered"], "delivered"),
        (["delivered", "exception"], "delivered"),
    ],
)
def test_the_last_word_counts_and_delivered_is_final(kinds: list[ScanKind], carriage: Carriage | None) -> None:
    assert carriage_of(scan(kind, hour) for hour, kind in enumerate(kinds)) == carriage


def test_a_parcel_arrived_when_it_was_first_said_to() -> None:
    assert delivered_at([scan("delivered", 3), scan("accepted", 0), scan("delivered", 2)]) == START + timedelta(hours=2)
    assert delivered_at([scan("accepted", 0)]) is None


@pytest.mark.parametrize("status", TRANSITIONS)
@pytest.mark.parametrize("carriage", [None, *CARRIAGES])
def test_only_a_packed_parcel_is_moved_and_only_along_the_state_machine(status: str, carriage: Carriage | None) -> None:
    steps = steps_of(status, carriage)
    for step in steps:
        assert may_follow(status, step)
        status = step
    if carriage is None or status not in {"processing", "shipped", "delivered"}:
        assert steps == ()
    assert status != "processing" or carriage is None
