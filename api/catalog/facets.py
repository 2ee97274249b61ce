"""The price and rating steps of the filters, shared by the product list and search."""

from decimal import Decimal

# Upper edges, exclusive, in the shop's currency; the last range has no upper edge.
PRICE_EDGES = tuple(Decimal(edge) for edge in (10, 25, 50, 100, 250, 500, 1000))
RATING_STEPS = (4, 3, 2, 1)


def price_range_label(bucket: int) -> str:
    """`0-10`, `10-25`, ..., `1000-` for bucket 0 to len(PRICE_EDGES), as width_bucket counts them."""
    lower = PRICE_EDGES[bucket - 1] if bucket else Decimal(0)
    upper = PRICE_EDGES[bucket] if bucket < len(PRICE_EDGES) else ""
    return f"{lower}-{upper}"
