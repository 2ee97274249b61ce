"""All retrieval models of one moment, the candidates they propose and the ranker's inputs for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.cases import Cases, masked
from training.data.datasets import GUEST, Catalog, FeatureTable, Floats, Mask, Scores
from training.judging.metrics import top_items
from training.recommender.models.item_to_item import ItemToItem
from training.recommender.models.popularity import Popularity
from training.recommender.models.sequential import SequentialFit
from training.recommender.recipes import RankerRecipe

SCORE_INPUTS = (
    "item_to_item",
    "item_to_item_log",
    "sequential",
    "popularity_recent",
    "popularity_month",
    "popularity_all",
    "history_size",
)
"""Ranker inputs computed from retrieval, in order; the feature columns follow. README.md defines each so that serving
can repeat them."""


@dataclass(frozen=True)
class Retrieval:
    """Models fitted on the same events. popularity: recent, month, all time."""

    catalog: Catalog
    item_to_item: ItemToItem
    sequential: SequentialFit | None
    popularity: tuple[Popularity, Popularity, Popularity]
    features: FeatureTable | None
    user_ids: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the ranker's inputs in order: retrieval scores, then feature columns."""
        return SCORE_INPUTS + (self.features.columns if self.features else ())


@dataclass(frozen=True)
class CandidateSets:
    """The candidates of each case: items_BC int64 (0 where absent), present_BC, inputs_BCF float32, relevant_BC float32
    (1 = a target).
    """

    items: npt.NDArray[np.int64]
    present: Mask
    inputs: npt.NDArray[np.float32]
    relevant: Scores


def propose(retrieval: Retrieval, cases: Cases, recipe: RankerRecipe) -> CandidateSets:
    """The union of the best of every model, with the ranker's inputs."""
    table = masked(retrieval.item_to_item.score(cases), cases, retrieval.catalog)
    recent = masked(retrieval.popularity[0].score(cases), cases, retrieval.catalog)
    chosen = np.zeros(table.shape, dtype=bool)
    _mark(chosen, np.where(table > 0, table, -np.inf), recipe.from_item_to_item)
    _mark(chosen, recent, recipe.from_popularity)
    sequence: Scores | None = None
    if retrieval.sequential is not None:
        sequence = retrieval.sequential.score(cases)
        _mark(chosen, masked(sequence, cases, retrieval.catalog), recipe.from_sequential)
    width = max(int(chosen.sum(axis=1).max(initial=1)), 1)
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    present = np.take_along_axis(chosen, order, axis=1)
    relevant = np.zeros(table.shape, dtype=np.float32)
    relevant[cases.targets.owner(), cases.targets.values] = 1.0
    scores = _score_inputs(retrieval, cases, order, present, table=table, sequence=sequence)
    columns = feature_inputs(retrieval.features, retrieval.catalog.product_ids, retrieval.user_ids, cases, order)
    inputs = np.concatenate([scores, columns], axis=2)
    return CandidateSets(order, present, inputs, np.take_along_axis(relevant, order, axis=1) * present)


def _mark(chosen_BN: Mask, scores_BN: Scores, keep: int) -> None:
    """Mark the `keep` best finite entries of every row."""
    best = top_items(scores_BN, keep)
    rows = np.arange(best.shape[0])[:, None]
    chosen_BN[rows, best] |= np.isfinite(scores_BN[rows, best])


def _score_inputs(
    retrieval: Retrieval,
    cases: Cases,
    items: npt.NDArray[np.int64],
    present: Mask,
    *,
    table: Scores,
    sequence: Scores | None,
) -> Scores:
    """[B, C, len(SCORE_INPUTS)] float32, in the order of SCORE_INPUTS."""
    rows = np.arange(items.shape[0])[:, None]
    own = np.where(present, np.maximum(table[rows, items], 0), 0)
    share = own / np.maximum(own.max(axis=1, keepdims=True), 1e-9)
    parts = [share, np.log(share + 1e-3)]
    parts.append(np.clip(sequence[rows, items], -5, 15) if sequence is not None else np.zeros_like(share))
    for popularity in retrieval.popularity:
        score_N = popularity.score_N
        parts.append(np.log((score_N[items] + 0.5) / (score_N.max(initial=0) + 0.5)))
    size = np.log1p(np.diff(cases.history.starts).astype(np.float32))
    parts.append(np.broadcast_to(size[:, None], share.shape))
    return np.stack(parts, axis=2).astype(np.float32)


def feature_inputs(
    features: FeatureTable | None,
    product_ids: Sequence[str],
    user_ids: Sequence[str],
    cases: Cases,
    items_BC: npt.NDArray[np.int64],
) -> Scores:
    """[B, C, F] float32 in column order, every value as of the cases' moment; a guest is a shopper without a row."""
    if features is None:
        return np.zeros((*items_BC.shape, 0), dtype=np.float32)
    products_NF = features.as_of("product", product_ids, cases.moment)
    users_BF = features.as_of("user", ["" if user == GUEST else user_ids[user] for user in cases.users], cases.moment)
    parts, product, user = [], 0, 0
    for entity in features.entities:
        if entity == "product":
            parts.append(products_NF[items_BC, product])
            product += 1
        else:
            parts.append(np.broadcast_to(users_BF[:, user][:, None], items_BC.shape))
            user += 1
    return np.stack(parts, axis=2).astype(np.float32) if parts else np.zeros((*items_BC.shape, 0), dtype=np.float32)


def scatter(retrieval: Retrieval, cases: Cases, candidates: CandidateSets, scores_BC: Scores) -> Scores:
    """Candidate scores over all items [B, N]: other items follow after all candidates, in item-to-item order."""
    rest = retrieval.item_to_item.score(cases)
    dense = np.asarray(rest / np.maximum(rest.max(axis=1, keepdims=True), 1e-9) - 1e4, dtype=np.float32)
    rows, places = np.nonzero(candidates.present)
    dense[rows, candidates.items[rows, places]] = scores_BC[rows, places]
    return dense


def half_lives(values: Sequence[float]) -> tuple[float, float, None]:
    """(recent, month, none) from a recipe's two numbers."""
    recent, month = values
    return recent, month, None


def log_scaled(values: Floats) -> Floats:
    """sign(x) * log1p(|x|): makes counts and amounts with long tails comparable; applied to feature columns."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
