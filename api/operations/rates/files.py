"""Rates that an operator's file holds, and made-up ones for demonstrations."""

import csv
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

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


class BadRates(Exception):
    """The rates cannot be loaded; the message says why. Nothing was changed."""


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
            raise BadRates(f"{file} has two rates {pair(rate)} for {rate.day}")
    return rates


def example_rates() -> list[Rate]:
    """Made-up rates, both ways between three currencies."""
    return list(_examples())


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


def pair(rate: Rate) -> str:
    """Such as "EUR to USD"."""
    return f"{rate.from_currency} to {rate.to_currency}"
