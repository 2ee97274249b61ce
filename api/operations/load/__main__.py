"""`python -m api.operations.load marketplace|online-retail PATH`: fill an empty shop with history; and
`... load catalogue PATH --seller EMAIL`: a file of products for one seller.

Progress on stderr, a summary on stdout.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from api.delivery.places import Place
from api.kernel.clock import now
from api.kernel.environment import InvalidSettings
from api.kernel.settings import Settings, load_settings
from api.operations.load.errors import LoadError
from api.pricing.tariff import Tariff

if TYPE_CHECKING:
    from api.operations.load.run import Outcome

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Fill the shop with history; every invariant holds afterwards."
)
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")]
NoGateway = Annotated[bool, typer.Option("--no-gateway", help="Leave the sandbox gateway's ledger alone.")]


@app.command()
def marketplace(
    *,
    products: Annotated[int, typer.Option(min=1, max=1_000_000)] = 2_400,
    shoppers: Annotated[int, typer.Option(min=1, max=5_000_000)] = 5_000,
    orders: Annotated[int, typer.Option(min=1, max=10_000_000)] = 30_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    until: Annotated[datetime | None, typer.Option(help="UTC instant of the last order; default now.")] = None,
    as_json: Json = False,
    no_gateway: NoGateway = False,
) -> None:
    """A generated marketplace: distinct products, shoppers with tastes, half a year of orders."""
    # polars and the tables of the shop are loaded once the options are read.
    from api.operations.load.marketplace.build import Size, build_marketplace
    from api.operations.load.run import run_load

    settings = _settings()
    size = Size(products, shoppers, orders, seed)
    end = until.replace(tzinfo=UTC) if until else now()
    build = partial(build_marketplace, size, Tariff.of(settings, Place("US"), end.date()), end)
    _report(partial(run_load, settings, "marketplace", size.fingerprint, build, gateway=not no_gateway), as_json)


@app.command("online-retail")
def online_retail(
    path: Annotated[
        Path, typer.Argument(help="Folder with order_lines.csv.gz and items.tsv.gz, or a CSV with the UCI columns.")
    ],
    *,
    as_json: Json = False,
    no_gateway: NoGateway = False,
) -> None:
    """A real retail set: its customers, items, prices, orders and returns at their real times.

    What cannot be loaded goes to a report.
    """
    # polars and the tables of the shop, as above
    from api.operations.load.online_retail.build import build_online_retail
    from api.operations.load.online_retail.files import find_files
    from api.operations.load.run import run_load

    settings = _settings()

    def load() -> "Outcome":
        files = find_files(path)
        fingerprint = files.fingerprint()
        build = partial(build_online_retail, files, fingerprint)
        return run_load(settings, "online-retail", fingerprint, build, gateway=not no_gateway)

    _report(load, as_json)


@app.command("catalogue")
def catalog_file(
    path: Annotated[Path, typer.Argument(help="A file of products, as docs/catalog-files.md describes it.")],
    *,
    seller: Annotated[str, typer.Option(help="The e-mail address of the seller whose products they are.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """A file of products, CSV or JSON by line. Rows that fail are named; exit status 1 when there are any."""
    # the tables of the shop, as above
    import asyncio

    from api.operations.load.catalog_file import load_file

    try:
        summary = asyncio.run(load_file(_settings(), path, seller, dry_run=dry_run))
    except LoadError as error:
        typer.echo(f"load: {error}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(orjson.dumps(summary).decode())
    else:
        for name, value in summary.items():
            typer.echo(f"{name}: {value}")
    raise typer.Exit(0 if summary["status"] == "done" and not summary["failed"] else 1)


def _settings() -> Settings:
    try:
        return load_settings()
    except InvalidSettings as error:
        typer.echo(f"load: {error}", err=True)
        raise typer.Exit(2) from None


def _report(load: "Callable[[], Outcome]", as_json: bool) -> None:
    try:
        outcome = load()
    except LoadError as error:
        typer.echo(f"load: {error}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(orjson.dumps(outcome.as_dict()).decode())
        return
    if outcome.status == "already-loaded":
        typer.echo(f"{outcome.kind} ({outcome.fingerprint}) is loaded already; nothing changed")
        return
    for table, rows in outcome.rows.items():
        typer.echo(f"{rows:>10,}  {table}")
    rate = f"{outcome.rowsPerSecond:,} rows/s, peak {outcome.peakMemoryMiB} MiB"
    typer.echo(f"{outcome.totalRows:>10,}  rows in {outcome.writeSeconds} s ({rate})")
    for name, value in outcome.facts.items():
        typer.echo(f"{name}: {value}")


if __name__ == "__main__":
    app()
