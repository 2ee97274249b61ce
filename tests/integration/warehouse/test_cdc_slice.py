"""Postgres to lake and back to a comparison: one process, all types, every kind of change."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from warehouse.comparison import verify_against_itself
from warehouse.lake.read import attach, connect, latest_watermark, read_changes, read_current, watermark_at

A = "00000000-0000-7000-8000-00000000000"


@pytest.fixture(scope="module")
def lab(postgres_server: PostgresHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CdcLab]:
    """A running process over a database with two rows."""
    lab = CdcLab(postgres_server, tmp_path_factory.mktemp("cdc"))
    lab.execute(
        f"insert into things values ('{A}1', 'näme, \"x\"' || chr(10), -5, 9007199254740993, true, 1234567890.05, 0.1,"
        " '2024-02-29 23:59:59.123456+02', '1999-12-31', '{\"k\": [1, null]}', ''),"
        f" ('{A}2', '', null, null, null, null, null, null, null, null, null)"
    )
    lab.start_thread()
    lab.wait_watermark()
    yield lab
    lab.close()


def test_the_snapshot_keeps_every_type_exactly(lab: CdcLab) -> None:
    lab.assert_exact()
    rows = {row["thing_id"]: row for row in read_current(lab.lake, "things", lab.watermark()).to_pylist()}
    first = rows[f"{A}1"]
    assert first["name"] == 'näme, "x"\n'
    assert (first["qty"], first["big"], first["ok"], first["price"]) == (
        -5,
        9007199254740993,
        True,
        Decimal("1234567890.05"),
    )
    assert first["seen_at"] == datetime(2024, 2, 29, 21, 59, 59, 123456, tzinfo=UTC)
    assert (first["day"], first["data"], first["body"], first["ratio"]) == (
        date(1999, 12, 31),
        '{"k": [1, null]}',
        "",
        0.1,
    )
    second = rows[f"{A}2"]
    assert second["name"] == ""
    assert [second[name] for name in ("qty", "big", "ok", "price", "seen_at", "day", "data", "body")] == [None] * 8


def test_every_kind_of_change_arrives_and_replays(lab: CdcLab) -> None:
    before = lab.watermark().lsn
    lab.execute(f"insert into pairs values ('{A}1', 1, 'a', 1.5, 'hidden'), ('{A}1', 2, 'b', 2.5, 'hidden')")
    lab.execute(
        "update pairs set b = 10 where b = 1; update pairs set note = null where b = 2; update things set qty = 7"
        f" where thing_id = '{A}2'"
    )
    lab.execute(f"delete from things where thing_id = '{A}1'")
    lab.execute("insert into lines (quantity) values (1), (2); truncate lines; insert into lines (quantity) values (3)")
    lab.assert_exact()
    mark = lab.watermark()
    log = read_changes(lab.lake, "pairs", mark).to_pylist()
    assert [(row["_op"], row["b"]) for row in log] == [("i", 1), ("i", 2), ("d", 1), ("i", 10), ("u", 2)]
    assert "secret" not in log[0]
    assert [row["_op"] for row in read_changes(lab.lake, "lines", mark).to_pylist()] == ["i", "i", "t", "i"]
    assert all(row["_commit_lsn"] > before for row in log)


def test_a_toasted_value_that_an_update_left_out_stays(lab: CdcLab) -> None:
    lab.execute(
        "update things set body = (select string_agg(md5(i::text), '') from generate_series(1, 500) i) where thing_id"
        f" = '{A}2'"
    )
    lab.execute(f"update things set qty = 8 where thing_id = '{A}2'")
    lab.assert_exact()
    last = read_changes(lab.lake, "things", lab.watermark()).to_pylist()[-1]
    assert last["qty"] == 8
    assert len(last["body"]) == 16000


def test_views_are_the_state_at_their_watermark_only(lab: CdcLab) -> None:
    lab.assert_exact()
    then = lab.watermark()
    before = read_current(lab.lake, "lines", then).num_rows
    lab.execute("insert into lines (quantity) select i from generate_series(1, 5) i")
    lab.assert_exact()
    newest = lab.watermark()  # a heartbeat may write a newer one at any moment
    with connect() as con:
        attach(con, lab.lake, then, "earlier")
        attach(con, lab.lake, newest, "now")
        assert con.execute(
            "select (select count(*) from earlier.lines), (select count(*) from now.lines)"
        ).fetchone() == (
            before,
            before + 5,
        )
        assert con.execute("select lsn_text from now._watermark").fetchone() == (newest.lsn_text,)
        kinds = dict(con.execute("select column_name, column_type from (describe now.things)").fetchall())
    assert kinds["price"] == "DECIMAL(12,2)"
    assert (kinds["seen_at"], kinds["day"], kinds["ok"]) == ("TIMESTAMP WITH TIME ZONE", "DATE", "BOOLEAN")
    assert watermark_at(lab.lake, then.lsn).versions == then.versions


def test_an_idle_database_still_moves_the_lake_and_its_slot(lab: CdcLab) -> None:
    verdict = lab.verify(seconds=10)
    assert verdict.clean
    mark = latest_watermark(lab.lake)
    assert mark is not None
    assert verify_against_itself(lab.lake, lab.contract, mark.lsn).clean


def test_a_slot_ahead_of_the_lake_ends_in_a_new_snapshot(lab: CdcLab) -> None:
    """Changes were confirmed that the lake never saw: going on would hide them."""
    lab.stop()
    lab.execute("update lines set quantity = quantity + 100 where line_id = (select max(line_id) from lines)")
    slot = f"select pg_replication_slot_advance('{lab.slot}', pg_current_wal_lsn())"
    lab.execute(slot, superuser=True)
    lab.start_thread()
    lab.assert_exact()
    assert "ahead of the lake" in lab.tail()


@pytest.mark.slow
@pytest.mark.parametrize("bad", [1, 60_000])
def test_a_refused_value_in_a_table_of_many_megabytes_stops_that_table_only(
    postgres_server: PostgresHarness, tmp_path: Path, bad: int
) -> None:
    """In its first or in a later part, while the server still sends the other rows."""
    lab = CdcLab(postgres_server, tmp_path)
    try:
        lab.execute(
            "insert into things (thing_id, name, price, body) select gen_random_uuid(), 'a',"
            f" case when i = {bad} then 'NaN'::numeric else 1 end, repeat('x', 500) from generate_series(1, 60000) i"
        )
        lab.execute("insert into pairs values (gen_random_uuid(), 1, 'a', 1.5, 's')")
        lab.start_thread()
        lab.wait_state("streaming")
        assert lab.watermark().versions.keys() == {"lines", "pairs"}
        assert read_current(lab.lake, "pairs", lab.watermark()).num_rows == 1
        stopped = lab.status()["stoppedTables"]
        assert isinstance(stopped, dict)
        assert [*stopped] == ["things"]
        assert str(stopped["things"]).startswith("table things, column price: ")
    finally:
        lab.close()
