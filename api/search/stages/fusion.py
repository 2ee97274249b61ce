"""The order of a search's first results from all that is known of them. Pure: evaluation calls it too."""

from collections.abc import Sequence

from api.search import weights


def fused(
    relevance: Sequence[float], similarity: Sequence[float | None] | None, affinity: Sequence[float] | None
) -> list[float]:
    """A score for each result, comparable within the list only.

    `relevance`: the engine's scores. `similarity`: cosines of query and product, None for a product without a vector,
    which then counts as its relevance does among the others. `affinity`: 0 to 1, how much a product is the shopper's.
    Without either, the order of `relevance`.
    """
    scores = _shares(relevance)
    if similarity is not None:
        known = [near for near in similarity if near is not None]
        low, high = min(known, default=0.0), max(known, default=0.0)
        if high > low:
            near_to = [
                share if near is None else (near - low) / (high - low)
                for near, share in zip(similarity, scores, strict=True)
            ]
            scores = [
                (1 - weights.SEMANTIC) * share + weights.SEMANTIC * near
                for share, near in zip(scores, near_to, strict=True)
            ]
    if affinity is not None:
        bonus = weights.MOST_PERSONAL - 1
        scores = [score * (1 + bonus * min(max(own, 0.0), 1.0)) for score, own in zip(scores, affinity, strict=True)]
    return scores


def order_of(scores: Sequence[float], full: int | None = None) -> list[int]:
    """Places by falling score; among equals, the order they came in. The first `full` places, which have every word
    that is asked for, stay before the others."""
    border = len(scores) if full is None else full
    return sorted(range(len(scores)), key=lambda place: (place >= border, -scores[place]))


def _shares(relevance: Sequence[float]) -> list[float]:
    """Of the best one's score. Scores of the engine are never negative."""
    best = max(relevance, default=0.0)
    return [score / best if best > 0 else 1.0 for score in relevance]
