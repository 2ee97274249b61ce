"""`souk rates`: all rates of a file or none, and no silent change of a known one."""

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from api.operations.rates.files import BadRates, example_rates, read_rates
from api.operations.rates.write import write_rates
from tests.harness import prefork
from tests.harness.postgres import PostgresHarness, migrate_with_alembic

STORED = "SELECT day::text, from_currency, to_currency, rate::text, source FROM exchange_rates ORDER BY 1, 2, 3"
FILE = "day,from,to,rate\n2026-03-02,EUR,USD,1.0842\n\n2026-03-09,EUR,USD,1.09\n"
ROWS = [
    ("2026-03-02", "EUR", "USD", "1.08420000", "ecb"),
    ("2026-03-09", "EUR", "USD", "1.09000000", "ecb"),
]


@pytest.fixture
def empty_url(postgres_server: PostgresHarness) -> str:
    return postgres_server.url(postgres_server.fresh_database(migrate_with_alembic))


def stored(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(STORED).fetchall()


def test_a_file_is_loaded_once_and_a_changed_rate_only_when_asked(empty_url: str, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(FILE)
    rates = read_rates(file, "ecb")

    assert [write_rates(empty_url, rates, replace=False) for _ in range(2)] == [2, 0]
    assert stored(empty_url) == ROWS

    file.write_text("day,from,to,rate\n2026-04-01,EUR,USD,1.1\n2026-03-09,EUR,USD,1.2\n")
    changed = read_rates(file, "ecb")
    with pytest.raises(BadRates, match=r"EUR to USD of 2026-03-09 is known as 1\.09000000, the file says 1\.2"):
        write_rates(empty_url, changed, replace=False)
    assert stored(empty_url) == ROWS

    assert write_rates(empty_url, changed, replace=True) == 2
    assert [row[3] for row in stored(empty_url)] == ["1.08420000", "1.20000000", "1.10000000"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must begin with the line day,from,to,rate"),
        ("date,from,to,rate\n", "must begin with"),
        ("day,from,to,rate\n2026-13-01,EUR,USD,1\n", "line 2: expected"),
        ("day,from,to,rate\n2026-03-02,EUR,USD,1\n2026-03-02,EUR\n", "line 3: expected"),
        ("day,from,to,rate\n2026-03-02,eur,USD,1\n", "'eur' is no currency code"),
        ("day,from,to,rate\n2026-03-02,USD,USD,1\n", "no rate to itself"),
        ("day,from,to,rate\n2026-03-02,EUR,USD,0\n", "above 0"),
        ("day,from,to,rate\n2026-03-02,EUR,USD,NaN\n", "above 0"),
        ("day,from,to,rate\n2026-03-02,EUR,USD,1.123456789\n", "at most 8 decimals"),
        ("day,from,to,rate\n2026-03-02,EUR,USD,1\n2026-03-02,EUR,USD,2\n", "two rates EUR to USD for 2026-03-02"),
    ],
)
def test_a_wrong_file_is_named_by_its_line(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)

    with pytest.raises(BadRates, match=problem):
        read_rates(file, "x")


def test_the_examples_are_marked_and_convert_both_ways(empty_url: str, tmp_path: Path) -> None:
    assert add_examples(empty_url, tmp_path) == "18 rates read, 18 of them new or changed\n"
    assert add_examples(empty_url, tmp_path) == "18 rates read, 0 of them new or changed\n"
    found = stored(empty_url)
    assert {row[4] for row in found} == {"example"}
    assert {row[1:3] for row in found} == {
        (a, b) for a in ("EUR", "GBP", "USD") for b in ("EUR", "GBP", "USD") if a != b
    }
    assert len(found) == len(example_rates())


def test_made_up_rates_do_not_mix_with_an_operators(empty_url: str, tmp_path: Path) -> None:
    """Neither in place of a rate nor on a day that has none: a newer made-up rate would convert the days after it."""
    made_up = next(rate for rate in example_rates() if (rate.from_currency, rate.to_currency) == ("EUR", "USD"))
    real = replace(made_up, rate=Decimal("1.41"), source="ecb")
    assert write_rates(empty_url, [real], replace=False) == 1

    told = add_examples(empty_url, tmp_path)

    assert told.startswith("18 rates read, 0 of them new or changed: rates of ecb are known")
    assert [row[3:] for row in stored(empty_url)] == [("1.41000000", "ecb")]


def test_an_operators_rate_that_equals_a_made_up_one_is_the_operators(empty_url: str, tmp_path: Path) -> None:
    add_examples(empty_url, tmp_path)
    real = replace(example_rates()[0], source="ecb")

    assert [write_rates(empty_url, [real], replace=False) for _ in range(2)] == [1, 0]
    assert [row[4] for row in stored(empty_url)].count("ecb") == 1


def add_examples(url: str, home: Path) -> str:
    """What `python -m api.operations.rates example` prints."""
    environment = {**os.environ, "DATABASE_URL": url, "SOUK_HOME": str(home)}
    done = prefork.run("api.operations.rates", "example", env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
