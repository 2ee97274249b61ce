"""Invariants of what waits for a decision."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I34-queue",
        "a product waits for a decision when it is in the queue, and only then",
        """
        SELECT product_id, p.status, q.queued_at FROM products p FULL JOIN queued_products q USING (product_id)
        WHERE (p.status = 'pending_review' AND p.deleted_at IS NULL) IS DISTINCT FROM (q.queued_at IS NOT NULL)
        """,
    ),
    Check(
        "R-I34-refused",
        "what an administrator refused is not on sale before one has approved it",
        """
        SELECT p.product_id, d.decision FROM products p
        CROSS JOIN LATERAL (
          SELECT decision FROM product_decisions d
          WHERE d.product_id = p.product_id AND d.decided_by IS NOT NULL ORDER BY decision_id DESC LIMIT 1
        ) d
        WHERE p.status = 'active' AND p.deleted_at IS NULL AND d.decision <> 'approved'
        """,
    ),
)
