"""The ledgers of the sandbox gateways, copied into a temporary table so that SQL can compare them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

import httpx
import psycopg

from api.kernel.settings import SandboxConnection

PAGE_ROWS = 20_000
_TABLE = """
CREATE TEMPORARY TABLE gateway_entries (
  gateway text NOT NULL, key text NOT NULL, kind text NOT NULL, status text NOT NULL, parent_key text,
  amount numeric(12,2) NOT NULL, currency text NOT NULL, reference text NOT NULL, PRIMARY KEY (gateway, key)
)
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The address and key of a sandbox gateway; `name` is its name in `payments.gateway`."""

    url: str
    key: str
    name: str = "sandbox"


class GatewaySilent(Exception):
    """The sandbox does not answer, or refuses our key."""


def ledger_of(name: str, connection: SandboxConnection) -> Gateway:
    """Where the ledger of the gateway `name` is read."""
    match connection:
        case SandboxConnection(url=url, key=key):
            return Gateway(url, key.get_secret_value(), name)
        case _:  # mypy reports a kind without a case
            assert_never(connection)


def copy_ledgers(connection: psycopg.Connection[tuple[object, ...]], gateways: Sequence[Gateway]) -> int:
    """Fill `gateway_entries`; returns its rows. Raises: GatewaySilent."""
    connection.execute(_TABLE)
    count = 0
    with connection.cursor() as cursor, cursor.copy("COPY gateway_entries FROM STDIN") as copy:
        for gateway in gateways:
            for row in _entries(gateway.url, gateway.key):
                copy.write_row((gateway.name, *row))
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
