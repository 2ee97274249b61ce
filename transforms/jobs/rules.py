"""What the jobs compute, as SQL that DuckDB and Spark both run.

The texts use only what both engines share; an engine adds one expression of its own, a list in order. Hints in comments
are for Spark. Every text reads the relation `order_lines`, made by ORDER_LINES from the lake's tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from transforms.derived import CO_PURCHASE, INTERACTION_SEQUENCES

MAX_BASKET = 100
"""Orders with more distinct products make no pairs. They are wholesale lists, not a taste, and n products cost n(n-1)/2
pairs."""
MIN_ORDERS = 2
"""Pairs seen in fewer orders are chance."""
MAX_PARTNERS = 100
"""Partners kept per product, those with most orders in common: the result grows with the catalog, not with its
square."""
MAX_EVENTS = 2_000
"""Order lines kept per shopper, the newest. Models read the last 50 to 200; this bounds a row at about 200 kB."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders": ("order_id", "user_id", "status", "created_at"),
    "order_items": ("order_item_id", "order_id", "product_id"),
}
"""What the jobs read of the lake, by table."""

ORDER_LINES = """
SELECT order_item_id, order_id, product_id, user_id, created_at AS ordered_at
FROM order_items JOIN orders USING (order_id)
WHERE status <> 'cancelled'
"""
"""user_id is null for guests."""


class Dialect(Protocol):
    """What the engines write differently."""

    def in_order(self, value: str, place: str) -> str:
        """An aggregate: the values of the group as a list, by ascending `place`."""
        ...


def co_purchase(
    _: Dialect, *, max_basket: int = MAX_BASKET, min_orders: int = MIN_ORDERS, max_partners: int = MAX_PARTNERS
) -> str:
    """Ordered pairs (a, b), a != b, of products that share orders.

    Repeats of a product inside an order count once. orders_a and orders_b count every order, wholesale lists too.
    support = together / all orders; confidence = together / orders_a = P(b | a); lift = together * all orders /
    (orders_a * orders_b). Both directions of a pair are rows, because confidence differs. Ties at `max_partners` go to
    the smaller product_b.

    Products are numbered, so that a pair is one integer: counting pairs moves 8 bytes instead of two UUIDs.
    """
    return f"""
WITH bought AS (SELECT DISTINCT order_id, product_id FROM order_lines),
products AS (
  SELECT product_id, count(*) AS orders, CAST(row_number() OVER (ORDER BY product_id) AS BIGINT) AS number
  FROM bought GROUP BY product_id
),
coded AS (SELECT /*+ BROADCAST(products) */ order_id, number FROM bought JOIN products USING (product_id)),
baskets AS (SELECT order_id FROM bought GROUP BY order_id HAVING count(*) BETWEEN 2 AND {max_basket:d}),
kept AS (SELECT order_id, number FROM coded WHERE order_id IN (SELECT order_id FROM baskets)),
pairs AS (
  SELECT (low.number << 32) + high.number AS pair, count(*) AS orders_together
  FROM kept AS low JOIN kept AS high ON low.order_id = high.order_id AND low.number < high.number
  GROUP BY (low.number << 32) + high.number HAVING count(*) >= {min_orders:d}
),
sides AS (
  SELECT CASE WHEN upwards THEN pair >> 32 ELSE pair & 4294967295 END AS a,
    CASE WHEN upwards THEN pair & 4294967295 ELSE pair >> 32 END AS b, orders_together
  FROM pairs CROSS JOIN (VALUES (true), (false)) AS direction (upwards)
),
ranked AS (
  SELECT /*+ BROADCAST(one), BROADCAST(other) */ one.product_id AS product_a, other.product_id AS product_b,
    orders_together, one.orders AS orders_a, other.orders AS orders_b,
    row_number() OVER (PARTITION BY one.product_id ORDER BY orders_together DESC, other.product_id) AS place
  FROM sides JOIN products AS one ON one.number = a JOIN products AS other ON other.number = b
),
whole AS (SELECT CAST(count(DISTINCT order_id) AS DOUBLE) AS orders FROM bought)
SELECT /*+ BROADCAST(whole) */ product_a, product_b, orders_together, orders_a, orders_b,
  CAST(orders_together AS DOUBLE) / whole.orders AS support,
  CAST(orders_together AS DOUBLE) / CAST(orders_a AS DOUBLE) AS confidence,
  CAST(orders_together AS DOUBLE) * whole.orders / (CAST(orders_a AS DOUBLE) * CAST(orders_b AS DOUBLE)) AS lift
FROM ranked CROSS JOIN whole WHERE place <= {max_partners:d}
"""


def interaction_sequences(dialect: Dialect, *, max_events: int = MAX_EVENTS) -> str:
    """What each shopper bought: one row with three lists of one length, oldest first.

    Guests are left out: they are not one shopper. Lines of one order keep the order of their ids, which is the order of
    the basket.
    """
    return f"""
WITH placed AS (
  SELECT user_id, product_id, order_id, ordered_at,
    -row_number() OVER (PARTITION BY user_id ORDER BY ordered_at DESC, order_id DESC, order_item_id DESC) AS place
  FROM order_lines WHERE user_id IS NOT NULL
)
SELECT user_id,
  {dialect.in_order("product_id", "place")} AS product_ids,
  {dialect.in_order("order_id", "place")} AS order_ids,
  {dialect.in_order("ordered_at", "place")} AS timestamps
FROM placed WHERE place >= -{max_events:d} GROUP BY user_id
"""


@dataclass(frozen=True)
class Job:
    """One derived table: its query over `order_lines`, and its columns in the lake."""

    name: str
    query: Callable[[Dialect], str]
    schema: pa.Schema


JOBS: tuple[Job, ...] = (
    Job("co_purchase", co_purchase, CO_PURCHASE),
    Job("interaction_sequences", interaction_sequences, INTERACTION_SEQUENCES),
)
