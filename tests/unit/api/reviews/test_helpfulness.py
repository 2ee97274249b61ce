"""The order of reviews by votes."""

import pytest

from api.reviews.votes.helpfulness import wilson


@pytest.mark.parametrize(
    ("helpful", "not_helpful", "bound"),
    [(0, 0, 0.0), (1, 0, 0.2065), (40, 10, 0.6696), (0, 5, 0.0), (500, 500, 0.4691)],
)
def test_the_lower_bound_is_wilsons(helpful: int, not_helpful: int, bound: float) -> None:
    assert round(wilson(helpful, not_helpful), 4) == bound


def test_more_votes_of_the_same_share_stand_above_fewer() -> None:
    bounds = [wilson(4 * n, n) for n in (1, 10, 100, 1_000_000)]
    assert bounds == sorted(bounds)
    assert all(0 <= bound < 0.8 for bound in bounds)
