"""The sandbox's own ledger, copied into a temporary table so that SQL can compare it."""

from collections.abc import Iterator

import httpx
import psycopg

PAGE_ROWS = 20_000
_TABLE = """
CREATE TEMPORARY TABLE gateway_entries (
  key text PRIMARY KEY, kind text NOT NULL, status text NOT NULL, parent_key text, amount numeric(12,2) NOT NULL,
  currency text NOT NULL, reference text NOT NULL
)
"""


class GatewaySilent(Exception):
    """The sandbox does not answer, or refuses our key."""


def copy_ledger(connection: psycopg.Connection[tuple[object, ...]], url: str, key: str) -> int:
    """Fill `gateway_entries`; returns its rows. Raises: GatewaySilent."""
    connection.execute(_TABLE)
    count = 0
    with connection.cursor() as cursor, cursor.copy("COPY gateway_entries FROM STDIN") as copy:
        for row in _entries(url, key):
            copy.write_row(row)
            count += 1
    connection.execute("ANALYZE gateway_entries")
    return count


def _entries(url: str, key: str) -> Iterator[tuple[str | None, ...]]:
    after: int | None = 0
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False) as client:
        while after is not None:
            try:
                page = client.get("/v1/ledger", params={"after": after, "limit": PAGE_ROWS}).raise_for_status().json()
            except httpx.HTTPError as error:
                raise GatewaySilent(f"the sandbox gateway at {url} does not give its ledger: {error}") from error
            for entry in page["entries"]:
                fields = (entry["key"], entry["kind"], entry["status"], entry["parentKey"], entry["amount"])
                yield (*fields, entry["currency"], entry["reference"])
            after = page["next"]
