"""Rates as rows of Postgres."""

from collections.abc import Sequence

import psycopg

from api.operations.rates.files import EXAMPLE_SOURCE, BadRates, example_rates, pair
from api.pricing.conversion import Rate

_INSERT = (
    "INSERT INTO exchange_rates (from_currency, to_currency, day, rate, source) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (from_currency, to_currency, day) DO UPDATE SET rate = excluded.rate, source = excluded.source"
    " WHERE (exchange_rates.rate, exchange_rates.source) <> (excluded.rate, excluded.source) RETURNING 1"
)
_OTHERS = "SELECT DISTINCT source FROM exchange_rates WHERE source <> %s ORDER BY 1"
_KNOWN = "SELECT rate FROM exchange_rates WHERE from_currency = %s AND to_currency = %s AND day = %s"


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
                    f"the rate {pair(rate)} of {rate.day} is known as {known[0]:f}, the file says {rate.rate:f}:"
                    " --replace changes it, and with it every sum that was converted by it"
                )
            changed += connection.execute(_INSERT, (*key, rate.rate, rate.source)).rowcount
    return changed


def write_examples(database_url: str) -> tuple[int, list[str]]:
    """Add the made-up rates, unless a rate of another source is known: then nothing, and those sources."""
    with psycopg.connect(database_url, connect_timeout=5, application_name="souk-rates") as connection:
        others = [str(source) for (source,) in connection.execute(_OTHERS, (EXAMPLE_SOURCE,)).fetchall()]
    return (0, others) if others else (write_rates(database_url, example_rates(), replace=True), [])
