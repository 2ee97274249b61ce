"""A seller's sales read live from Postgres: the tail after the marts' watermark, and what happened just now.

Booking rules are those of the mart `mart_seller__sales_day`: lines by the UTC day they were placed, cancelled ones
taken off the same day, refunded returns taken off on the day they were refunded.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from api.kernel.actor import Actor
from api.kernel.db import ReadTx

# A line belongs to the day of its order, whenever it was written. The line's own time is asked for beside it because it
# is in the index; no line is older than its order.
_SALES_BY_DAY = text(
    """
    WITH placed AS (
      SELECT (o.created_at AT TIME ZONE 'UTC')::date AS day, o.currency, count(DISTINCT i.order_id) AS orders,
             sum(i.quantity) AS units, sum(i.subtotal) AS gross,
             coalesce(sum(i.subtotal) FILTER (WHERE o.status = 'cancelled'), 0) AS cancelled
      FROM order_items i JOIN orders o USING (order_id)
      WHERE i.seller_id = :seller AND i.created_at >= :since AND o.created_at >= :since
      GROUP BY 1, 2
    ), returned AS (
      SELECT (r.updated_at AT TIME ZONE 'UTC')::date AS day, o.currency, sum(r.quantity) AS units,
             sum(r.refund_amount) AS amount
      FROM returns r JOIN orders o USING (order_id)
      WHERE r.seller_id = :seller AND r.status = 'refunded' AND r.updated_at >= :since
      GROUP BY 1, 2
    )
    SELECT day, currency, coalesce(p.orders, 0) AS orders, coalesce(p.units, 0) AS units,
           coalesce(p.gross, 0) AS gross_sales,
           coalesce(r.units, 0) AS returned_units, coalesce(r.amount, 0) AS returned_amount,
           coalesce(p.gross, 0) - coalesce(p.cancelled, 0) - coalesce(r.amount, 0) AS net_sales
    FROM placed p FULL JOIN returned r USING (day, currency)
    ORDER BY day
    """
)
_PRODUCT_SALES = text(
    """
    SELECT i.product_id, p.title, sum(i.quantity) AS units, sum(i.subtotal) AS revenue
    FROM order_items i JOIN orders o USING (order_id) JOIN products p USING (product_id)
    WHERE i.seller_id = :seller AND i.created_at >= :since AND o.created_at >= :since AND o.created_at < :until
      AND o.status <> 'cancelled'
    GROUP BY 1, 2
    """
)
_LATEST_ORDERS = text(
    """
    SELECT o.order_number, o.status, o.currency, o.country, min(i.created_at) AS placed_at, sum(i.quantity) AS units,
           sum(i.subtotal) AS amount
    FROM (SELECT order_id, quantity, subtotal, created_at FROM order_items WHERE seller_id = :seller ORDER BY created_at
    DESC LIMIT 200) i
    JOIN orders o USING (order_id)
    GROUP BY o.order_id ORDER BY placed_at DESC LIMIT :limit
    """
)
_LATEST_RETURNS = text(
    """
    SELECT r.created_at, r.quantity, r.refund_amount, r.status, r.reason, o.order_number, o.currency, p.title
    FROM returns r JOIN orders o USING (order_id) JOIN products p ON p.product_id = r.product_id
    WHERE r.seller_id = :seller ORDER BY r.created_at DESC LIMIT :limit
    """
)


async def sales_by_day(
    tx: ReadTx, actor: Actor, since: datetime
) -> Sequence[Row[Any]]:  # Any: day, currency, orders, units, amounts
    """Days with orders or refunds from `since` on, oldest first, one row per day and currency."""
    return await tx.all(_SALES_BY_DAY, {"seller": actor.user_id, "since": since})


async def product_sales(
    tx: ReadTx, actor: Actor, since: datetime, until: datetime
) -> Sequence[Row[Any]]:  # Any: product_id, title, units, revenue
    """What each of the seller's products sold in [since, until), cancelled orders left out."""
    return await tx.all(_PRODUCT_SALES, {"seller": actor.user_id, "since": since, "until": until})


async def latest_orders(
    tx: ReadTx, actor: Actor, limit: int
) -> Sequence[Row[Any]]:  # Any: order_number, status, ..., amount of the seller's lines
    """The newest orders that hold a line of the seller, newest first."""
    return await tx.all(_LATEST_ORDERS, {"seller": actor.user_id, "limit": limit})


async def latest_returns(
    tx: ReadTx, actor: Actor, limit: int
) -> Sequence[Row[Any]]:  # Any: created_at, quantity, ..., title
    """The newest returns of the seller's products, newest first."""
    return await tx.all(_LATEST_RETURNS, {"seller": actor.user_id, "limit": limit})
