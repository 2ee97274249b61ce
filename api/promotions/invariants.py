"""Invariants of promotions: what was redeemed, how often, and what it took off the orders."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I19-redeemed",
        "a promotion counts its living redemptions",
        """
        SELECT p.promotion_id, p.redeemed, coalesce(r.living, 0) AS living
        FROM promotions p
        LEFT JOIN (
          SELECT promotion_id, count(*) AS living FROM coupon_redemptions WHERE status = 'redeemed' GROUP BY 1
        ) r USING (promotion_id)
        WHERE p.redeemed <> coalesce(r.living, 0)
        """,
    ),
    Check(
        "R-I19-limit",
        "no promotion is redeemed more often than it may be",
        """
        SELECT p.promotion_id, p.total_limit, count(*) AS living
        FROM promotions p JOIN coupon_redemptions r USING (promotion_id)
        WHERE r.status = 'redeemed' GROUP BY p.promotion_id HAVING count(*) > p.total_limit
        """,
    ),
    Check(
        "R-I19-buyer",
        "no buyer redeems a promotion more often than one buyer may",
        """
        SELECT p.promotion_id, p.per_buyer_limit, count(*) AS living
        FROM promotions p JOIN coupon_redemptions r USING (promotion_id)
        WHERE r.status = 'redeemed' GROUP BY p.promotion_id, r.buyer_email HAVING count(*) > p.per_buyer_limit
        """,
    ),
    Check(
        "R-I19-order",
        "a redemption lives as long as its order is not cancelled",
        """
        SELECT r.redemption_id, r.status, o.order_id, o.status AS order_status
        FROM coupon_redemptions r JOIN orders o USING (order_id)
        WHERE (r.status = 'released') <> (o.status = 'cancelled')
        """,
    ),
    Check(
        "R-I19-counted",
        "an order says how many promotions it used",
        """
        SELECT o.order_id, o.redemptions, coalesce(r.used, 0) AS used
        FROM orders o
        LEFT JOIN (SELECT order_id, count(*) AS used FROM coupon_redemptions GROUP BY 1) r USING (order_id)
        WHERE o.redemptions <> coalesce(r.used, 0)
        """,
    ),
    Check(
        "R-I19-lines",
        "the discount of the lines of a variant, as they were ordered, is what redemptions took off them",
        """
        SELECT i.order_id, i.variant_id, sum(i.discount) AS discount, coalesce(sum(d.amount), 0) AS redeemed
        FROM order_items i
        LEFT JOIN (SELECT order_item_id, sum(amount) AS amount FROM coupon_discounts GROUP BY 1) d USING (order_item_id)
        WHERE i.edit_id IS NULL
        GROUP BY i.order_id, i.variant_id HAVING sum(i.discount) <> coalesce(sum(d.amount), 0)
        """,
    ),
    Check(
        "R-I19-discount",
        "a redemption's discount is what it took off its order's lines",
        """
        SELECT r.redemption_id, r.discount, coalesce(d.amount, 0) AS of_lines
        FROM coupon_redemptions r
        LEFT JOIN (
          SELECT c.redemption_id, sum(c.amount) AS amount
          FROM coupon_discounts c JOIN order_items i USING (order_item_id)
          JOIN coupon_redemptions o ON o.redemption_id = c.redemption_id AND o.order_id = i.order_id GROUP BY 1
        ) d USING (redemption_id)
        WHERE r.discount <> coalesce(d.amount, 0)
        """,
    ),
)
