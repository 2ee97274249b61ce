"""Recency-weighted popularity: the baseline of every table and the last fallback of serving."""

from dataclasses import dataclass

import numpy as np

from training.data.cases import Cases
from training.data.datasets import Events, Scores


@dataclass(frozen=True)
class Popularity:
    """score_N float32: sum over orders that hold the item of 2 ** (-age / half life)."""

    score_N: Scores

    def score(self, cases: Cases) -> Scores:
        """The same row for every case."""
        return np.broadcast_to(self.score_N, (len(cases), self.score_N.size))


def fit_popularity(events: Events, items: int, half_life_days: float | None) -> Popularity:
    """Count orders per item; the newest has the largest weight. None = no decay."""
    weights = recency(events, half_life_days)
    return Popularity(np.bincount(events.item, weights, items).astype(np.float32))


def recency(events: Events, half_life_days: float | None) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weight of every line, 1 at the newest event."""
    if half_life_days is None or not len(events):
        return np.ones(len(events))
    return np.exp2(-(events.time.max() - events.time) / half_life_days)
