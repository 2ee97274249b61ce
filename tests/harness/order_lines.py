"""Random order lines, and what the jobs must make of them, computed by other queries than theirs."""

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from warehouse.lake.read import connect

SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("order_item_id", "order_id", "product_id", "user_id")),
        pa.field("ordered_at", pa.timestamp("us", tz="UTC")),
    ]
)
CO_PURCHASE = """
WITH bought AS (SELECT DISTINCT order_id, product_id FROM order_lines),
sizes AS (SELECT order_id, count(*) AS n FROM bought GROUP BY order_id),
per_product AS (SELECT product_id, count(*) AS orders FROM bought GROUP BY product_id),
pairs AS (
  SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS orders_together
  FROM bought a JOIN bought b USING (order_id) JOIN sizes USING (order_id)
  WHERE a.product_id <> b.product_id AND n <= {max_basket}
  GROUP BY ALL HAVING count(*) >= {min_orders}
)
SELECT product_a, product_b, orders_together, a.orders AS orders_a, b.orders AS orders_b,
  orders_together::DOUBLE / total AS support, orders_together::DOUBLE / a.orders AS confidence,
  orders_together::DOUBLE * total / (a.orders::DOUBLE * b.orders::DOUBLE) AS lift
FROM pairs
JOIN per_product a ON a.product_id = product_a
JOIN per_product b ON b.product_id = product_b
CROSS JOIN (SELECT count(DISTINCT order_id)::DOUBLE AS total FROM bought)
QUALIFY row_number() OVER (PARTITION BY product_a ORDER BY orders_together DESC, product_b) <= {max_partners}
ORDER BY product_a, product_b
"""
SEQUENCES = """
SELECT user_id, list(product_id ORDER BY ordered_at, order_id, order_item_id)[-{max_events}:] AS product_ids,
  list(order_id ORDER BY ordered_at, order_id, order_item_id)[-{max_events}:] AS order_ids,
  list(ordered_at ORDER BY ordered_at, order_id, order_item_id)[-{max_events}:] AS timestamps
FROM order_lines WHERE user_id IS NOT NULL GROUP BY user_id ORDER BY user_id
"""


def random_lines(seed: int) -> pa.Table:
    """Guests, repeats inside an order, orders of one moment, and products that are bought often and rarely."""
    rng = random.Random(seed)
    lines: list[tuple[str, str, str, str | None, datetime]] = []
    for order in range(120):
        user = rng.choice([None, *(f"u{number}" for number in range(8))])
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(60))
        lines += [
            (f"i{order:03d}-{position}", f"o{order:03d}", f"p{int(rng.betavariate(1, 3) * 15):02d}", user, at)
            for position in range(rng.choice([1, 2, 3, 5, 9]))
        ]
    rng.shuffle(lines)
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, line, strict=True)) for line in lines], schema=SCHEMA)


def expected(query: str, lines: pa.Table, **limits: int) -> pa.Table:
    """What one of the queries above gives for these lines."""
    with connect() as con:
        con.register("order_lines", lines)
        return con.execute(query.format(**limits)).to_arrow_table()
