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
          SELECT product_id, count(*) AS stocked FROM product_variants
          WHERE stock_quantity > 0 AND removed_at IS NULL GROUP BY 1
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
