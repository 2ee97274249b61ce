"""The SQL of the catalog as a part of another noun's statement: what the variants cost that a shopper asks for.

`tests/integration/api/test_round_trips.py` counts it: an addition to a cart is one round trip.
"""

from api.kernel.statement import Part

_ON_SALE = """on_sale AS MATERIALIZED (
    SELECT a.place, v.price FROM asked a
    JOIN product_variants v ON v.variant_id = a.variant_id AND v.product_id = a.product_id
    JOIN products p ON p.product_id = v.product_id
    WHERE p.status = 'active' AND p.deleted_at IS NULL)"""


def on_sale_part() -> Part:
    """Today's price of those variants of an earlier part's CTE `asked` that are on sale and belong to their product."""
    return Part(_ON_SALE, makes=("on_sale",), needs=("asked",))
