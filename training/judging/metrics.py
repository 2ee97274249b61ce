"""Full-ranking metrics with expected ranks for ties, and bootstrap intervals over cases (users or baskets)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.datasets import Floats, Scores

CUTOFFS = (5, 10)


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval over cases."""

    mean: float
    low: float
    high: float


def expected_ranks(scores_BN: Scores, rows: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]) -> Floats:
    """Zero-based rank of each (row, target) among all items of its row.

    With ties the rank is the number of greater scores plus half of the other equal ones. Items that may not be shown
    have score -inf; a target at -inf gets rank inf.
    """
    ranks = np.empty(targets.size, dtype=np.float64)
    for start in range(0, targets.size, 512):
        part = slice(start, start + 512)
        table = scores_BN[rows[part]]
        own = scores_BN[rows[part], targets[part]][:, None]
        greater = np.count_nonzero(table > own, axis=1)
        equal = np.count_nonzero(table == own, axis=1)
        ranks[part] = np.where(np.isneginf(own[:, 0]), np.inf, greater + (equal - 1) / 2)
    return ranks


def case_metrics(ranks: Floats, owner: npt.NDArray[np.int64], cases: int) -> dict[str, Floats]:
    """Per-case Recall@k and NDCG@k from target ranks; `owner[t]` is the case of target t, every case owns at least one.

    Recall@k = hits / targets; NDCG@k divides by the best possible order of that many targets.
    """
    size = np.bincount(owner, minlength=cases).astype(np.float64)
    result: dict[str, Floats] = {}
    for k in CUTOFFS:
        hit = ranks < k
        gain = np.where(hit, 1.0 / np.log2(np.where(hit, ranks, 0.0) + 2.0), 0.0)
        ideal = np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))
        result[f"recall@{k}"] = np.bincount(owner, hit.astype(np.float64), cases) / size
        result[f"ndcg@{k}"] = np.bincount(owner, gain, cases) / ideal[np.minimum(size, k).astype(np.int64) - 1]
    return result


def interval(values: Floats, seed: int, draws: int = 1000) -> Interval:
    """Mean with a 95 % percentile bootstrap over cases; paired comparison = interval of the per-case difference."""
    if values.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    generator = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        means[draw] = values[generator.integers(0, values.size, values.size)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def top_items(scores_BN: Scores, k: int) -> npt.NDArray[np.int64]:
    """Item indices [B, k], best first; ties by item index, so that the list is reproducible."""
    k = min(k, scores_BN.shape[1])
    part = np.argpartition(-scores_BN, k - 1, axis=1)[:, :k]
    part.sort(axis=1)
    order = np.argsort(-np.take_along_axis(scores_BN, part, axis=1), axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1)
