"""`python -m api.operations.rates load FILE|example`: exchange rates by day, which sums over several currencies need.

A file has the columns day, from, to, rate: `2026-03-02,EUR,USD,1.0842` says what one EUR was worth in USD from that day
until the next day of the pair. A pair is not inverted and not computed over a third currency.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from api.kernel.environment import InvalidSettings
from api.kernel.settings import load_settings
from api.operations.rates.files import BadRates, example_rates, read_rates

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Exchange rates by day.")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV with the columns day, from, to, rate.")],
    *,
    source: Annotated[str, typer.Option(help="Where the rates are from; default the file's name.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Change rates that are known with another value.")] = False,
) -> None:
    """Add the rates of a file: all of them or, when one is wrong, none. Loading a file again changes nothing."""
    _run(lambda url: _load(url, file, source or file.name, replace=replace))


@app.command()
def example() -> None:
    """Add a few made-up rates between EUR, GBP and USD, marked as an example: for demonstrations only. Where rates of
    another source are known, it adds none."""
    _run(_example)


def _load(url: str, file: Path, source: str, *, replace: bool) -> str:
    from api.operations.rates.write import write_rates

    wanted = read_rates(file, source)
    return _told(len(wanted), write_rates(url, wanted, replace=replace))


def _example(url: str) -> str:
    from api.operations.rates.write import write_examples

    changed, others = write_examples(url)
    known = f": rates of {', '.join(others)} are known, and made-up ones do not mix with them" if others else ""
    return _told(len(example_rates()), changed) + known


def _told(read: int, changed: int) -> str:
    return f"{read:,} rates read, {changed:,} of them new or changed"


def _run(work: Callable[[str], str]) -> None:
    import psycopg  # the driver is loaded once the options are read

    try:
        told = work(load_settings().database_url.get_secret_value())
    except (InvalidSettings, BadRates, psycopg.Error) as error:
        typer.echo(f"rates: {str(error).strip()}", err=True)
        raise typer.Exit(2) from None
    typer.echo(told)


if __name__ == "__main__":
    app()
