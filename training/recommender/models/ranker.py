"""The ranker: a small listwise network over retrieval scores and feature columns, kept as plain arrays.

Suffixes: B cases, C candidates, F inputs, H hidden units.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from training.data.datasets import Scores
from training.recommender.losses import listwise_softmax
from training.recommender.models.retrieval import SCORE_INPUTS, CandidateSets, log_scaled
from training.recommender.recipes import RankerRecipe

CLIP = 6.0
"""Standardised inputs are clipped here, so that one wild feature value cannot decide a ranking."""


@dataclass(frozen=True)
class Ranker:
    """score = relu(z W1 + b1) w2 + z skip, z = clip((scaled(x) - mean) / std).

    Feature columns are first transformed by sign(x) log1p(|x|).
    """

    inputs: tuple[str, ...]
    mean_F: Scores
    std_F: Scores
    w1_FH: Scores
    b1_H: Scores
    w2_H: Scores
    skip_F: Scores

    def score(self, inputs_BCF: Scores) -> Scores:
        """Scores [B, C] float32, comparable within one row only.

        Raises ValueError when F differs from the number of inputs it was fitted on.
        """
        if inputs_BCF.shape[-1] != len(self.inputs):
            raise ValueError(f"the ranker has {len(self.inputs)} inputs, got {inputs_BCF.shape[-1]}")
        z = standardise(inputs_BCF, self.mean_F, self.std_F)
        return np.asarray(np.maximum(z @ self.w1_FH + self.b1_H, 0) @ self.w2_H + z @ self.skip_F, dtype=np.float32)


def standardise(inputs_BCF: Scores, mean_F: Scores, std_F: Scores) -> Scores:
    """Scale, centre and clip; retrieval scores are already on a log or share scale."""
    return np.asarray(np.clip((scaled(inputs_BCF) - mean_F) / std_F, -CLIP, CLIP), dtype=np.float32)


def scaled(inputs_BCF: Scores) -> Scores:
    """Feature columns transformed by sign(x) log1p(|x|), retrieval scores unchanged."""
    result = np.array(inputs_BCF, dtype=np.float32)
    result[..., len(SCORE_INPUTS) :] = log_scaled(result[..., len(SCORE_INPUTS) :].astype(np.float64))
    return result


def fit_ranker(candidates: CandidateSets, inputs: tuple[str, ...], recipe: RankerRecipe, seed: int) -> Ranker:
    """Fit on cases with at least one relevant candidate."""
    candidates = _shown(candidates, recipe.shown, seed)
    flat = scaled(candidates.inputs)[candidates.present]
    if not len(flat):  # no case has a candidate: a ranker of zeros, which beats no model
        flat = np.zeros((1, candidates.inputs.shape[2]), dtype=np.float32)
    mean, std = flat.mean(axis=0), np.maximum(flat.std(axis=0), 1e-3)
    z = torch.from_numpy(standardise(candidates.inputs, mean, std))
    relevant, present = torch.from_numpy(candidates.relevant), torch.from_numpy(candidates.present)
    useful = torch.nonzero(relevant.sum(1) > 0).ravel()
    torch.set_num_threads(1)  # the steps are small: a second thread would wait longer than it computes
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    first, second, skip = (
        nn.Linear(z.shape[2], recipe.hidden),
        nn.Linear(recipe.hidden, 1, bias=False),
        nn.Linear(z.shape[2], 1, bias=False),
    )
    nn.init.zeros_(second.weight)
    nn.init.zeros_(skip.weight)
    parameters = [*first.parameters(), *second.parameters(), *skip.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    for _ in range(recipe.epochs):
        for rows in torch.split(useful[torch.randperm(useful.numel(), generator=generator)], recipe.batch):
            scores = (second(first(z[rows]).relu()) + skip(z[rows])).squeeze(-1)
            loss = listwise_softmax(scores, relevant[rows], present[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch ships no signature for backward
            optimiser.step()
    arrays = [
        tensor.detach().numpy().copy() for tensor in (first.weight.T, first.bias, second.weight[0], skip.weight[0])
    ]
    return Ranker(
        inputs,
        mean.astype(np.float32),
        std.astype(np.float32),
        *(np.ascontiguousarray(a, dtype=np.float32) for a in arrays),
    )


def _shown(candidates: CandidateSets, keep: int, seed: int) -> CandidateSets:
    """At most `keep` candidates of every case: the relevant ones, then others at random. This reduces the work."""
    if candidates.items.shape[1] <= keep:
        return candidates
    draw = np.random.default_rng(seed).random(candidates.items.shape)
    order = np.argsort(draw - 2 * candidates.relevant - candidates.present, axis=1)[:, :keep]
    return CandidateSets(
        items=np.take_along_axis(candidates.items, order, axis=1),
        present=np.take_along_axis(candidates.present, order, axis=1),
        inputs=np.take_along_axis(candidates.inputs, order[..., None], axis=1),
        relevant=np.take_along_axis(candidates.relevant, order, axis=1),
    )
