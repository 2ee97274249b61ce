"""Which model ships: every contender is judged on the same validation cases."""

from dataclasses import dataclass

import numpy as np

from training.data.cases import Cases
from training.judging.metrics import Interval
from training.judging.scores import Judged, gain, judge
from training.recommender.models.ranker import Ranker, fit_ranker
from training.recommender.models.retrieval import Retrieval
from training.recommender.ranking import cross_fitted, propose_all
from training.recommender.recipes import Recipe


@dataclass(frozen=True)
class Verdict:
    """The results on validation.

    gains: paired NDCG@10 intervals over item-to-item; for `sequential`, of the ranker with it over the ranker without.
    """

    shipped: str
    with_sequential: bool
    gains: dict[str, Interval]
    judged: dict[str, Judged]
    ranker: Ranker
    popularity: int


def decide(plain: Retrieval, full: Retrieval | None, cases: Cases, recipe: Recipe) -> Verdict:
    """Judge every contender on the same validation cases; choose the simplest one that no other beats with an interval
    above zero.
    """
    catalog, seed = plain.catalog, recipe.seed
    baseline = strongest_popularity(plain, cases)
    judged = {
        "popularity": judge(plain.popularity[baseline].score, cases, catalog),
        "item_to_item": judge(plain.item_to_item.score, cases, catalog),
    }
    candidates = propose_all(plain, cases, recipe.ranker)
    judged["ranker_without_sequential"] = cross_fitted(plain, cases, candidates, recipe.ranker, seed)
    gains = {"ranker_without_sequential": gain(judged["ranker_without_sequential"], judged["item_to_item"], seed)}
    best, with_sequential, kept = "ranker_without_sequential", False, (plain, candidates)
    if full is not None and full.sequential is not None:
        judged["sequential"] = judge(full.sequential.score, cases, catalog)
        gains["sequential"] = gain(judged["sequential"], judged["item_to_item"], seed)
        more = propose_all(full, cases, recipe.ranker)
        judged["ranker_with_sequential"] = cross_fitted(full, cases, more, recipe.ranker, seed)
        gains["sequential_in_ranker"] = gain(judged["ranker_with_sequential"], judged[best], seed)
        gains["ranker_with_sequential"] = gain(judged["ranker_with_sequential"], judged["item_to_item"], seed)
        if gains["sequential_in_ranker"].low > 0:
            best, with_sequential, kept = "ranker_with_sequential", True, (full, more)
    shipped = "ranker" if gains[best].low > 0 else "item_to_item"
    ranker = fit_ranker(kept[1], kept[0].inputs, recipe.ranker, seed)
    return Verdict(shipped, with_sequential and shipped == "ranker", gains, judged, ranker, baseline)


def strongest_popularity(retrieval: Retrieval, cases: Cases) -> int:
    """Which of the three popularities is the baseline: the best on validation, so that the baseline is not weak."""
    return int(
        np.argmax([judge(one.score, cases, retrieval.catalog).values["ndcg@10"].mean() for one in retrieval.popularity])
    )


def validation_metrics(verdict: Verdict, seed: int) -> dict[str, float]:
    """Flat metrics of every contender and every paired gain."""
    metrics = {
        f"validation/{name}/{key}": value
        for name, judged in verdict.judged.items()
        for key, value in judged.summary(seed).items()
    }
    for name, found in verdict.gains.items():
        metrics |= {f"gain/{name}": found.mean, f"gain/{name}_low": found.low, f"gain/{name}_high": found.high}
    return metrics
