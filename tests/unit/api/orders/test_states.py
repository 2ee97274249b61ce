"""The order state machine: every state is reached, ends are ends, and a step that it lacks cannot be written."""

from itertools import product
from typing import get_args
from uuid import uuid4

import pytest

from api.orders.schemas import AdvanceOrder, OrderStatus, ParcelStatus
from api.orders.statements import Step
from api.orders.states import CANCELLABLE, EVENT_OF, ORDER_STATES, PARCEL_STATES, SOLD_STATES, TRANSITIONS, may_follow


def test_every_state_is_reached_from_pending_and_two_are_final() -> None:
    reached, waiting = {"pending"}, ["pending"]
    while waiting:
        new = TRANSITIONS[waiting.pop()] - reached
        reached |= new
        waiting += new

    assert reached == set(PARCEL_STATES)
    assert {state for state in PARCEL_STATES if not TRANSITIONS[state]} == {"cancelled", "refunded"}


def test_only_what_is_not_on_its_way_can_be_cancelled() -> None:
    assert {"pending", "backordered", "confirmed", "processing"} == CANCELLABLE
    assert set(ORDER_STATES) - {"pending", "cancelled"} == SOLD_STATES


def test_states_events_and_the_wire_name_the_same_things() -> None:
    assert set(EVENT_OF) == set(ORDER_STATES) == set(get_args(OrderStatus))
    assert set(get_args(ParcelStatus)) == set(PARCEL_STATES)
    assert len(set(EVENT_OF.values())) == len(ORDER_STATES)
    assert set(get_args(AdvanceOrder.model_fields["status"].annotation)) == {"processing", "shipped", "delivered"}


@pytest.mark.parametrize(("before", "after"), list(product(ORDER_STATES, repeat=2)))
def test_a_step_is_written_only_when_the_state_machine_has_it(before: str, after: str) -> None:
    if may_follow(before, after):
        event = Step(uuid4(), before, after, "service").event()
        assert (event.event_type, event.payload["from"], event.payload["to"]) == (EVENT_OF[after], before, after)
    else:
        with pytest.raises(ValueError, match=f"never goes from {before} to {after}"):
            Step(uuid4(), before, after, "service")
