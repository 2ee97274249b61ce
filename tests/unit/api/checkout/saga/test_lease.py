"""How long a lease lasts after a commit, and what a checkout without a plan answers."""

import pytest

from api.checkout.saga.lease import MAX_BACKOFF_SECONDS, lease_seconds
from api.checkout.saga.transitions import Outcome, step
from tests.unit.api.checkout.checkouts import PLAN, checkout_at


@pytest.mark.parametrize("inline", [True, False])
def test_a_move_keeps_the_normal_lease(inline: bool) -> None:
    move = step("created", Outcome.AUTHORISED)
    assert lease_seconds(checkout_at("created"), move, 30, inline=inline) == 30


def test_a_buyers_request_leaves_the_void_to_the_worker_at_once() -> None:
    move = step("created", Outcome.UNREACHABLE)
    assert move.point == "compensating"
    assert lease_seconds(checkout_at("created"), move, 30, inline=True) == 0
    assert lease_seconds(checkout_at("created"), move, 30, inline=False) == 30


@pytest.mark.parametrize("point", ["confirmed", "compensating"])
def test_a_silent_gateway_is_asked_again_later_and_later(point: str) -> None:
    move = step(point, Outcome.UNREACHABLE)
    pauses = [lease_seconds(checkout_at(point, attempts=n), move, 30, inline=False) for n in range(1, 9)]
    assert pauses == [1, 2, 4, 8, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS]
    assert lease_seconds(checkout_at(point, attempts=10_000), move, 30, inline=True) == MAX_BACKOFF_SECONDS


def test_a_checkout_has_its_plan_unless_an_earlier_version_left_it_without_one() -> None:
    started = checkout_at("started")
    with pytest.raises(AssertionError, match="has no plan"):
        _ = started.settled_plan
    assert started.plan is None
    created = checkout_at("created")
    assert (created.point, created.settled_plan) == ("created", PLAN)
    assert created.at("confirmed").settled_plan == PLAN
