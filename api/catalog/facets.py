"""The price and rating steps of the filters, shared by the product list and search."""

from collections.abc import Iterable
from decimal import Decimal
from functools import cache

from api.kernel.money import MAX_AMOUNT

# The edges between the price ranges, in the shop's currency; the last range has no upper edge.
PRICE_EDGES = tuple(Decimal(edge) for edge in (10, 25, 50, 100, 250, 500, 1000))
# Both ends belong to a range, as to the filter of the same name: a price on an edge is in two.
PRICE_RANGES = tuple(zip((Decimal(0), *PRICE_EDGES), (*PRICE_EDGES, MAX_AMOUNT), strict=True))
RATING_STEPS = (4, 3, 2, 1)


@cache
def price_range_label(bucket: int) -> str:
    """`0-10`, `10-25`, ..., `1000-`: the filter that the bucket, a place in PRICE_RANGES, counts."""
    lower, upper = PRICE_RANGES[bucket]
    return f"{lower}-{'' if upper == MAX_AMOUNT else upper}"


def price_buckets(prices: Iterable[Decimal]) -> list[int]:
    """The buckets that hold any of the prices, in order."""
    known = list(prices)
    return [
        bucket for bucket, (lower, upper) in enumerate(PRICE_RANGES) if any(lower <= price <= upper for price in known)
    ]
