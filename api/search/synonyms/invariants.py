"""Invariants of synonyms."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I43-decided",
        "a synonym's state is what was decided last, and it is suggested while nothing was",
        """
        SELECT s.synonym_id, s.state, d.decision FROM search_synonyms s
        LEFT JOIN LATERAL (SELECT decision FROM search_synonym_decisions d
                           WHERE d.synonym_id = s.synonym_id ORDER BY decision_id DESC LIMIT 1) d ON true
        WHERE s.state <> coalesce(d.decision, 'suggested')
        """,
    ),
)
