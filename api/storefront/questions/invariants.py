"""Invariants of questions and answers."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I31-counted",
        "a question or answer has as many votes as members gave it, and a question as many answers as are shown",
        """
        SELECT p.post_id, p.votes, p.answers FROM question_posts p
        WHERE p.votes <> (SELECT count(*) FROM question_votes v WHERE v.post_id = p.post_id)
           OR p.answers <> (SELECT count(*) FROM question_posts a
                            WHERE a.question_id = p.post_id AND a.removed_at IS NULL AND p.removed_at IS NULL)
        """,
    ),
)
