"""The sandbox gateway's part of a loaded history: the same money, in its own ledger, under the same keys.

The rows are read from the committed tables, so the ledger gets exactly what the shop holds. The gateway ignores keys
that it has already, so a load that stopped between the commit and this step is completed by running it again.
"""

from collections.abc import Iterator

import httpx
import psycopg

from api.kernel.settings import Settings
from api.operations.load.copy import Advance
from api.operations.load.errors import GatewayUnavailable

BATCH_ROWS = 5_000
# One ledger entry per movement of money. An authorisation has the payment's key; captures, voids and refunds name it as
# their parent.
_ENTRIES = """
SELECT json_build_object('key', key, 'kind', kind, 'status', status, 'parentKey', parent_key,
                         'amount', amount::text, 'currency', currency, 'reference', order_id::text,
                         'origin', 'import')::text
FROM (
  SELECT gateway_key AS key, 'authorisation' AS kind, 'authorised' AS status, NULL AS parent_key, amount, currency,
         order_id, 1 AS step
  FROM payments WHERE origin = 'import'
  UNION ALL
  SELECT gateway_key || ':capture', 'capture', 'captured', gateway_key, captured_amount, currency, order_id, 2
  FROM payments WHERE origin = 'import' AND captured_amount > 0
  UNION ALL
  SELECT gateway_key || ':void', 'void', 'voided', gateway_key, amount, currency, order_id, 2
  FROM payments WHERE origin = 'import' AND status = 'voided'
  UNION ALL
  SELECT r.gateway_key, 'refund', 'refunded', p.gateway_key, r.amount, p.currency, r.order_id, 3
  FROM refunds r JOIN payments p USING (payment_id) WHERE r.origin = 'import'
) entry
ORDER BY step
"""


def require_gateway(settings: Settings) -> None:
    """Raises GatewayUnavailable when the sandbox does not answer; asked before anything is written."""
    try:
        httpx.get(
            f"{settings.sandbox_url}/health/live", timeout=settings.gateway_timeout_seconds, trust_env=False
        ).raise_for_status()
    except httpx.HTTPError as error:
        raise GatewayUnavailable(
            f"the sandbox gateway does not answer at {settings.sandbox_url} ({error}); start it, or load with"
            " --no-gateway and accept that its ledger will not know these payments; nothing was loaded"
        ) from error


def import_ledger(settings: Settings, database_url: str, advance: Advance) -> int:
    """Send every loaded movement of money to the gateway, in batches; returns how many. Raises: GatewayUnavailable."""
    sent = 0
    headers = {
        "Authorization": f"Bearer {settings.sandbox_key.get_secret_value()}",
        "Content-Type": "application/x-ndjson",
    }
    with httpx.Client(base_url=settings.sandbox_url, headers=headers, timeout=60, trust_env=False) as client:
        for batch in _batches(database_url):
            try:
                client.post("/v1/import", content="\n".join(batch).encode() + b"\n").raise_for_status()
            except httpx.HTTPError as error:
                raise GatewayUnavailable(
                    f"the shop's tables are loaded, but the gateway's import stopped after {sent} rows ({error}); run"
                    " the same load again"
                ) from error
            sent += len(batch)
            advance(len(batch))
    return sent


def _batches(database_url: str) -> Iterator[list[str]]:
    with psycopg.connect(database_url) as connection, connection.cursor("entries") as cursor:
        cursor.execute(_ENTRIES)
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield [row[0] for row in rows]
