"""A table of nearest products: one padded row per product."""

from dataclasses import dataclass

import numpy as np

from serving.arrays import Floats, Ints, Mask


@dataclass(frozen=True)
class Neighbours:
    """index_NK int32, -1 where a row has fewer than K; score_NK float32 >= 0, best first, 0 at the padding.

    bought_NK bool: at least one shopper bought the two together or one after the other; false: only their words are
    similar.
    """

    index_NK: Ints
    score_NK: Floats
    bought_NK: Mask

    def add_to(self, total_N: Floats, seeds_L: Ints, weights_L: Floats) -> None:
        """total_N += weights_L @ rows of the seeds, in place."""
        index = self.index_NK[seeds_L]
        values = self.score_NK[seeds_L] * weights_L[:, None]
        known = index >= 0
        total_N += np.bincount(index[known], values[known], total_N.size).astype(np.float32)

    def of(self, seed: int) -> tuple[Ints, Floats, Mask]:
        """Neighbours of one product, best first, without padding: (items, scores, bought)."""
        known = self.index_NK[seed] >= 0
        return self.index_NK[seed][known], self.score_NK[seed][known], self.bought_NK[seed][known]

    def causes(self, seeds_L: Ints, weights_L: Floats, items_M: Ints) -> Ints:
        """For each item the position in seeds_L of the seed that added most to its score, -1 when none did."""
        if not seeds_L.size or not items_M.size:
            return np.full(items_M.size, -1, dtype=np.int32)
        values_LK = self.score_NK[seeds_L] * weights_L[:, None]
        index_LK = self.index_NK[seeds_L]
        found = np.full(items_M.size, -1, dtype=np.int32)
        for place, item in enumerate(items_M):
            given_L = np.where(index_LK == item, values_LK, 0).max(axis=1)
            best = int(given_L.argmax())
            if given_L[best] > 0:
                found[place] = best
        return found
