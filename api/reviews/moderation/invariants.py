"""Invariants of the moderation of reviews."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I42-queue",
        "a review that is held back waits for an administrator",
        """
        SELECT r.review_id FROM reviews_by_user r
        WHERE r.status = 'queued' AND NOT EXISTS (SELECT FROM queued_reviews q WHERE q.review_id = r.review_id)
        """,
    ),
    Check(
        "R-I42-decided",
        "a review stands as its newest decision says",
        """
        SELECT r.review_id, r.status, d.decision FROM reviews_by_user r
        JOIN LATERAL (SELECT decision FROM review_decisions d WHERE d.review_id = r.review_id
                      ORDER BY decision_id DESC LIMIT 1) d ON true
        WHERE r.status <> d.decision
        """,
    ),
    Check(
        "R-I42-appeals",
        "an appeal is against a rejection of its own review",
        """
        SELECT a.review_id FROM review_appeals a JOIN review_decisions d USING (decision_id)
        WHERE d.decision <> 'rejected' OR d.review_id <> a.review_id
        """,
    ),
)
