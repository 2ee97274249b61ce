"""Invariants of products."""

from api.catalog.statements import live, shown
from api.kernel.invariants import Check

_COPIED = "category_id, seller_id, brand, average_rating, review_count, prime_eligible, created_at"
_LISTED = f"""
    WITH shown AS (
      SELECT v.product_id, v.price, bool_or(v.stock_quantity > 0) AS in_stock
      FROM product_variants v WHERE v.removed_at IS NULL AND {shown("v")} GROUP BY 1, 2
    ),
    expected AS (
      SELECT product_id, s.price, lag(s.price) OVER (PARTITION BY product_id ORDER BY s.price) AS lower_price,
             {_COPIED}, {live("p")} AS on_sale, s.in_stock
      FROM shown s JOIN products p USING (product_id)
    ),
    listed AS (SELECT product_id, price, lower_price, {_COPIED}, on_sale, in_stock FROM price_points)
    (TABLE expected EXCEPT ALL TABLE listed) UNION ALL (TABLE listed EXCEPT ALL TABLE expected)
"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I18-listed",
        "a product is listed as it is, at each price of the variants that it is shown by",
        _LISTED,
    ),
    Check(
        "R-I18-counted",
        "the counters of a product say where it is, and whether it is on sale, in stock and prime",
        """
        SELECT c.product_id, c.category_id, c.on_sale, c.in_stock, c.prime_eligible
        FROM product_counters c JOIN products p USING (product_id)
        LEFT JOIN price_points l ON l.product_id = c.product_id AND l.lower_price IS NULL
        WHERE (c.category_id, c.on_sale, c.in_stock, c.prime_eligible) IS DISTINCT FROM
              (p.category_id, coalesce(l.on_sale, false), coalesce(l.in_stock, false), p.prime_eligible)
        """,
    ),
    Check(
        "R-I32-price",
        "a variant costs its own price, or its product's where it has none",
        """
        SELECT v.variant_id, v.price, v.own_price, p.base_price
        FROM product_variants v JOIN products p USING (product_id)
        WHERE v.removed_at IS NULL AND v.price IS DISTINCT FROM coalesce(v.own_price, p.base_price)
        """,
    ),
    Check(
        "R-I32-sku",
        "no seller has two variants with one SKU, whatever its case, and a variant is its product's seller's",
        """
        SELECT v.seller_id, lower(v.sku) AS sku, count(*) AS variants
        FROM product_variants v JOIN products p USING (product_id)
        WHERE v.removed_at IS NULL
        GROUP BY 1, 2 HAVING count(*) > 1 OR bool_or(v.seller_id IS DISTINCT FROM p.seller_id)
        """,
    ),
    Check(
        "R-I32-attributes",
        "no two variants of a product have equal attributes",
        """
        SELECT product_id, lower(normalize(attributes::text, NFKC)) AS attributes, count(*) AS variants
        FROM product_variants WHERE removed_at IS NULL GROUP BY 1, 2 HAVING count(*) > 1
        """,
    ),
    Check(
        "R-I32-removed",
        "no units are reserved of a variant after it was removed, and a deleted product has no other variants",
        """
        SELECT v.variant_id, v.removed_at, r.created_at AS reserved_at, p.deleted_at
        FROM product_variants v JOIN products p USING (product_id)
        LEFT JOIN inventory_reservations r
          ON r.variant_id = v.variant_id AND r.status = 'active' AND r.created_at > v.removed_at
        WHERE r.variant_id IS NOT NULL OR (p.deleted_at IS NOT NULL AND v.removed_at IS NULL)
        """,
    ),
)
