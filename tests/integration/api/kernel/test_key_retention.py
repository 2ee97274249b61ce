"""Idempotency keys are deleted when their time is over, and not while their request may still be running."""

import psycopg

from api.kernel import idempotency
from api.kernel.context import Context

OLD = "make_interval(secs => %(age)s) + interval '1 hour'"
KEYS = f"""
    INSERT INTO idempotency_keys (actor_key, key, route, request_hash, status, locked_until, response_status,
                                  response_headers, response_body, created_at)
    SELECT 'user:retention', name, 'POST /x', '\\x00', status, now() + locked, 200, '{{}}', '\\x7b7d', now() - age
    FROM (VALUES ('old', 'done', interval '0', {OLD}),
                 ('old and running', 'in_progress', interval '1 hour', {OLD}),
                 ('old and abandoned', 'in_progress', interval '-1 hour', {OLD}),
                 ('young', 'done', interval '0', interval '1 minute')) AS keys(name, status, locked, age)
"""


async def test_old_keys_are_deleted_unless_their_lease_runs(ctx: Context, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(KEYS, {"age": ctx.settings.idempotency_retention_seconds})

        assert await idempotency.reap(ctx) == 2

        left = connection.execute("SELECT key FROM idempotency_keys WHERE actor_key = 'user:retention' ORDER BY key")
        assert [row[0] for row in left.fetchall()] == ["old and running", "young"]
        connection.execute("DELETE FROM idempotency_keys WHERE actor_key = 'user:retention'")
