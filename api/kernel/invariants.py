"""The form of an invariant, and the invariants of the outbox and of idempotency keys.

Each noun lists its own in `invariants.py`; `python -m api.operations.invariants` checks them all.
"""

from dataclasses import dataclass

CLEANUP_SECONDS = 60
"""How late the cleanup may be when nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Check:
    """`name` begins with the invariant it belongs to; `sentence` is what must hold; `sql` returns the rows
    that break it, and no row when it holds.

    `%(cleanup)s` in `sql` is how many seconds late the cleanup of expired reservations and leases may be. With
    `gateway` it reads `gateway_entries`, a temporary copy of the sandbox gateways' ledgers.
    """

    name: str
    sentence: str
    sql: str
    gateway: bool = False


CHECKS: tuple[Check, ...] = (
    Check(
        "R-I8-sequence",
        "the events of an aggregate are numbered 1 to n without a gap",
        """
        SELECT aggregate_type, aggregate_id, count(*) AS events, min(sequence) AS first, max(sequence) AS last
        FROM outbox_events GROUP BY aggregate_type, aggregate_id
        HAVING min(sequence) <> 1 OR max(sequence) <> count(*)
        """,
    ),
    Check(
        "R-I8-imported",
        "every event of loaded history is marked as published, so it is not sent",
        "SELECT event_id, event_type FROM outbox_events WHERE origin = 'import' AND published_at IS NULL",
    ),
    Check(
        "R-I9-response",
        "a finished idempotency key holds its response",
        """
        SELECT actor_key, key FROM idempotency_keys
        WHERE status = 'done' AND (response_body IS NULL OR response_status IS NULL)
        """,
    ),
    Check(
        "R-I9-lease",
        "no idempotency key stays locked past its lease plus one cleanup",
        """
        SELECT actor_key, key, locked_until FROM idempotency_keys
        WHERE status = 'in_progress' AND locked_until < now() - make_interval(secs => %(cleanup)s)
        """,
    ),
    Check(
        "R-I9-unique",
        "an actor has used a key once",
        "SELECT actor_key, key, count(*) AS rows FROM idempotency_keys GROUP BY actor_key, key HAVING count(*) > 1",
    ),
)
