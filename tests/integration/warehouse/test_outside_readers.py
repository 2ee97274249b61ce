"""Readers without any code of ours, and `souk sql --as-of`'s views, show what Postgres held at a stated position.

Spark's is with the other tests of Spark.
"""

import time
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from duckdb import DuckDBPyConnection as DuckDB

from tests.harness.cdc import lab_contract
from tests.harness.outside import (
    History,
    assert_equals_postgres,
    in_order,
    in_postgres,
    rows_of_arrow,
    run_program,
    two_states,
)
from tests.harness.postgres import PostgresHarness
from warehouse.contract import parse_contract
from warehouse.lake.lsn import format_lsn
from warehouse.lake.moment import UnknownMoment, parse_moment, watermark_as_of
from warehouse.lake.views import QueryRefused, open_views, tables_read
from warehouse.lake.watermark import LakeStateError, oldest_watermark


@pytest.fixture(scope="module")
def history(postgres_server: PostgresHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with two_states(postgres_server, tmp_path_factory.mktemp("outside")) as found:
        yield found


@pytest.fixture(scope="module")
def views(history: History) -> Iterator[DuckDB]:
    """What `souk sql --as-of` asks, at the second state."""
    mark = watermark_as_of(history.lab.lake, history.ends[-1])
    with open_views(history.lab.lake, mark, history.lab.contract) as con:
        yield con


def test_polars_equals_postgres(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_program("Polars", history.lab.home.parent, monkeypatch)

    assert_equals_postgres(names, history, lambda frame: in_order(frame.rows()))


def test_duckdb_equals_postgres(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_program("DuckDB", history.lab.home.parent, monkeypatch)

    assert_equals_postgres(names, history, rows_of_arrow)


def test_the_change_log_alone_is_not_the_table(history: History) -> None:
    """Negative control: what a reader sees who does not know watermarks."""
    log = pl.read_delta(f"{history.lab.lake}/changes/things").filter(pl.col("_op") != "d")

    assert log.height > len(history.rows[-1]["things"])


@pytest.mark.parametrize("state", [0, 1])
def test_as_of_a_position_or_a_time(history: History, state: int) -> None:
    lake, moment = history.lab.lake, history.times[state]
    mark = watermark_as_of(lake, parse_moment(format_lsn(history.ends[state])))

    for text in (f"{moment:%Y-%m-%d %H:%M:%S.%f}", moment.astimezone(timezone(timedelta(hours=2))).isoformat()):
        assert watermark_as_of(lake, parse_moment(text)).lsn == history.ends[state]
    assert mark.lsn == history.ends[state]
    with open_views(lake, mark, history.lab.contract) as con:
        for table in history.lab.contract.tables:
            shown = con.execute(f"SELECT {', '.join(table.names)} FROM {table.name}").fetchall()
            assert in_order(shown) == history.rows[state][table.name], table.name


def test_a_moment_outside_the_lake_is_refused_with_those_that_can_be_named(history: History) -> None:
    lake, oldest = history.lab.lake, oldest_watermark(history.lab.lake)
    assert oldest is not None
    for text in ("0/1", "2001-01-31"):
        with pytest.raises(
            LakeStateError, match=f"before the oldest state kept, {oldest.lsn_text} of .*name that or a"
        ):
            watermark_as_of(lake, parse_moment(text))
    for text in ("FFFFFFFF/0", "2101-01-31T12:00+02:00"):
        with pytest.raises(
            LakeStateError, match=r"after the newest state, [0-9A-F]+/[0-9A-F]+ of .*name that or an earlier"
        ):
            watermark_as_of(lake, parse_moment(text))
    with pytest.raises(LakeStateError, match="the lake is empty"):
        watermark_as_of(str(history.lab.home / "none"), 1)


@pytest.mark.parametrize("text", ["", "yesterday", "0x1B", "1B506", "0/1B5060812", "2026-02-30", "12:00"])
def test_what_is_no_moment_is_refused_with_both_forms(text: str) -> None:
    with pytest.raises(
        UnknownMoment, match=r"neither a log position such as 0/1A2B3C nor a time such as 2026-01-31T12"
    ):
        parse_moment(text)


def test_personal_text_is_masked_unless_asked_for(history: History) -> None:
    document = lab_contract()
    tag(document, "things", "body")
    del columns_of(document, "pairs")[2]  # the contract does not know `note` any more
    contract = parse_contract(document)
    mark = watermark_as_of(history.lab.lake, history.ends[-1])

    with open_views(history.lab.lake, mark, contract) as con:
        assert dict(con.execute("SELECT body, count(*) FROM things GROUP BY 1").fetchall()) == {"***": 286, None: 1}
        assert con.execute("SELECT DISTINCT note FROM pairs").fetchall() == [("***",)]
        assert con.execute("SELECT count(*) FROM things WHERE body LIKE '%text%' OR name = '***'").fetchall() == [(0,)]
    with open_views(history.lab.lake, mark, contract, personal=True) as con:
        assert con.execute("SELECT count(*) FROM things WHERE body = 'changed'").fetchall() == [(100,)]
        assert con.execute("SELECT count(DISTINCT note) FROM pairs").fetchall() == [(50,)]


def columns_of(document: dict[str, Any], table: str) -> list[dict[str, Any]]:  # Any: a JSON document
    found: list[dict[str, Any]] = next(t["columns"] for t in document["tables"] if t["name"] == table)  # Any: the same
    return found


def tag(document: dict[str, Any], table: str, column: str) -> None:  # Any: a JSON document
    next(c for c in columns_of(document, table) if c["name"] == column)["personal"] = "free text"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("COPY things TO '/tmp/things.csv'", "the lake is only read"),
        ("CREATE TABLE mine AS FROM things", "the lake is only read"),
        ("DROP VIEW things", "the lake is only read"),
        ("SELECT 1; DELETE FROM lines", "the lake is only read"),
        ("SELECT body FROM state.things", "things is not available here"),
        ("SELECT * FROM (SELECT (SELECT max(body) FROM state.things))", "things is not available here"),
        ("SELECT * FROM read_parquet('lake/changes/things/*.parquet')", r"read_parquet\(\) is not available here"),
        ("SELECT * FROM query('FROM state.things')", r"query\(\) is not available here"),
        ("FROM 'lake/changes/things/part.parquet'", "part.parquet is not available here"),
    ],
)
def test_a_query_that_does_more_than_read_the_views_is_refused(views: DuckDB, query: str, problem: str) -> None:
    with pytest.raises(QueryRefused, match=problem):
        tables_read(views, query)


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        (
            "WITH many AS (SELECT * FROM lines) SELECT * FROM many JOIN things USING (thing_id)",
            {"many", "lines", "things"},
        ),
        ("SELECT unnest(range(3)); FROM generate_series(1, 2)", set()),
        ("DESCRIBE things", {"things"}),
        ("SELECT lsn_text FROM _watermark", {"_watermark"}),
        ("SELECT table_name FROM information_schema.tables", {"tables"}),
    ],
)
def test_a_query_that_reads_the_views_is_not(views: DuckDB, query: str, tables: set[str]) -> None:
    assert tables_read(views, query) == tables
    views.execute(query).fetchall()


@pytest.mark.slow
def test_what_is_not_in_delta_yet_is_in_the_answers_of_as_of_only(
    postgres_server: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside readers stay exact at their own, older watermark."""
    with two_states(postgres_server, tmp_path) as history:
        lab = history.lab
        lab.start_thread(SOUK_CDC_FOLD_SECONDS="600")
        lab.wait_state("streaming")
        position = lab.watermark().lsn
        lab.execute("insert into lines (thing_id, quantity) select thing_id, 3 from things limit 5")
        rows = in_postgres(lab, lab.contract.by_name["lines"])
        deadline = time.monotonic() + 30
        while (mark := lab.watermark()).versions["lines"].changed_lsn <= position:
            assert time.monotonic() < deadline, lab.tail()
            time.sleep(0.05)
        names = run_program("Polars", tmp_path, monkeypatch)

        with open_views(lab.lake, watermark_as_of(lab.lake, mark.lsn), lab.contract) as con:
            assert in_order(con.execute("SELECT line_id, thing_id, quantity, created_at FROM lines").fetchall()) == rows
        assert names["watermark"]()["lsn"] < mark.lsn
        assert len(rows) == 12
        assert_equals_postgres(names, history, lambda frame: in_order(frame.rows()))
