"""Answers that need no model: popular products, of one category or of all."""

from collections.abc import Iterable

import numpy as np

from serving.arrays import Mask
from serving.recommender.assortment import Assortment
from serving.recommender.reasons import popular_reason
from serving.recommender.schemas import RankedItem, Ranking, Source


def popular(
    assortment: Assortment, allowed_N: Mask, limit: int, category: int | None = None, skip: Iterable[int] = ()
) -> list[int]:
    """At most `limit` allowed items by popularity, of one category when given, without `skip`."""
    order = assortment.popular_order_N
    keep = allowed_N[order]
    if category is not None:
        keep &= assortment.category_code_N[order] == category
    order = order[keep]
    left_out = set(skip)
    return [item for item in (int(i) for i in order[: limit + len(left_out)]) if item not in left_out][:limit]


def popular_ranking(assortment: Assortment, allowed_N: Mask, limit: int, near: Iterable[int] = ()) -> Ranking:
    """Popular items in the category of the newest of `near` that has one, then popular items of all categories.

    `empty` when nothing may be shown.
    """
    codes = [int(assortment.category_code_N[item]) for item in near]
    first = popular(assortment, allowed_N, limit, category=codes[-1]) if codes else []
    source: Source = "popular_in_category" if first else "popular"
    items = first + popular(assortment, allowed_N, limit - len(first), skip=first)
    if not items:
        return Ranking(items=[], source="empty", model_version=assortment.version)
    return Ranking(
        items=scored(assortment, items, [popular_reason(assortment, item) for item in items]),
        source=source,
        model_version=assortment.version,
    )


def scored(
    assortment: Assortment, items: list[int], reasons: list[str], scores: list[float] | None = None
) -> list[RankedItem]:
    """Wire items; without scores an item's share of the largest popularity."""
    if scores is None:
        largest = float(assortment.popularity_N.max(initial=0.0)) or 1.0
        scores = [float(assortment.popularity_N[item]) / largest for item in items]
    return [
        RankedItem(product_id=assortment.product_ids[item], score=round(score, 6), reason=reason)
        for item, reason, score in zip(items, reasons, scores, strict=True)
    ]


def without(mask_N: Mask, items: Iterable[int]) -> Mask:
    """A copy of the mask with some items switched off."""
    allowed_N = mask_N.copy()
    allowed_N[np.fromiter(items, dtype=np.int64)] = False
    return allowed_N
