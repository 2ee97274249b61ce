"""Item to item: transitions between orders, baskets inside an order and content, mixed into one sparse neighbour table.

All counts are products of the order x item matrix with itself, so baskets (many items per order) and sequences (one
item per order) share the code: co-purchase C = B' B, transitions at gap g: T_g = B[orders]' B[the same users' orders g
later].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.data.cases import Cases, user_rows
from training.data.datasets import Events, Scores
from training.recommender.models.popularity import recency
from training.recommender.recipes import ItemToItemRecipe


@dataclass(frozen=True)
class Counts:
    """Counts, made once and mixed many times: [N, N] float32 CSR without diagonal; n_N weighted orders per item.

    forward[a, b]: b bought after a, 1/gap weighted; basket[a, b]: in one order; content[a, b]: cosine of words and
    attributes.
    """

    forward: sparse.csr_matrix
    basket: sparse.csr_matrix
    content: sparse.csr_matrix
    n_N: Scores


@dataclass(frozen=True)
class ItemToItem:
    """table [N, N] float32 CSR: row = seed, at most K neighbours; `decay` per order of age when a history is summed.

    support [N, N] CSR: the part of the table based on purchases; a neighbour outside it is similar only in words.
    """

    table: sparse.csr_matrix
    decay: float
    support: sparse.csr_matrix

    def score(self, cases: Cases) -> Scores:
        """Weighted sum of the rows of the history; the newest order has the largest weight."""
        weights = cases.weights(self.decay, self.table.shape[0])
        return np.asarray((weights @ self.table).toarray(), dtype=np.float32)


def count(events: Events, content: sparse.csr_matrix, items: int, recipe: ItemToItemRecipe) -> Counts:
    """All matrices of one recipe, counted from the given events."""
    orders_total = int(events.order.max()) + 1 if len(events) else 0
    baskets = sparse.csr_matrix(
        (np.ones(len(events), np.float32), (events.order, events.item)), shape=(orders_total, items)
    )
    weight = np.zeros(orders_total, dtype=np.float32)
    weight[events.order] = recency(events, recipe.half_life_days)
    size = np.maximum(np.diff(baskets.indptr), 1)
    together = baskets.T @ sparse.diags_array(weight * (size**-recipe.basket_size_power).astype(np.float32)) @ baskets
    forward = sparse.csr_matrix((items, items), dtype=np.float32)
    for gap in range(1, recipe.window + 1):
        earlier, later = _order_pairs(events, gap)
        if earlier.size:
            scale = weight[later] / gap * (size[earlier] * size[later]) ** -0.5
            forward = forward + baskets[earlier].T @ sparse.diags_array(scale.astype(np.float32)) @ baskets[later]
    n_N = np.bincount(events.item, weight[events.order], items).astype(np.float32)
    return Counts(
        _pruned(_without_diagonal(forward), n_N, recipe.pruned),
        _pruned(_without_diagonal(together), n_N, recipe.pruned),
        content,
        n_N,
    )


def mix(counts: Counts, recipe: ItemToItemRecipe) -> ItemToItem:
    """The neighbour table of a recipe: normalised parts, weighted sum, K best per row."""
    forward = counts.forward + recipe.backward * counts.forward.T
    bought = sparse.csr_matrix(counts.content.shape, dtype=np.float32)
    for weight, part in ((recipe.transition_weight, forward), (recipe.basket_weight, counts.basket)):
        if weight and part.nnz:
            bought = bought + np.float32(weight) * _normalise(part, counts.n_N, recipe)
    table = bought + np.float32(recipe.content_weight) * counts.content if recipe.content_weight else bought
    return ItemToItem(keep_best(table.tocsr(), recipe.neighbours), recipe.decay, bought.tocsr())


def keep_best(table: sparse.csr_matrix, keep: int) -> sparse.csr_matrix:
    """The `keep` largest entries of every row, ties by the lower item index."""
    table = table.tocsr()
    table.sort_indices()
    lengths = np.diff(table.indptr)
    rows = np.repeat(np.arange(table.shape[0]), lengths)
    top = max(float(table.data.max(initial=0)), 1e-12)
    order = np.argsort(rows - table.data.astype(np.float64) / (2 * top), kind="stable")
    place = np.arange(order.size) - np.repeat(table.indptr[:-1], lengths)
    chosen = np.sort(order[(place < keep) & (table.data[order] > 0)])
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows[chosen], minlength=table.shape[0]))])
    return sparse.csr_matrix((table.data[chosen].astype(np.float32), table.indices[chosen], starts), shape=table.shape)


def _normalise(counts: sparse.csr_matrix, n_N: Scores, recipe: ItemToItemRecipe) -> sparse.csr_matrix:
    """c_ab * c_ab / (c_ab + shrink) / (n_a ** seed_power * n_b ** target_power).

    Cosine at powers .5/.5, conditional probability at 1/0.
    """
    table = counts.tocsr().astype(np.float32)
    n = np.maximum(n_N, np.float32(1e-6))
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    data = table.data * (table.data / (table.data + np.float32(recipe.shrink)))
    data = data * n[rows] ** np.float32(-recipe.seed_power) * n[table.indices] ** np.float32(-recipe.target_power)
    return sparse.csr_matrix((data.astype(np.float32), table.indices, table.indptr), shape=table.shape)


def _order_pairs(events: Events, gap: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(earlier, later) order numbers of one user that lie `gap` orders apart."""
    earlier, later = [], []
    for rows in user_rows(events).values():
        orders = events.order[rows]
        orders = orders[np.concatenate([[True], orders[1:] != orders[:-1]])]
        earlier.append(orders[:-gap])
        later.append(orders[gap:])
    if not earlier:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(earlier).astype(np.int64), np.concatenate(later).astype(np.int64)


def _pruned(table: sparse.csr_matrix, n_N: Scores, keep: int) -> sparse.csr_matrix:
    """The `keep` best of every row by c_ab / sqrt(n_b): the pairs that a mix may use, a fraction of those of large
    baskets.
    """
    scale = np.maximum(n_N, np.float32(1e-6)) ** np.float32(0.5)
    best = keep_best(
        sparse.csr_matrix((table.data / scale[table.indices], table.indices, table.indptr), shape=table.shape), keep
    )
    return sparse.csr_matrix((best.data * scale[best.indices], best.indices, best.indptr), shape=table.shape)


def _without_diagonal(table: sparse.csr_matrix) -> sparse.csr_matrix:
    """The matrix without its diagonal."""
    table = sparse.csr_matrix(table)
    table.setdiag(0)
    table.eliminate_zeros()
    return table
