"""A causal transformer over a buyer's last purchases (SASRec class) with tied item embeddings.

Suffixes: B users of a batch, L positions (oldest first, right aligned), D width, N items; index N is the padding.
"""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import svds
from torch import Tensor, nn
from torch.nn import functional

from training.data.cases import Cases, Ragged, ragged, user_rows
from training.data.datasets import Events, Scores
from training.recommender.losses import sampled_softmax
from training.recommender.recipes import SequentialRecipe
from warehouse.files import move_into_place


class SequentialModel(nn.Module):
    """forward(items_BL int64) -> scores_BN float32: logits of the next purchase."""

    def __init__(self, items: int, recipe: SequentialRecipe) -> None:
        super().__init__()
        self.items, self.heads = items, recipe.heads
        self.item = nn.Embedding(items + 1, recipe.width, padding_idx=items)
        self.position = nn.Embedding(recipe.length, recipe.width)
        self.dropout = nn.Dropout(recipe.dropout)
        self.blocks = nn.ModuleList(_Block(recipe) for _ in range(recipe.blocks))
        self.last = nn.LayerNorm(recipe.width)
        nn.init.normal_(self.item.weight, std=0.05)
        nn.init.normal_(self.position.weight, std=0.05)
        with torch.no_grad():
            self.item.weight[items] = 0

    def hidden(self, items_BL: Tensor) -> Tensor:
        """States [B, L, D]; a position attends to itself and to earlier positions, never to padding."""
        length = items_BL.shape[1]
        present_BL = items_BL != self.items
        x_BLD = self.item(items_BL) + self.position.weight[-length:]
        x_BLD = self.dropout(x_BLD) * present_BL[..., None]
        causal_LL = torch.ones(length, length, dtype=torch.bool, device=items_BL.device).tril()
        itself_LL = torch.eye(length, dtype=torch.bool, device=items_BL.device)
        visible_B1LL = ((causal_LL[None] & present_BL[:, None, :]) | itself_LL[None])[:, None]
        for block in self.blocks:
            x_BLD = block(x_BLD, visible_B1LL)
        state: Tensor = self.last(x_BLD)
        return state

    def forward(self, items_BL: Tensor) -> Tensor:
        """Logits [B, N] after the newest position."""
        return self.hidden(items_BL)[:, -1] @ self.item.weight[: self.items].T


class _Block(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, recipe: SequentialRecipe) -> None:
        super().__init__()
        width = recipe.width
        self.heads, self.rate = recipe.heads, recipe.dropout
        self.before_attention, self.before_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.forward_layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(recipe.dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(recipe.dropout)

    def forward(self, x_BLD: Tensor, visible_B1LL: Tensor) -> Tensor:
        """[B, L, D] -> [B, L, D]."""
        batch, length, width = x_BLD.shape
        q, k, v = (
            self.qkv(self.before_attention(x_BLD))
            .view(batch, length, 3, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible_B1LL)
        x_BLD = x_BLD + self.dropout(self.out(mixed.transpose(1, 2).reshape(batch, length, width)))
        result: Tensor = x_BLD + self.dropout(self.forward_layers(self.before_forward(x_BLD)))
        return result


@dataclass(frozen=True)
class SequentialFit:
    """A fitted model: `epochs` done, whether the clock stopped it before the recipe's number, mean loss per epoch."""

    model: SequentialModel
    recipe: SequentialRecipe
    epochs: int
    stopped_by_clock: bool
    losses: tuple[float, ...]

    def score(self, cases: Cases) -> Scores:
        """log P(item) + log N float32 [B, N]: 0 is the score of a uniform guess. A row without history is all zero."""
        items = self.model.items
        with torch.inference_mode():
            logits = self.model(torch.from_numpy(padded(cases.history, self.recipe.length, items)))
            scores = (functional.log_softmax(logits, dim=1) + float(np.log(items))).numpy()
        scores[np.diff(cases.history.starts) == 0] = 0.0
        return np.asarray(scores, dtype=np.float32)


def fit_sequential(
    events: Events,
    items: int,
    recipe: SequentialRecipe,
    seed: int,
    *,
    start: sparse.csr_matrix | None = None,
    checkpoint: Path | None = None,
    weights: SequentialModel | None = None,
) -> SequentialFit:
    """Fit on the events' buyers (guests have no sequence). Deterministic for a seed unless the clock stops the fit.

    start: [N, N] item affinities whose SVD initialises the embeddings. checkpoint: saved after every epoch; the fit
    continues from one of the same fit (events, items, recipe, seed) and overwrites one of another fit. The caller
    deletes it after success. weights: continue from this model instead of a new one (it is not changed).
    """
    torch.manual_seed(seed)
    model = SequentialModel(items, recipe)
    if weights is not None:
        model.load_state_dict(weights.state_dict())
    elif start is not None and recipe.svd_start and min(start.shape) > recipe.width + 1 and start.nnz:
        _start_from(model, start, recipe.width, seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    losses: list[float] = []
    identity = _identity(events, items, recipe, seed)
    if checkpoint is not None and checkpoint.exists():
        losses = _continue_from(checkpoint, identity, model, optimiser)
    began = time.monotonic()
    stopped = False
    for epoch in range(len(losses), recipe.epochs):
        torch.manual_seed(seed * 1000 + epoch)
        loss = _epoch(
            model,
            optimiser,
            events,
            recipe=recipe,
            generator=np.random.default_rng((seed, epoch)),
            deadline=began + recipe.max_seconds,
        )
        losses.append(loss)
        if checkpoint is not None:
            _save(checkpoint, identity, model, optimiser, losses)
        if time.monotonic() - began > recipe.max_seconds:
            stopped = epoch + 1 < recipe.epochs
            break
    model.eval()
    return SequentialFit(model, recipe, len(losses), stopped, tuple(losses))


def padded(history: Ragged, length: int, pad: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """The last `length` items of every list [B, length] int64, right aligned, `pad` in front."""
    table = np.full((len(history), length), pad, dtype=np.int64)
    owner = history.owner()
    place = np.arange(history.values.size) - history.starts[1:][owner] + length
    keep = place >= 0
    table[owner[keep], place[keep]] = history.values[keep]
    return table


def _epoch(
    model: SequentialModel,
    optimiser: torch.optim.Optimizer,
    events: Events,
    *,
    recipe: SequentialRecipe,
    generator: np.random.Generator,
    deadline: float,
) -> float:
    """One pass in batches of similar length; returns the mean loss. After the deadline the rest is skipped."""
    model.train()
    total, count = 0.0, 0
    for batch_BL in _batches(
        _windows(events, recipe.length + 1, generator), recipe.batch_tokens, model.items, generator
    ):
        items_BL = torch.from_numpy(batch_BL)
        inputs_BL, targets_BL = items_BL[:, :-1], items_BL[:, 1:]
        known = (inputs_BL != model.items) & (targets_BL != model.items)
        negatives = torch.from_numpy(generator.integers(0, model.items, recipe.negatives))
        loss = sampled_softmax(model.hidden(inputs_BL)[known], targets_BL[known], negatives, model.item.weight)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships no signature for backward
        optimiser.step()
        total, count = total + float(loss.detach()), count + 1
        if time.monotonic() > deadline:
            break
    return total / max(count, 1)


def _windows(events: Events, length: int, generator: np.random.Generator) -> Ragged:
    """Every buyer's lines in windows of at most `length` that overlap by one, items of one order in random order.

    The order inside a basket carries no information, so each epoch draws a new one.
    """
    rows = np.lexsort((generator.random(len(events)), events.order))
    mixed = Events(events.user[rows], events.item[rows], events.order[rows], events.time[rows], events.quantity[rows])
    lists = []
    for own in user_rows(mixed).values():
        items = mixed.item[own]
        lists += [items[max(end - length, 0) : end] for end in range(items.size, 1, -(length - 1))]
    return ragged([part for part in lists if part.size > 1])


def _batches(
    windows: Ragged, tokens: int, pad: int, generator: np.random.Generator
) -> list[np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    """Windows of similar length together, at most `tokens` positions per batch, batches in random order."""
    lengths = np.diff(windows.starts)
    order = np.lexsort((generator.random(lengths.size), lengths))
    batches, start = [], 0
    while start < order.size:
        end = start + 1
        while end < order.size and (end + 1 - start) * int(lengths[order[end]]) <= tokens:
            end += 1
        chosen = order[start:end]
        batches.append(padded(windows.take(chosen), int(lengths[chosen[-1]]), pad))
        start = end
    return [batches[place] for place in generator.permutation(len(batches))]


def _start_from(model: SequentialModel, affinity: sparse.csr_matrix, width: int, seed: int) -> None:
    """Embeddings = scaled left singular vectors of the affinities, so that neighbours are initially close."""
    left, values, _ = svds(
        affinity.astype(np.float64), k=width, v0=np.random.default_rng(seed).random(affinity.shape[0])
    )
    start = left * np.sqrt(values)
    start *= 0.05 / max(float(start.std()), 1e-9)
    with torch.no_grad():
        model.item.weight[: model.items] = torch.from_numpy(np.ascontiguousarray(start, dtype=np.float32))


def _identity(events: Events, items: int, recipe: SequentialRecipe, seed: int) -> str:
    """sha256 of all inputs of a fit's epochs; the number of epochs and the time limit are not part of it."""
    digest = hashlib.sha256(f"{replace(recipe, epochs=0, max_seconds=0.0)} {items} {seed}".encode())
    for array in (events.user, events.item, events.order):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _save(
    path: Path, identity: str, model: SequentialModel, optimiser: torch.optim.Optimizer, losses: list[float]
) -> None:
    """Save atomically: after a kill the previous checkpoint remains."""
    part = path.with_suffix(".part")
    torch.save(
        {"identity": identity, "model": model.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses}, part
    )
    move_into_place(part, path)


def _continue_from(path: Path, identity: str, model: SequentialModel, optimiser: torch.optim.Optimizer) -> list[float]:
    """Load weights and optimiser of the same fit and return its losses so far; none for another fit's checkpoint.

    A killed run leaves its checkpoint, and the next run may have more orders and products.
    """
    state = torch.load(path, weights_only=True)
    if state["identity"] != identity:
        return []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["losses"])
