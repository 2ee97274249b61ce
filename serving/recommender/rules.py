"""Order of the answer after the models: variety of categories.

Bought and out-of-stock products are not candidates.
"""

import math
from collections import Counter
from collections.abc import Iterable

from serving.arrays import Ints


def spread_categories(items: Iterable[int], category_code_N: Ints, limit: int, share: float) -> list[int]:
    """Choose `limit` items, best first, with at most ceil(share * limit) (and at least 2) of one category.

    When too few categories have candidates, the skipped items follow in their old order: the limit per category never
    makes an answer shorter.
    """
    cap = max(2, math.ceil(share * limit))
    taken: list[int] = []
    passed: list[int] = []
    count: Counter[int] = Counter()
    for item in items:
        if len(taken) == limit:
            return taken
        code = int(category_code_N[item])
        if count[code] < cap:
            count[code] += 1
            taken.append(item)
        else:
            passed.append(item)
    return [*taken, *passed[: limit - len(taken)]]
