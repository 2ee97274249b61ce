"""`python -m api.operations.invariants [--json] [--no-gateway]`: exit 0 when everything holds, 1 when something does
not, 2 when it cannot be told."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from api.kernel.environment import InvalidSettings
from api.kernel.invariants import CLEANUP_SECONDS
from api.kernel.settings import load_settings

if TYPE_CHECKING:
    from api.operations.invariants.run import Result


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")] = False,
    no_gateway: Annotated[
        bool, typer.Option("--no-gateway", help="Skip the comparison with the sandbox gateway's ledger (R-I6).")
    ] = False,
    cleanup_seconds: Annotated[
        int,
        typer.Option(
            "--cleanup-seconds",
            "--sweep-seconds",
            min=0,
            help="How late the cleanup of expired reservations and leases may be.",
        ),
    ] = CLEANUP_SECONDS,
) -> None:
    """Check every invariant of the shop."""
    # The driver and all nouns are loaded once the options are read.
    import psycopg

    from api.operations.invariants.checks import CHECKS
    from api.operations.invariants.gateway import GatewaySilent, ledger_of
    from api.operations.invariants.run import run_checks

    try:
        settings = load_settings()
        gateways = [ledger_of(name, connection) for name, connection in settings.gateways.items()]
        results = run_checks(
            settings.database_url.get_secret_value(), [] if no_gateway else gateways, cleanup_seconds=cleanup_seconds
        )
    except (GatewaySilent, psycopg.Error, InvalidSettings) as error:
        hint = " (--no-gateway skips R-I6)" if isinstance(error, GatewaySilent) else ""
        typer.echo(f"invariants: {str(error).strip()}{hint}", err=True)
        raise typer.Exit(2) from None
    skipped = [check.name for check in CHECKS if check.gateway] if no_gateway else []
    broken = [result.violation for result in results if result.violation]
    if as_json:
        checks = [{"name": r.check.name, "holds": r.violation is None, "seconds": round(r.seconds, 3)} for r in results]
        document = {
            "holds": not broken,
            "checks": checks,
            "skipped": skipped,
            "violations": [asdict(v) for v in broken],
        }
        typer.echo(orjson.dumps(document).decode())
    else:
        _print(results, skipped)
    raise typer.Exit(1 if broken else 0)


def _print(results: "list[Result]", skipped: list[str]) -> None:
    for result in results:
        word = "ok" if result.violation is None else "BROKEN"
        typer.echo(f"{word:<6} {result.check.name:<18} {result.seconds:6.2f} s  {result.check.sentence}")
        if result.violation:
            typer.echo(f"       {result.violation}")
    for name in skipped:
        typer.echo(f"skip   {name:<18}           not compared with the gateway, as asked")


if __name__ == "__main__":
    typer.run(main)
