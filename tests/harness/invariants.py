"""The invariants, checked after every concurrency, chaos, load and fuzz test."""

from collections.abc import Sequence

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations


def assert_invariants(
    database_url: str,
    *,
    sandbox_url: str | None = None,
    sandbox_key: str = "",
    others: Sequence[Gateway] = (),
    cleanup_seconds: int = 60,
) -> None:
    """Fail with every violated check and its first rows.

    With `sandbox_url` the gateway's ledger is compared too, and so are those of `others`.
    """
    gateways = [] if sandbox_url is None else [Gateway(sandbox_url, sandbox_key), *others]
    broken = violations(database_url, gateways, cleanup_seconds=cleanup_seconds)
    assert not broken, "\n".join(map(str, broken))
