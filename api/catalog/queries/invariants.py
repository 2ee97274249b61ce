"""Invariants of products."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I18-listed",
        "a product is listed as it is, with as many variants in stock as it has",
        """
        SELECT p.product_id, l.on_sale, l.variants_in_stock, coalesce(v.stocked, 0) AS stocked
        FROM products p
        LEFT JOIN product_listings l USING (product_id)
        LEFT JOIN (
          SELECT product_id, count(*) AS stocked FROM product_variants WHERE stock_quantity > 0 GROUP BY 1
        ) v USING (product_id)
        WHERE (l.category_id, l.seller_id, l.brand, l.base_price, l.average_rating, l.review_count, l.prime_eligible,
               l.created_at, l.on_sale, l.variants_in_stock)
              IS DISTINCT FROM
              (p.category_id, p.seller_id, p.brand, p.base_price, p.average_rating, p.review_count, p.prime_eligible,
               p.created_at, p.status = 'active' AND p.deleted_at IS NULL, coalesce(v.stocked, 0))
        """,
    ),
    Check(
        "R-I18-counted",
        "the counters of a product say whether it is on sale, in stock and prime",
        """
        SELECT product_id, c.on_sale, c.in_stock, c.prime_eligible
        FROM product_counters c JOIN product_listings l USING (product_id)
        WHERE (c.on_sale, c.in_stock, c.prime_eligible) IS DISTINCT FROM (l.on_sale, l.in_stock, l.prime_eligible)
        """,
    ),
)
