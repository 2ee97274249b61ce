"""A state of the lake that Postgres cannot have had is found, and the references are the database's own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.harness.synthetic_lake import CONTRACT, START, Row, random_shop, write_lake
from warehouse.contract import load_contract
from warehouse.lake.wholeness import REFERENCES, faults

TABLES = tuple(
    load_contract(CONTRACT).by_name[name] for name in sorted({name for c, _, p in REFERENCES for name in (c, p)})
)


def lose_an_order(rows: dict[str, list[Row]]) -> None:
    lines = {row["order_id"] for row in rows["order_items"]}
    rows["orders"] = [row for row in rows["orders"] if row["order_id"] != min(map(str, lines))]


def double_a_product(rows: dict[str, list[Row]]) -> None:
    rows["products"] = [*rows["products"], rows["products"][0]]


def nothing(rows: dict[str, list[Row]]) -> None:
    """The control."""


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lose_an_order, "order_items.order_id: values that are no row of orders"),
        (double_a_product, "products: rows that share their key with another row: 1"),
        (nothing, None),
    ],
)
def test_a_torn_state_is_named(harm: Callable[[dict[str, list[Row]]], None], found: str | None, tmp_path: Path) -> None:
    rows = random_shop(3, orders=20).rows
    harm(rows)
    mark = write_lake(tmp_path, rows, lsn=1_000, as_of=START)

    answer = faults(str(tmp_path), mark, TABLES)

    assert [found is not None and found in line for line in answer].count(True) == (found is not None)
    assert bool(answer) == (found is not None)


def test_a_table_that_stopped_is_not_judged_by_its_references(tmp_path: Path) -> None:
    rows = random_shop(3, orders=20).rows
    lose_an_order(rows)
    mark = write_lake(tmp_path, rows, lsn=1_000, as_of=START)
    stopped = replace(mark.versions["orders"], error="a column was dropped")

    assert faults(str(tmp_path), replace(mark, versions={**mark.versions, "orders": stopped}), TABLES) == []


def test_the_references_are_foreign_keys_of_the_database(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT conrelid::regclass::text, attname, confrelid::regclass::text FROM pg_constraint"
            " JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f'"
        ).fetchall()

    assert set(REFERENCES) <= {(str(child), str(column), str(parent)) for child, column, parent in rows}
