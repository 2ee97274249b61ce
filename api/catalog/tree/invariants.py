"""Invariants of the category tree."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I30-path",
        "every category hangs below a department, and its path and level say where",
        """
        WITH RECURSIVE placed AS (
          SELECT category_id, '/' || name AS path, 0 AS level FROM categories
          WHERE parent_category_id IS NULL AND removed_at IS NULL
          UNION ALL
          SELECT c.category_id, p.path || '/' || c.name, p.level + 1 FROM categories c
          JOIN placed p ON p.category_id = c.parent_category_id WHERE c.removed_at IS NULL
        )
        SELECT c.category_id, c.path, c.level, p.path AS placed FROM categories c LEFT JOIN placed p USING (category_id)
        WHERE c.removed_at IS NULL AND (c.path, c.level) IS DISTINCT FROM (p.path, p.level)
        """,
    ),
    Check(
        "R-I30-placed",
        "a product's category is in the tree, and what was merged or renamed leads to one that is",
        """
        SELECT 'product' AS what, product_id::text AS which, category_id FROM products
        JOIN categories c USING (category_id) WHERE deleted_at IS NULL AND removed_at IS NOT NULL
        UNION ALL
        SELECT 'merged', m.category_id::text, c.category_id FROM categories m
        JOIN categories c ON c.category_id = m.merged_into WHERE c.removed_at IS NOT NULL
        UNION ALL
        SELECT 'renamed', r.path, c.category_id FROM category_redirects r
        JOIN categories c USING (category_id) WHERE c.removed_at IS NOT NULL
        """,
    ),
)
