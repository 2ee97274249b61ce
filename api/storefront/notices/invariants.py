"""Invariants of reports about products, and of what is decided about them."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I35-reports",
        "a decision about reports is about as many as it says, all of its product; one about an objection about none",
        """
        SELECT d.decision_id, d.reports, count(r.report_id) AS closed FROM report_decisions d
        LEFT JOIN product_reports r USING (decision_id)
        GROUP BY d.decision_id
        HAVING count(r.report_id) <> d.reports OR bool_or(r.product_id <> d.product_id)
        """,
    ),
    Check(
        "R-I35-removed",
        "what reports took off sale was refused in the same commit, unless its seller had deleted it",
        """
        SELECT d.decision_id, d.product_id FROM report_decisions d JOIN products p USING (product_id)
        WHERE d.decision = 'remove' AND d.contested IS NULL AND p.deleted_at IS NULL AND NOT EXISTS (
          SELECT FROM product_decisions r
          WHERE r.product_id = d.product_id AND r.decision = 'removed' AND r.decided_by = d.decided_by
            AND r.created_at = d.created_at)
        """,
    ),
    Check(
        "R-I35-objections",
        "a seller objects to what took a product off sale, of their own; what is decided about an objection has one",
        """
        SELECT d.decision_id FROM report_decisions d JOIN decision_objections o USING (decision_id)
        WHERE d.decision <> 'remove' OR d.contested IS NOT NULL
           OR (o.seller_id, o.product_id) <> (d.seller_id, d.product_id)
        UNION ALL
        SELECT d.decision_id FROM report_decisions d
        WHERE d.contested IS NOT NULL AND NOT EXISTS (
          SELECT FROM decision_objections o WHERE o.decision_id = d.contested AND o.product_id = d.product_id)
        """,
    ),
)
