"""The SQL of what is kept about a judged review, as parts of the statement that writes it."""

from collections.abc import Mapping
from uuid import UUID

import orjson

from api.kernel.statement import Part

_SIGN = """signed AS (
    INSERT INTO review_signals (review_id, user_id, product_id, seller_id, address, device, signature, bands, toxicity)
    SELECT CAST(:signal_review AS uuid), CAST(:signal_user AS uuid), CAST(:signal_product AS uuid),
           CAST(:signal_seller AS uuid), CAST(:signal_address AS text), CAST(:signal_device AS text),
           CAST(:signal_signature AS int[]), CAST(:signal_bands AS bigint[]), CAST(:signal_toxicity AS float8)
    FROM gate
    ON CONFLICT (review_id) DO UPDATE
    SET address = excluded.address, device = excluded.device, signature = excluded.signature, bands = excluded.bands,
        toxicity = excluded.toxicity
    RETURNING 1)"""
_DECIDE = """decided AS (
    INSERT INTO review_decisions (decision_id, review_id, version, cause, decision, score, reasons, statement,
                                  decided_by)
    SELECT CAST(:decision_id AS uuid), CAST(:decision_review AS uuid), CAST(:decision_version AS int),
           CAST(:decision_cause AS text), CAST(:decision_outcome AS text), CAST(:decision_score AS float8),
           CAST(:decision_reasons AS jsonb), CAST(:decision_statement AS text), CAST(:decision_by AS uuid)
    FROM gate RETURNING 1)"""
_WAIT = """waiting AS (
    INSERT INTO queued_reviews (review_id, cause, score, reasons)
    SELECT CAST(:waits_review AS uuid), CAST(:waits_cause AS text), CAST(:waits_score AS float8),
           CAST(:waits_reasons AS jsonb)
    FROM gate
    ON CONFLICT (review_id) DO UPDATE
    SET cause = excluded.cause, score = excluded.score, reasons = excluded.reasons
    RETURNING 1)"""
# What shoppers reported waits for a person, whatever the rules say of an edit.
_LEAVE = """left_queue AS (
    DELETE FROM queued_reviews q USING gate
    WHERE q.review_id = CAST(:leaves_review AS uuid)
      AND (CAST(:leaves_by AS uuid) IS NOT NULL OR q.cause <> 'reported')
    RETURNING 1)"""


def sign_part(signal: Mapping[str, object]) -> Part:
    """Keep the signals of a review, by the names of their columns."""
    values = {
        "signal_review": signal["review_id"],
        "signal_user": signal["user_id"],
        "signal_product": signal["product_id"],
        "signal_seller": signal["seller_id"],
        "signal_address": signal["address"],
        "signal_device": signal["device"],
        "signal_signature": signal["signature"],
        "signal_bands": signal["bands"],
        "signal_toxicity": signal["toxicity"],
    }
    return Part(_SIGN, values, makes=("signed",), needs=("gate",), writes=frozenset({"review_signals"}))


def decide_part(decision: Mapping[str, object]) -> Part:
    """Add a decision to the journal, by the names of its columns."""
    values = {
        "decision_id": decision["decision_id"],
        "decision_review": decision["review_id"],
        "decision_version": decision["version"],
        "decision_cause": decision["cause"],
        "decision_outcome": decision["decision"],
        "decision_score": decision["score"],
        "decision_reasons": _json(decision["reasons"]),
        "decision_statement": decision["statement"],
        "decision_by": decision["decided_by"],
    }
    return Part(_DECIDE, values, makes=("decided",), needs=("gate",), writes=frozenset({"review_decisions"}))


def wait_part(review_id: UUID, cause: str, score: float, reasons: object) -> Part:
    """Put a review in the queue; what is said of one that waits already is replaced, and it keeps its place."""
    values = {
        "waits_review": review_id,
        "waits_cause": cause,
        "waits_score": score,
        "waits_reasons": _json(reasons),
    }
    return Part(_WAIT, values, makes=("waiting",), needs=("gate",), writes=frozenset({"queued_reviews"}))


def leave_part(review_id: UUID, decided_by: UUID | None) -> Part:
    """Take a review out of the queue."""
    values = {"leaves_review": review_id, "leaves_by": decided_by}
    return Part(_LEAVE, values, makes=("left_queue",), needs=("gate",), writes=frozenset({"queued_reviews"}))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
