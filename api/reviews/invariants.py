"""Invariants of reviews."""

from api.kernel.invariants import Check

_WAITS = """EXISTS (SELECT FROM outbox_events o WHERE o.aggregate_type = 'review' AND o.published_at IS NULL
                              AND o.payload ->> 'productId' = {product}::text)"""
_STARS = ", ".join(f"count(*) FILTER (WHERE rating = {n}) AS stars_{n}" for n in range(1, 6))
_SAME = " AND ".join(f"coalesce(c.stars_{n}, 0) = coalesce(p.stars_{n}, 0)" for n in range(1, 6))
_ALL = " + ".join(f"p.stars_{n}" for n in range(1, 6))
_SUM = " + ".join(f"{n} * p.stars_{n}" for n in range(1, 6))
CHECKS: tuple[Check, ...] = (
    Check(
        "R-I11-counted",
        "a product has as many reviews of each number of stars as are published, once the relay has told of them",
        f"""
        SELECT coalesce(p.product_id, c.product_id) AS product_id FROM product_ratings p
        FULL JOIN (SELECT product_id, {_STARS} FROM reviews WHERE status = 'published' GROUP BY 1) c
          ON c.product_id = p.product_id
        WHERE NOT ({_SAME}) AND NOT {_WAITS.format(product="coalesce(p.product_id, c.product_id)")}
        """,
    ),
    Check(
        "R-I11-shown",
        "average and number of a product's reviews are those of its counts, in the catalog too",
        f"""
        SELECT p.product_id, p.average_rating, p.review_count, t.average_rating AS shown, t.review_count AS told
        FROM product_ratings p JOIN products t USING (product_id)
        WHERE (p.review_count <> {_ALL}
               OR p.average_rating <> coalesce(round(({_SUM})::numeric / nullif({_ALL}, 0), 2), 0)
               OR (t.average_rating, t.review_count) <> (p.average_rating, p.review_count))
          AND NOT {_WAITS.format(product="p.product_id")}
        """,
    ),
    Check(
        "R-I11-seller",
        "a seller's rating is the average over the published reviews of all products, once the relay has told of them",
        f"""
        SELECT s.seller_id, s.rating, c.stars, c.review_count FROM sellers s
        LEFT JOIN (SELECT t.seller_id, sum({_SUM}) AS stars, sum(p.review_count) AS review_count
                   FROM product_ratings p JOIN products t USING (product_id) GROUP BY 1) c USING (seller_id)
        LEFT JOIN seller_ratings r USING (seller_id)
        WHERE (s.rating <> coalesce(round(c.stars::numeric / nullif(c.review_count, 0), 2), 0)
               OR (coalesce(r.stars, 0), coalesce(r.review_count, 0))
                  <> (coalesce(c.stars, 0), coalesce(c.review_count, 0)))
          AND NOT EXISTS (SELECT FROM outbox_events o WHERE o.aggregate_type = 'review' AND o.published_at IS NULL
                            AND o.payload ->> 'sellerId' = s.seller_id::text)
        """,
    ),
    Check(
        "R-I11-found",
        "each review is one row with its text and one by its author, and both say the same",
        """
        SELECT coalesce(r.review_id, u.review_id) AS review_id FROM reviews r
        FULL JOIN reviews_by_user u ON u.review_id = r.review_id
        WHERE (r.product_id, r.created_at, r.user_id, r.seller_id, r.rating, r.status, r.verified_purchase, r.origin)
              IS DISTINCT FROM
              (u.product_id, u.created_at, u.user_id, u.seller_id, u.rating, u.status, u.verified_purchase, u.origin)
           OR r.order_id IS DISTINCT FROM u.order_id
        """,
    ),
    Check(
        "R-I11-votes",
        "a review has as many votes as shoppers gave it, without those set aside, and none of its author's",
        """
        SELECT r.review_id, r.helpful_count, r.not_helpful_count FROM reviews r
        LEFT JOIN (SELECT review_id, count(*) FILTER (WHERE helpful) AS yes, count(*) FILTER (WHERE NOT helpful) AS no
                   FROM review_votes WHERE standing <> 'quarantined' GROUP BY 1) v USING (review_id)
        WHERE (r.helpful_count, r.not_helpful_count) <> (coalesce(v.yes, 0), coalesce(v.no, 0))
           OR EXISTS (SELECT FROM review_votes o WHERE o.review_id = r.review_id AND o.user_id = r.user_id)
        """,
    ),
    Check(
        "R-I11-verified",
        "a purchase is verified by an order of the author's that has the product, and only by one",
        """
        SELECT r.review_id FROM reviews_by_user r
        WHERE r.verified_purchase IS DISTINCT FROM (r.order_id IS NOT NULL)
           OR (r.verified_purchase AND NOT EXISTS (
               SELECT FROM orders o JOIN order_items i USING (order_id)
               WHERE o.order_id = r.order_id AND o.user_id = r.user_id
                 AND (i.product_id = r.product_id OR i.kit ->> 'productId' = r.product_id::text)))
        """,
    ),
)
