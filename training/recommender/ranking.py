"""The shipped path as a scorer, and its unbiased evaluation by cross-fitting."""

import numpy as np

from training.data.cases import Cases
from training.data.datasets import Scores
from training.judging.scores import Judged, judge
from training.recommender.models.ranker import Ranker, fit_ranker
from training.recommender.models.retrieval import CandidateSets, Retrieval, propose, scatter
from training.recommender.recipes import RankerRecipe


class RankedScorer:
    """Retrieve, rank, spread over all items: the shipped path as one scorer."""

    def __init__(self, retrieval: Retrieval, ranker: Ranker, recipe: RankerRecipe) -> None:
        self.retrieval, self.ranker, self.recipe = retrieval, ranker, recipe

    def __call__(self, cases: Cases) -> Scores:
        candidates = propose(self.retrieval, cases, self.recipe)
        return scatter(self.retrieval, cases, candidates, self.ranker.score(candidates.inputs))


def cross_fitted(
    retrieval: Retrieval, cases: Cases, candidates: CandidateSets, recipe: RankerRecipe, seed: int
) -> Judged:
    """Judge every case by the ranker of a fold that was not fitted on it."""
    fold = np.random.default_rng(seed).permutation(len(cases)) % recipe.folds
    scores = np.zeros(candidates.present.shape, dtype=np.float32)
    for number in range(recipe.folds):
        inside, outside = fold == number, fold != number
        part = CandidateSets(
            candidates.items[outside],
            candidates.present[outside],
            candidates.inputs[outside],
            candidates.relevant[outside],
        )
        ranker = fit_ranker(part, retrieval.inputs, recipe, seed)
        scores[inside] = ranker.score(candidates.inputs[inside])
    return judge_candidates(retrieval, cases, candidates, scores)


def judge_candidates(retrieval: Retrieval, cases: Cases, candidates: CandidateSets, scores_BC: Scores) -> Judged:
    """Judge scores already computed for the candidates of all cases."""
    position = 0

    def score(part: Cases) -> Scores:
        nonlocal position
        rows = slice(position, position + len(part))
        position += len(part)
        own = CandidateSets(
            candidates.items[rows], candidates.present[rows], candidates.inputs[rows], candidates.relevant[rows]
        )
        return scatter(retrieval, part, own, scores_BC[rows])

    return judge(score, cases, retrieval.catalog)


def propose_all(retrieval: Retrieval, cases: Cases, recipe: RankerRecipe, block: int = 512) -> CandidateSets:
    """`propose` in blocks, padded to one width."""
    parts = [
        propose(retrieval, cases.take(np.arange(s, min(s + block, len(cases)))), recipe)
        for s in range(0, len(cases), block)
    ]
    width = max(part.items.shape[1] for part in parts)

    def widened(part: CandidateSets) -> CandidateSets:
        extra = width - part.items.shape[1]
        pad = ((0, 0), (0, extra))
        return CandidateSets(
            np.pad(part.items, pad),
            np.pad(part.present, pad),
            np.pad(part.inputs, (*pad, (0, 0))),
            np.pad(part.relevant, pad),
        )

    wide = [widened(part) for part in parts]
    return CandidateSets(
        *(np.concatenate([getattr(part, name) for part in wide]) for name in ("items", "present", "inputs", "relevant"))
    )
