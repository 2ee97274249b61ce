"""Measures of a ranking, as functions of its gains.

Gains are linear: a product of gain 1 counts twice as much as one of .5. A product that nobody judged has none.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

DEPTH = 10


def ndcg(gains: Sequence[float], judged: Iterable[float], depth: int = DEPTH) -> float:
    """Discounted gain of the first `depth` of a ranking over that of the best one. `gains`: of the ranking, the first
    place first; `judged`: of every judged product of the query. Raises: ValueError when none has a gain."""
    best = _discounted(sorted(judged, reverse=True)[:depth])
    if not best:
        raise ValueError("no product has a gain: NDCG is not defined")
    return _discounted(gains[:depth]) / best


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def gains_of(ranking: Iterable[str], judgements: Mapping[str, float]) -> list[float]:
    """The gain in each place; 0 for a product that was not judged."""
    return [judgements.get(product, 0.0) for product in ranking]


def gains_of_all(ranking: Sequence[str], judgements: Mapping[str, float]) -> list[float]:
    """As `gains_of` for a ranking of judged products, followed by those that it lacks: in no order, so in each of
    their places stands what is expected there, their mean."""
    ranked = set(ranking)
    left = [gain for product, gain in judgements.items() if product not in ranked]
    return (
        gains_of(ranking, judgements) + [sum(left) / len(left)] * len(left) if left else gains_of(ranking, judgements)
    )


def reciprocal_rank(gains: Sequence[float]) -> float:
    """1 over the first place with a gain; 0 when there is none."""
    return next((1 / place for place, gain in enumerate(gains, 1) if gain > 0), 0.0)


def recall(gains: Sequence[float], judged: Iterable[float], depth: int) -> float:
    """The share of the products with a gain that is among the first `depth`. Raises: ValueError when none has one."""
    wanted = sum(gain > 0 for gain in judged)
    if not wanted:
        raise ValueError("no product has a gain: recall is not defined")
    return sum(gain > 0 for gain in gains[:depth]) / wanted


def mean(values: Sequence[float]) -> float:
    """Raises: ValueError when there are none."""
    if not values:
        raise ValueError("the mean of no values is not defined")
    return math.fsum(values) / len(values)
