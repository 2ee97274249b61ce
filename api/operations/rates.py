"""`python -m api.operations.rates load FILE|example`: exchange rates by day, which sums over several currencies need.

A file has the columns day, from, to, rate: `2026-03-02,EUR,USD,1.0842` says what one EUR was worth in USD from that day
until the next day of the pair. A pair is not inverted and not computed over a third currency.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from api.kernel.environment import InvalidSettings
from api.kernel.settings import load_settings
from api.pricing.conversion import Rate

HEADER = ["day", "from", "to", "rate"]
EXAMPLE_SOURCE = "example"
_CODE_LETTERS = 3
# Round numbers, so that nobody mistakes them for real rates.
_EXAMPLES = (
    ("2009-01-01", "1.40", "1.50", "0.93"),
    ("2025-01-01", "1.05", "1.25", "0.84"),
    ("2026-01-01", "1.10", "1.30", "0.85"),
)
_INSERT = (
    "INSERT INTO exchange_rates (from_currency, to_currency, day, rate, source) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (from_currency, to_currency, day) DO UPDATE SET rate = excluded.rate, source = excluded.source"
    " WHERE exchange_rates.rate <> excluded.rate RETURNING 1"
)
_KNOWN = "SELECT rate FROM exchange_rates WHERE from_currency = %s AND to_currency = %s AND day = %s"

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Exchange rates by day.")


class BadRates(Exception):
    """The rates cannot be loaded; the message says why. Nothing was changed."""


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV with the columns day, from, to, rate.")],
    *,
    source: Annotated[str, typer.Option(help="Where the rates are from; default the file's name.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Change rates that are known with another value.")] = False,
) -> None:
    """Add the rates of a file: all of them or, when one is wrong, none. Loading a file again changes nothing."""
    _run(lambda: read_rates(file, source or file.name), replace=replace)


@app.command()
def example() -> None:
    """Add a few made-up rates between EUR, GBP and USD, marked as an example: for demonstrations only."""
    _run(example_rates, replace=True)


def read_rates(file: Path, source: str) -> list[Rate]:
    """The rates of a CSV file. Raises: BadRates, which names the line."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.reader(text))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRates(f"{file} cannot be read: {error}") from error
    if not rows or [name.strip().lower() for name in rows[0]] != HEADER:
        raise BadRates(f"{file} must begin with the line {','.join(HEADER)}")
    rates = [_parsed(row, f"{file}, line {number}", source) for number, row in enumerate(rows[1:], 2) if any(row)]
    seen: dict[tuple[str, str, date], Decimal] = {}
    for rate in rates:
        key = (rate.from_currency, rate.to_currency, rate.day)
        if seen.setdefault(key, rate.rate) != rate.rate:
            raise BadRates(f"{file} has two rates {_pair(rate)} for {rate.day}")
    return rates


def example_rates() -> list[Rate]:
    """Made-up rates, both ways between three currencies."""
    return list(_examples())


def write_rates(database_url: str, rates: Sequence[Rate], *, replace: bool) -> int:
    """Add the rates in one transaction; returns how many are new or changed.

    Raises: BadRates when a known rate would change and `replace` is not given: closed days would be converted anew.
    """
    changed = 0
    with psycopg.connect(database_url, connect_timeout=5, application_name="souk-rates") as connection:
        for rate in rates:
            key = (rate.from_currency, rate.to_currency, rate.day)
            known = connection.execute(_KNOWN, key).fetchone()
            if known is not None and known[0] != rate.rate and not replace:
                raise BadRates(
                    f"the rate {_pair(rate)} of {rate.day} is known as {known[0]:f}, the file says {rate.rate:f}:"
                    " --replace changes it, and with it every sum that was converted by it"
                )
            changed += connection.execute(_INSERT, (*key, rate.rate, rate.source)).rowcount
    return changed


def _run(rates: Callable[[], list[Rate]], *, replace: bool) -> None:
    try:
        settings = load_settings()
        wanted = rates()
        changed = write_rates(settings.database_url.get_secret_value(), wanted, replace=replace)
    except (InvalidSettings, BadRates, psycopg.Error) as error:
        typer.echo(f"rates: {str(error).strip()}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{len(wanted):,} rates read, {changed:,} of them new or changed")


def _parsed(row: list[str], where: str, source: str) -> Rate:
    try:
        day, before, after, value = (cell.strip() for cell in row)
        rate = Rate(before, after, date.fromisoformat(day), Decimal(value), source)
    except (ValueError, InvalidOperation) as error:
        raise BadRates(f"{where}: expected day,from,to,rate such as 2026-03-02,EUR,USD,1.0842") from error
    for code in (before, after):
        if not (len(code) == _CODE_LETTERS and code.isascii() and code.isupper() and code.isalpha()):
            raise BadRates(f"{where}: {code!r} is no currency code of three capital letters")
    if before == after:
        raise BadRates(f"{where}: a currency has no rate to itself")
    if not (rate.rate.is_finite() and 0 < rate.rate < 10**10 and rate.rate == round(rate.rate, 8)):
        raise BadRates(f"{where}: a rate is above 0 and has at most 8 decimals, not {value}")
    return rate


def _examples() -> Iterator[Rate]:
    for day, eur_usd, gbp_usd, eur_gbp in _EXAMPLES:
        for before, after, text in (("EUR", "USD", eur_usd), ("GBP", "USD", gbp_usd), ("EUR", "GBP", eur_gbp)):
            rate, at = Decimal(text), date.fromisoformat(day)
            yield Rate(before, after, at, rate, EXAMPLE_SOURCE)
            yield Rate(after, before, at, round(1 / rate, 8), EXAMPLE_SOURCE)


def _pair(rate: Rate) -> str:
    return f"{rate.from_currency} to {rate.to_currency}"


if __name__ == "__main__":
    app()
