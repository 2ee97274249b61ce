"""Why a product is shown, in words for the shopper.

A reason names a product only when the item is one of that product's neighbours.
"""

import numpy as np

from serving.recommender.assortment import Assortment
from serving.recommender.retrieve import Seeds

_LONGEST_TITLE = 60


def reasons_for_you(assortment: Assortment, seeds: Seeds, items: list[int], by_sequence: set[int]) -> list[str]:
    """One sentence per item.

    by_sequence: items that the sequence model proposed; it reads the history as a whole, so no product is named.
    """
    bundle = assortment.bundle
    causes = np.full(len(items), -1, dtype=np.int32)
    if bundle is not None:
        causes = bundle.for_you.causes(seeds.items_L, seeds.weights(bundle.meta.decay), np.array(items, dtype=np.int32))
    whole = "Picked from what you just looked at" if seeds.recent_L.all() else "Picked from your recent purchases"
    sentences = []
    for item, cause in zip(items, causes.tolist(), strict=True):
        if cause >= 0:
            verb = "looked at" if seeds.recent_L[cause] else "bought"
            sentences.append(f"Because you {verb} {_title(assortment, int(seeds.items_L[cause]))}")
        else:
            sentences.append(whole if item in by_sequence else popular_reason(assortment, item))
    return sentences


def related_reason(assortment: Assortment, seed: int, *, bought: bool) -> str:
    """Why a neighbour of one product is shown."""
    return f"{'Often bought with' if bought else 'Similar to'} {_title(assortment, seed)}"


def popular_reason(assortment: Assortment, item: int) -> str:
    """Popular in the item's own category, when it has one."""
    category = assortment.categories[item]
    return f"Popular in {category}" if category else "Popular right now"


def _title(assortment: Assortment, item: int) -> str:
    title = assortment.titles[item] or "this product"
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1].rstrip()}…"
