"""Invariants of versions."""

from api.catalog.commands.statements import STATE
from api.kernel.invariants import Check

_REDUCED = """
        WITH spans AS (
          SELECT variant_id, price, at, lag(price) OVER w AS before, lead(at) OVER w AS until
          FROM price_changes WINDOW w AS (PARTITION BY variant_id ORDER BY at)),
        last AS (
          SELECT DISTINCT ON (variant_id) variant_id, at FROM spans WHERE price < before
          ORDER BY variant_id, at DESC),
        lowest AS (
          SELECT l.variant_id, min(s.price) AS price FROM last l
          JOIN spans s ON s.variant_id = l.variant_id AND s.at < l.at AND s.until > l.at - interval '30 days'
          GROUP BY 1)"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I33-newest",
        "the newest version of a product says what the product is",
        f"""
        SELECT s.product_id, s.version, k.version AS newest, s.body, k.body AS kept
        FROM (SELECT {STATE} FROM products p) s
        JOIN LATERAL (
          SELECT version, body, media, safety FROM product_versions
          WHERE product_id = s.product_id ORDER BY version DESC LIMIT 1) k ON true
        WHERE s.version < k.version
           OR (s.body, s.media, s.safety) IS DISTINCT FROM (k.body, k.media, coalesce(k.safety, s.safety))
        """,
    ),
    Check(
        "R-I33-order",
        "later versions of a product have later times, and a restored one restores an earlier one",
        """
        SELECT product_id, version, at, before, restored_from FROM (
          SELECT *, lag(at) OVER (PARTITION BY product_id ORDER BY version) AS before FROM product_versions) v
        WHERE at < before OR restored_from >= version
        """,
    ),
    Check(
        "R-I34-price",
        "the last change of a variant's price is what it costs",
        """
        SELECT v.variant_id, v.price, c.price AS changed FROM product_variants v
        JOIN LATERAL (SELECT price FROM price_changes WHERE variant_id = v.variant_id ORDER BY at DESC LIMIT 1) c
          ON true
        WHERE v.removed_at IS NULL AND v.price <> c.price
        """,
    ),
    Check(
        "R-I34-lowest",
        "the lowest price of a variant is that of the 30 days before its last reduction",
        f"""{_REDUCED}
        SELECT v.variant_id, v.lowest_price_30d, w.price FROM product_variants v LEFT JOIN lowest w USING (variant_id)
        WHERE v.lowest_price_30d IS DISTINCT FROM w.price
        """,
    ),
)
