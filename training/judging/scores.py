"""Scores of a model over cases -> per-case metrics, coverage, slices and paired comparisons."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.cases import Cases, masked
from training.data.datasets import Catalog, Floats, Scores
from training.judging.metrics import Interval, case_metrics, expected_ranks, interval, top_items

Scorer = Callable[[Cases], Scores]
BLOCK = 512


@dataclass(frozen=True)
class Judged:
    """One model on one set of cases: metric -> one value per case, target ranks, share of the catalog in any top 10."""

    values: dict[str, Floats]
    ranks: Floats
    coverage: float

    def summary(self, seed: int) -> dict[str, float]:
        """Means with 95 % bootstrap borders over cases, flat for JSON and MLflow."""
        result: dict[str, float] = {"cases": float(self.values["ndcg@10"].size), "coverage@10": self.coverage}
        for name, values in self.values.items():
            found = interval(values, seed)
            result |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
        return result


def judge(score: Scorer, cases: Cases, catalog: Catalog, removed: Cases | None = None) -> Judged:
    """Full ranking over all recommendable items. `removed`: cases whose history is taken out instead of the cases'
    own."""
    ranks: list[Floats] = []
    shown = np.zeros(len(catalog), dtype=bool)
    for start in range(0, len(cases), BLOCK):
        chosen = np.arange(start, min(start + BLOCK, len(cases)))
        part = cases.take(chosen)
        scores = masked(score(part), part if removed is None else removed.take(chosen), catalog)
        ranks.append(expected_ranks(scores, part.targets.owner(), part.targets.values.astype(np.int64)))
        best = top_items(scores, 10)
        shown[best[np.isfinite(np.take_along_axis(scores, best, axis=1))]] = True
    all_ranks = np.concatenate(ranks) if ranks else np.empty(0)
    values = case_metrics(all_ranks, cases.targets.owner(), len(cases))
    return Judged(values, all_ranks, float(shown.sum() / max(int(catalog.recommendable.sum()), 1)))


def gain(candidate: Judged, baseline: Judged, seed: int) -> Interval:
    """Paired interval of the NDCG@10 difference over the same cases; above zero = better."""
    return interval(candidate.values["ndcg@10"] - baseline.values["ndcg@10"], seed)


def cold_slices(judged: Judged, cases: Cases, bought_N: npt.NDArray[np.int64]) -> dict[str, float]:
    """Recall@10 and number of targets by how often a target was bought in training: 0, 1-3, 4-7, 8-20, 21 and more."""
    seen = bought_N[cases.targets.values]
    result: dict[str, float] = {}
    for name, low, high in (("0", 0, 0), ("1-3", 1, 3), ("4-7", 4, 7), ("8-20", 8, 20), ("21+", 21, 2**31)):
        inside = (seen >= low) & (seen <= high)
        if inside.any():
            result[f"target_bought_{name}_recall@10"] = float((judged.ranks[inside] < 10).mean())
            result[f"target_bought_{name}_targets"] = float(inside.sum())
    return result
