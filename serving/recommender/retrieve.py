"""A few hundred candidates for a history: the best of the neighbours, of the sequence model and of popularity.

The definitions repeat training/recommender/models/retrieval.py; a test compares every number of the two, so a change of
one side alone fails it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.arrays import Floats, Ints, Mask
from serving.bundle.read import Bundle
from serving.recommender.assortment import Assortment


@dataclass(frozen=True)
class Seeds:
    """Distinct items the answer starts from, oldest first.

    ages_L: orders ago, 0 = newest. recent_L: seen in this session, not bought.
    """

    items_L: Ints
    ages_L: Ints
    recent_L: Mask

    def weights(self, decay: float) -> Floats:
        """decay ** age, as training weighs a history."""
        return (np.float32(decay) ** self.ages_L.astype(np.float32)).astype(np.float32)


@dataclass(frozen=True)
class Candidates:
    """items_C in index order. sequential_C: the sequence model put it among its best. inputs: bundle.SCORE_INPUTS ->
    float32 [C]."""

    items_C: Ints
    sequential_C: Mask
    inputs: dict[str, Floats]


def make_seeds(assortment: Assortment, items: Sequence[int], ages: Sequence[int], recent: Sequence[str]) -> Seeds:
    """Join the known history with the session: products just seen count as one order newer than all others.

    Products that are not in the models are left out; a product seen again moves to the end.
    """
    session = list(
        dict.fromkeys(
            reversed(
                [
                    assortment.index[p]
                    for p in recent
                    if assortment.index.get(p, assortment.modelled) < assortment.modelled
                ]
            )
        )
    )[::-1]
    seen, shift = set(session), 1 if session else 0
    history = [(item, age + shift) for item, age in zip(items, ages, strict=True) if item not in seen]
    rows = [*((item, age, False) for item, age in history), *((item, 0, True) for item in session)]
    return Seeds(
        np.array([row[0] for row in rows], dtype=np.int32),
        np.array([row[1] for row in rows], dtype=np.int32),
        np.array([row[2] for row in rows], dtype=bool),
    )


def item_to_item_scores(bundle: Bundle, seeds: Seeds) -> Floats:
    """score_N float32 over the bundle's items: decayed sum of the seeds' neighbour rows."""
    total_N = np.zeros(bundle.size, dtype=np.float32)
    if seeds.items_L.size:
        bundle.for_you.add_to(total_N, seeds.items_L, seeds.weights(bundle.meta.decay))
    return total_N


def propose(bundle: Bundle, allowed_N: Mask, seeds: Seeds, sequential_N: Floats | None, at_least: int) -> Candidates:
    """The union of the best allowed items of every retriever, with the ranker's retrieval inputs.

    at_least: how many the request needs; the recipe's numbers are raised to it.
    """
    counts = bundle.meta.candidates
    table_N = np.where(allowed_N, item_to_item_scores(bundle, seeds), np.float32(0))
    chosen_N, sequence_N = np.zeros(bundle.size, dtype=bool), np.zeros(bundle.size, dtype=bool)
    _mark(chosen_N, np.where(table_N > 0, table_N, -np.inf), max(counts.item_to_item, at_least))
    _mark(chosen_N, np.where(allowed_N, bundle.popularity_3N[0], -np.inf), max(counts.popularity, at_least))
    if sequential_N is not None:
        _mark(sequence_N, np.where(allowed_N, sequential_N, -np.inf), counts.sequential)
    items_C = np.flatnonzero(chosen_N | sequence_N).astype(np.int32)
    own_C = table_N[items_C]
    share_C = own_C / np.maximum(own_C.max(initial=0.0), np.float32(1e-9))
    popularity = [np.log((score_N[items_C] + 0.5) / (score_N.max(initial=0) + 0.5)) for score_N in bundle.popularity_3N]
    inputs = {
        "item_to_item": share_C,
        "item_to_item_log": np.log(share_C + 1e-3),
        "sequential": np.clip(sequential_N[items_C], -5, 15) if sequential_N is not None else np.zeros_like(share_C),
        "popularity_recent": popularity[0],
        "popularity_month": popularity[1],
        "popularity_all": popularity[2],
        "history_size": np.full(items_C.size, np.log1p(seeds.items_L.size)),
    }
    return Candidates(
        items_C, sequence_N[items_C], {name: np.asarray(values, dtype=np.float32) for name, values in inputs.items()}
    )


def best_of(score_N: Floats, count: int) -> Ints:
    """Indices of the `count` largest scores, best first, ties by the lower index."""
    if count >= score_N.size:
        return np.argsort(-score_N, kind="stable").astype(np.int32)
    border = np.partition(score_N, score_N.size - count)[score_N.size - count]
    inside = np.flatnonzero(score_N >= border)
    return inside[np.argsort(-score_N[inside], kind="stable")][:count].astype(np.int32)


def _mark(chosen_N: Mask, score_N: Floats, keep: int) -> None:
    """Mark the `keep` best finite entries."""
    best = best_of(score_N, keep)
    chosen_N[best[np.isfinite(score_N[best])]] = True
