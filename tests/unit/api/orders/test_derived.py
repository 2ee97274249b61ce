"""An order's status from its parcels: each rule by example, and every order that parcels can make goes forward."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import combinations_with_replacement
from typing import NamedTuple

import pytest

from api.kernel.ids import new_id
from api.orders.parcels.derived import Standing, order_status, passed, steps_between
from api.orders.parcels.packing import latest_of, numbered, waits_for
from api.orders.states import ORDER_STATES, TRANSITIONS, may_follow

FULFILMENT = ("pending", "confirmed", "processing", "shipped", "delivered")


@pytest.mark.parametrize(
    ("parcels", "status"),
    [
        (["pending", "pending"], "pending"),
        (["confirmed", "pending"], "pending"),
        (["confirmed", "confirmed"], "confirmed"),
        (["processing", "confirmed"], "processing"),
        (["shipped", "confirmed"], "processing"),
        (["delivered", "confirmed"], "processing"),
        (["delivered", "processing"], "processing"),
        (["shipped", "shipped"], "shipped"),
        (["delivered", "shipped"], "shipped"),
        (["delivered", "delivered"], "delivered"),
        (["cancelled", "cancelled"], "cancelled"),
        (["cancelled", "confirmed"], "confirmed"),
        (["cancelled", "processing"], "processing"),
        (["cancelled", "shipped"], "shipped"),
        (["cancelled", "delivered"], "delivered"),
        (["return_requested", "return_requested"], "return_requested"),
        (["refunded", "refunded", "cancelled"], "refunded"),
        (["return_requested", "delivered"], "delivered"),
        (["refunded", "shipped"], "shipped"),
        (["refunded", "confirmed"], "processing"),
    ],
)
def test_an_order_is_where_its_parcels_are(parcels: list[str], status: str) -> None:
    assert order_status(Standing(parcel) for parcel in parcels) == status
    assert order_status(Standing(parcel) for parcel in reversed(parcels)) == status


def test_work_that_was_begun_counts_after_its_parcel_is_cancelled() -> None:
    begun, untouched = Standing("cancelled", begun=True), Standing("confirmed")

    assert order_status([begun, untouched]) == "processing"
    assert order_status([Standing("cancelled"), untouched]) == "confirmed"


@pytest.mark.parametrize(
    ("left", "status"),
    [
        ([], "shipped"),
        (["cancelled"], "shipped"),
        (["delivered"], "delivered"),
        (["shipped"], "shipped"),
        (["confirmed"], "processing"),
        (["return_requested"], "return_requested"),
    ],
)
def test_an_order_waits_no_more_for_a_parcel_that_was_lost(left: list[str], status: str) -> None:
    lost = Standing("shipped", begun=True, lost=True)

    assert order_status([lost, *map(Standing, left)]) == status
    assert order_status([*map(Standing, left), lost]) == status


@pytest.mark.parametrize("status", ORDER_STATES)
def test_an_order_of_one_parcel_has_its_status(status: str) -> None:
    assert order_status([Standing(status, begun=status not in {"pending", "confirmed"})]) == status


def moved(parcel: Standing, status: str) -> Standing:
    return Standing(status, parcel.begun or status == "processing")


def steps_of(parcel: Standing) -> Iterator[Standing]:
    """What may become of a parcel up to its delivery."""
    if parcel.lost:
        return
    if parcel.status == "shipped":
        yield replace(parcel, lost=True)
    for status in TRANSITIONS[parcel.status] & {*FULFILMENT, "cancelled"}:
        yield moved(parcel, status)


class Reached(NamedTuple):
    """Sets of parcels, in the order of their states, from which a step of one is taken."""

    orders: set[tuple[Standing, ...]]
    steps: set[tuple[str, str]]


def explored(parcels: int) -> Reached:
    """Every set of parcels that steps of single parcels, up to delivery, make of a confirmed order, and the steps of
    the order."""
    start = (Standing("confirmed"),) * parcels
    found, waiting, steps = {start}, [start], set()
    while waiting:
        order = waiting.pop()
        for place, parcel in enumerate(order):
            for next_one in steps_of(parcel):
                after = (*order[:place], next_one, *order[place + 1 :])
                steps.add((order_status(order), order_status(after)))
                after = tuple(sorted(after, key=lambda one: (one.status, one.begun, one.lost)))
                if after not in found:
                    found.add(after)
                    waiting.append(after)
    return Reached(found, steps)


def test_every_step_of_a_parcel_takes_its_order_along_the_state_machine() -> None:
    reached = explored(4)

    assert len(reached.orders) > 100
    for before, after in reached.steps:
        path = steps_between(before, after)
        assert all(may_follow(*step) for step in path)
        assert [step[0] for step in path[1:]] == [step[1] for step in path[:-1]]
        assert (path == ()) == (before == after)
    assert ("processing", "delivered") in reached.steps
    assert steps_between("processing", "delivered") == (("processing", "shipped"), ("shipped", "delivered"))


def test_without_what_was_begun_an_order_would_go_back() -> None:
    """The negative control: the steps of a function that forgets `begun` leave the state machine."""
    begun = [Standing("processing", begun=True), Standing("confirmed")]
    forgotten = order_status([Standing("cancelled"), Standing("confirmed")])

    assert (order_status(begun), forgotten) == ("processing", "confirmed")
    with pytest.raises(ValueError, match="never goes from processing to confirmed"):
        steps_between("processing", forgotten)


@pytest.mark.parametrize("before", ORDER_STATES)
@pytest.mark.parametrize("after", ORDER_STATES)
def test_there_is_no_way_but_along_the_state_machine(before: str, after: str) -> None:
    forward = before in FULFILMENT and after in FULFILMENT and FULFILMENT.index(before) < FULFILMENT.index(after)
    if before == after or may_follow(before, after) or forward:
        assert all(may_follow(*step) for step in steps_between(before, after))
    else:
        with pytest.raises(ValueError, match=f"never goes from {before} to {after}"):
            steps_between(before, after)


@pytest.mark.parametrize("status", ORDER_STATES)
@pytest.mark.parametrize("wanted", FULFILMENT[2:])
def test_what_has_passed_a_step_needs_it_no_more(status: str, wanted: str) -> None:
    assert passed(status, wanted) != (status in FULFILMENT and FULFILMENT.index(status) < FULFILMENT.index(wanted))


def test_parcels_are_numbered_in_the_order_of_their_lines() -> None:
    assert numbered(["b1", "a1", "b1", "a2"]) == {"b1": 1, "a1": 2, "a2": 3}


def test_all_small_sets_of_parcels_have_a_status() -> None:
    for parcels in combinations_with_replacement(ORDER_STATES, 3):
        assert order_status(Standing(parcel) for parcel in parcels) in ORDER_STATES


def test_parcels_of_one_seller_wait_for_those_that_are_not_begun() -> None:
    mine, theirs = new_id(), new_id()
    parcels = [(1, mine, "processing"), (2, mine, "confirmed"), (3, theirs, "confirmed"), (4, mine, "cancelled")]

    assert waits_for("together", mine, parcels) == [2]
    assert waits_for("as_ready", mine, parcels) == []
    assert waits_for("together", mine, [(1, mine, "processing"), (2, mine, "shipped"), (3, theirs, "pending")]) == []


def test_parcels_that_wait_for_each_other_come_by_the_latest_day_of_their_seller() -> None:
    mine, theirs, near, far = new_id(), new_id(), new_id(), new_id()
    promises = {(mine, near): date(2026, 3, 2), (mine, far): date(2026, 3, 9), (theirs, near): date(2026, 3, 3)}

    latest = latest_of(promises)

    assert latest == {(mine, near): date(2026, 3, 9), (mine, far): date(2026, 3, 9), (theirs, near): date(2026, 3, 3)}
