"""Invariants of versions."""

from api.catalog.commands.statements import STATE
from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I33-newest",
        "the newest version of a product says what the product is",
        f"""
        SELECT s.product_id, s.version, k.version AS newest, s.body, k.body AS kept
        FROM (SELECT {STATE} FROM products p) s
        JOIN LATERAL (
          SELECT version, body, media FROM product_versions
          WHERE product_id = s.product_id ORDER BY version DESC LIMIT 1) k ON true
        WHERE s.version < k.version OR (s.body, s.media) IS DISTINCT FROM (k.body, k.media)
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
)
