"""Behaviour events: which a batch may hold."""

import pytest
from pydantic import ValidationError

from api.events.schemas import MAX_EVENTS, BehaviourEvent, EventBatch

PRODUCT = "01890000-0000-7000-8000-000000000001"


def event(**fields: object) -> BehaviourEvent:
    return BehaviourEvent.model_validate({"type": "view", "productId": PRODUCT, **fields})


def test_an_event_about_a_product_and_one_about_a_query() -> None:
    seen = event(source="search", position=3, occurredAt="2026-01-01T00:00:00+01:00")
    assert (str(seen.product_id), seen.position) == (PRODUCT, 3)
    assert seen.occurred_at is not None
    assert seen.occurred_at.utcoffset() is not None
    assert BehaviourEvent.model_validate({"type": "search", "query": "lamp"}).product_id is None


@pytest.mark.parametrize("kind", ["view", "click", "impression", "addToCart", "purchase"])
def test_an_event_without_its_product_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"{kind} needs a productId"):
        BehaviourEvent.model_validate({"type": kind, "query": "lamp"})


def test_a_search_without_its_query_is_refused() -> None:
    with pytest.raises(ValidationError, match="a search needs its query"):
        BehaviourEvent.model_validate({"type": "search", "productId": PRODUCT})


@pytest.mark.parametrize(
    "field",
    [
        {"type": "stare"}, {"productId": "7"}, {"occurredAt": "2026-01-01T00:00:00"}, {"quantity": 0}, {"quantity": -1},
        {"position": -1}, {"position": 100_001}, {"sessionId": "a b"}, {"sessionId": "short"}, {"source": ""},
        {"source": "a\nb"}, {"campaign": "x" * 101}, {"surprise": 1}, {"eventId": "x"}, {"orderId": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_field_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        event(**field)


@pytest.mark.parametrize(("count", "accepted"), [(0, False), (1, True), (MAX_EVENTS, True), (MAX_EVENTS + 1, False)])
def test_a_batch_holds_at_least_one_and_at_most_the_bound(count: int, accepted: bool) -> None:
    body = {"events": [{"type": "view", "productId": PRODUCT}] * count}
    if accepted:
        assert len(EventBatch.model_validate(body).events) == count
    else:
        with pytest.raises(ValidationError):
            EventBatch.model_validate(body)
