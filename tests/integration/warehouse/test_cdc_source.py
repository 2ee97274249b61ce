"""The source changes under a running cdc: a busy neighbour, an edited publication, a table of the same name, a stream
that hangs. It goes on exactly, heals by itself, or stops that table by name."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.harness.cdc import CdcLab, busy_neighbour
from tests.harness.postgres import PostgresHarness, running_postgres
from warehouse.lake.read import read_current
from warehouse.mend import main as mend

ONE = "00000000-0000-7000-8000-000000000001"
LINES = "insert into lines (quantity) select i from generate_series(1, 20) i"
# The process with its guard removed: it confirms what the server has sent, as drivers do, and not what is durable.
DRIVER_LIKE = (
    "-c",
    (
        "import sys, warehouse.cdc.wire as wire; confirm = wire.Replication.confirm;"
        " wire.Replication.confirm = lambda self, lsn: confirm(self, max(lsn, self.wal_end));"
        " from warehouse.cdc.__main__ import main; sys.exit(main())"
    ),
)


@pytest.fixture
def lab(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    """A running process, streaming, twenty rows in `lines`."""
    lab = CdcLab(postgres_server, tmp_path)
    lab.execute(LINES)
    lab.start_thread()
    lab.wait_state("streaming")
    yield lab
    lab.close()


def restart(lab: CdcLab, *, kill: bool) -> None:
    """Start the process, commit a change, wait until the slot has followed the neighbour's log, then end it by kill -9
    or by SIGTERM."""
    lab.start(settings={"SOUK_CDC_HEARTBEAT_SECONDS": "0.3"})
    lab.wait_state("streaming")
    lab.execute("insert into lines (quantity) values (1)")
    lab.wait_confirmed()
    if kill:
        lab.kill()
        lab.process = None
    else:
        assert lab.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_and_twenty_restarts_next_to_a_busy_database_take_no_snapshot(lab: CdcLab) -> None:
    """`tests/chaos/test_cdc_kill.py` has a busy neighbour too, and kills at every point."""
    lab.stop()
    with busy_neighbour(lab.server):
        for kill in (True, False) * 20:
            restart(lab, kill=kill)
        lab.start_thread()
        lab.wait_state("streaming")
        lab.assert_exact()
    assert lab.status()["snapshots"] == 1, "the first one"
    assert lab.status()["tableSnapshots"] == 0


@pytest.mark.slow
def test_a_client_that_confirms_what_was_sent_copies_everything_again(lab: CdcLab) -> None:
    """The negative control of the restarts."""
    lab.stop()
    with busy_neighbour(lab.server):
        lab.start(program=DRIVER_LIKE, settings={"SOUK_CDC_HEARTBEAT_SECONDS": "600"})
        lab.wait_state("streaming")
        lab.execute("insert into lines (quantity) values (1)")
        lab.wait_ahead()
        lab.kill()
        lab.process = None
        lab.start_thread()
        lab.wait_state("streaming")
        lab.assert_exact()
    assert lab.status()["snapshots"] == 2
    assert "ahead of the lake" in lab.log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_server_that_shuts_down_does_not_wait_for_the_lake(tmp_path: Path) -> None:
    """It asks for a confirmation of the whole log, other databases' part too, before it ends."""
    with running_postgres(tmp_path / "postgres") as server:
        lab = CdcLab(server, tmp_path / "lab")
        try:
            lab.start_thread(SOUK_CDC_HEARTBEAT_SECONDS="600")
            lab.wait_state("streaming")
            name = server.fresh_database(None)
            with psycopg.connect(server.url(name), autocommit=True) as connection:
                connection.execute("create table noise as select generate_series(1, 1000)")
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 10
            server.start()
            lab.wait_state("streaming")
            lab.assert_exact()
            assert lab.status()["snapshots"] == 1
        finally:
            lab.close()


@pytest.mark.slow
def test_a_table_taken_out_of_the_publication_stops_and_comes_back_exact(lab: CdcLab) -> None:
    began = time.monotonic()
    lab.execute("alter publication souk_cdc drop table lines")
    lab.execute("update lines set quantity = 100 where quantity <= 3")
    lab.wait_stopped("lines")
    assert time.monotonic() - began < 10
    assert lab.status()["stoppedTables"] == {"lines": "table lines: in the contract but not in publication souk_cdc"}
    assert lab.watermark().versions["lines"].error == "table lines: in the contract but not in publication souk_cdc"
    lab.execute("alter publication souk_cdc add table lines")
    lab.wait_healed("lines")
    lab.wait_none_stopped()
    lab.assert_exact()
    assert lab.status()["snapshots"] == 1
    assert lab.status()["tableSnapshots"] == 1


@pytest.mark.slow
def test_a_table_taken_out_and_put_back_at_once_is_read_again(lab: CdcLab) -> None:
    lab.execute(
        "alter publication souk_cdc drop table lines; update lines set quantity = 100 where quantity <= 3;"
        " alter publication souk_cdc add table lines"
    )
    lab.wait_table_snapshots(1)
    lab.assert_exact()
    assert "it was taken out of the publication and put back" in lab.log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_table_swapped_by_rename_is_read_again(lab: CdcLab) -> None:
    lab.execute(
        "create table lines_new (like lines including all); insert into lines_new (line_id, quantity) values (7, 70),"
        " (900, 90); alter table lines rename to lines_old; alter table lines_new rename to lines;"
        " alter publication souk_cdc drop table lines_old; alter publication souk_cdc add table lines"
    )
    lab.execute("update lines set quantity = 71 where line_id = 7")
    lab.wait_table_snapshots(1)
    lab.execute("update lines set quantity = 91 where line_id = 900")
    lab.assert_exact()
    rows = read_current(lab.lake, "lines", lab.watermark())
    assert sorted(rows.column("quantity").to_pylist()) == [71, 91]
    lab.stop()
    lab.start_thread()
    lab.wait_state("streaming")
    lab.assert_exact()
    assert lab.status()["tableSnapshots"] == 1, "known by its oid from now on"


@pytest.mark.slow
def test_a_partitioned_table_under_the_name_stops_by_name(lab: CdcLab) -> None:
    lab.execute(
        "alter table lines rename to lines_old; create table lines (like lines_old) partition by range (line_id);"
        " alter table lines add primary key (line_id); create table lines_1 partition of lines for values from (0) to"
        " (1000000); alter publication souk_cdc drop table lines_old; alter publication souk_cdc add table lines"
    )
    lab.execute("insert into lines (line_id, quantity, created_at) values (1, 1, now())")
    lab.wait_stopped("lines")
    why = "table lines is partitioned or has child tables: publish a plain table"
    assert lab.status()["stoppedTables"] == {"lines": why}


@pytest.mark.slow
def test_a_table_of_another_schema_never_reaches_the_table_of_its_name(lab: CdcLab) -> None:
    lab.execute(
        "create schema archive; create table archive.lines (like lines including all); alter publication souk_cdc add"
        " table archive.lines; insert into archive.lines (line_id, quantity) values (1, 999), (5000, 999)"
    )
    lab.execute("insert into lines (quantity) values (55)")
    lab.assert_exact()
    lab.wait_reported("unknownTables", ["archive.lines"])
    assert 999 not in read_current(lab.lake, "lines", lab.watermark()).column("quantity").to_pylist()
    assert lab.status()["stoppedTables"] == {}


@pytest.mark.slow
def test_a_publication_without_updates_stops_its_tables_and_a_full_one_heals_them(lab: CdcLab) -> None:
    lab.execute("alter publication souk_cdc set (publish = 'insert')")
    lab.execute("update lines set quantity = 100 where quantity <= 3")
    lab.wait_stopped("lines")
    assert "ALTER PUBLICATION souk_cdc SET (publish = 'insert, update, delete, truncate')" in str(lab.status())
    lab.execute("alter publication souk_cdc set (publish = 'insert, update, delete, truncate')")
    lab.wait_none_stopped()
    lab.wait_healed("lines")
    lab.assert_exact()


@pytest.mark.slow
def test_migrating_again_changes_no_fingerprint(lab: CdcLab) -> None:
    """`souk up` sets the publication each time."""
    lab.execute(
        "alter publication souk_cdc set table things, pairs (a, b, note, amount), lines; alter table things replica"
        " identity full"
    )
    # The comparison that sees this table has seen the tables above too.
    lab.execute("create schema archive; create table archive.lines (i int8); alter publication souk_cdc add table"
                " archive.lines")  # fmt: skip
    lab.wait_reported("unknownTables", ["archive.lines"])
    lab.assert_exact()
    assert lab.status()["tableSnapshots"] == 0


@pytest.mark.slow
def test_a_frozen_stream_shows_its_true_lag(lab: CdcLab) -> None:
    with psycopg.connect(lab.url) as connection:
        row = connection.execute(
            "select active_pid from pg_replication_slots where slot_name = %s", (lab.slot,)
        ).fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGSTOP)
    try:
        lab.execute("update lines set quantity = quantity + 1")
        committed = time.monotonic()
        time.sleep(4.0)
        status = lab.status()
        true_lag = time.monotonic() - committed
        assert true_lag - 2 <= float(str(status["lagSeconds"])) <= true_lag + 1
        assert int(str(status["lagBytes"])) > 0
    finally:
        os.kill(row[0], signal.SIGCONT)
    lab.assert_exact()
    lab.wait_reported("lagSeconds", 0.0)


@pytest.mark.slow
def test_a_stopped_tables_lag_runs_from_where_it_stopped(lab: CdcLab) -> None:
    lab.execute(f"insert into things (thing_id, name, price) values ('{ONE}', 'a', 'NaN')")
    lab.wait_stopped("things")
    time.sleep(1.5)
    tables = lab.status()["tables"]
    assert isinstance(tables, dict)
    assert tables["lines"]["lagSeconds"] < 1
    assert tables["things"]["lagSeconds"] >= 1.5
    assert tables["things"]["stopped"].startswith("table things, column price: ")
    assert tables["things"]["stoppedAt"] is not None


@pytest.mark.slow
def test_the_status_shows_the_slot_and_what_it_holds_back(lab: CdcLab) -> None:
    lab.wait_active()
    slot = lab.status()["slot"]
    assert isinstance(slot, dict)
    assert (slot["name"], slot["active"], slot["walStatus"], slot["alert"]) == (lab.slot, True, "reserved", None)
    assert slot["retainedBytes"] >= 0


@pytest.mark.slow
def test_a_table_is_read_again_on_request(lab: CdcLab) -> None:
    lab.mend("lines")
    lab.mend("no such table")
    lab.wait_table_snapshots(1)
    lab.assert_exact()
    assert list((lab.home / "run" / "cdc-mend").iterdir()) == []


@pytest.mark.slow
def test_a_table_that_cannot_be_written_stops_alone_and_comes_back(lab: CdcLab) -> None:
    """Its Delta log is damaged: no error of one table may end the process."""
    lab.stop()
    log = Path(lab.lake) / "changes" / "pairs" / "_delta_log"
    newest = max(log.glob("*.json"))
    content = newest.read_bytes()
    newest.write_bytes(b"{damaged")
    lab.start_thread(SOUK_CDC_HEAL_SECONDS="600")
    lab.wait_state("streaming")
    lab.wait_stopped("pairs")
    lab.execute("insert into lines (quantity) values (333)")
    lab.wait_row("lines", "quantity", 333)
    assert lab.status()["stoppedTables"].keys() == {"pairs"}  # type: ignore[attr-defined]  # JSON
    newest.write_bytes(content)
    lab.mend("pairs")
    lab.wait_none_stopped()
    lab.wait_healed("pairs")
    lab.assert_exact()


@pytest.mark.slow
def test_a_table_that_cdc_may_not_read_whole_stops_by_name(lab: CdcLab) -> None:
    """A row-level security policy would hide rows from the snapshot while the stream sends them."""
    lab.execute("alter table lines enable row level security")
    lab.mend("lines")
    lab.wait_stopped("lines")
    lab.wait_state("streaming")
    assert "row-level security policy" in str(lab.status()["stoppedTables"])
    lab.execute("alter table lines disable row level security")
    lab.mend("lines")
    lab.wait_healed("lines")
    lab.assert_exact()


@pytest.mark.slow
def test_the_command_waits_until_the_table_is_exact_or_says_why_it_is_not(
    lab: CdcLab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in lab.env().items():
        monkeypatch.setenv(name, value)
    assert mend(["lines", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"table": "lines", "mended": True, "problem": None}
    assert mend(["orders"]) == 2
    assert capsys.readouterr().out == "orders: no table orders; there are: lines, pairs, things\n"

    lab.execute(f"insert into things (thing_id, name, price) values ('{ONE}', 'a', 'NaN')")
    lab.wait_stopped("things")
    assert mend(["things", "--wait", "2"]) == 1
    assert capsys.readouterr().out.startswith("things: table things, column price: ")
    lab.execute("update things set price = 1")
    assert mend(["things"]) == 0
    assert capsys.readouterr().out == "things: read again, exact\n"
    lab.assert_exact()

    lab.stop()
    assert mend(["lines", "--wait", "1"]) == 1
    assert capsys.readouterr().out == "lines: cdc has not taken the request: does it run? `souk status`\n"


@pytest.mark.slow
def test_a_publication_made_anew_and_a_table_dropped_and_made_anew_are_read_again(lab: CdcLab) -> None:
    lab.execute(
        "drop publication souk_cdc; update lines set quantity = 100 where quantity <= 3; create publication souk_cdc"
        " for table things, pairs (a, b, note, amount), lines"
    )
    lab.wait_table_snapshots(3)
    lab.assert_exact()
    lab.execute(
        "create table lines_new (like lines including all); drop table lines; alter table lines_new rename to lines;"
        " insert into lines (line_id, quantity) values (5, 5); alter publication souk_cdc add table lines"
    )
    lab.wait_table_snapshots(4)
    lab.assert_exact()


@pytest.mark.slow
def test_a_table_renamed_for_a_moment_heals(lab: CdcLab) -> None:
    lab.start_thread(SOUK_CDC_HEAL_SECONDS="1", SOUK_CDC_PUBLICATION_SECONDS="600")
    lab.wait_state("streaming")
    lab.execute(
        "alter table lines rename to lines_old; update lines_old set quantity = 100;"
        " alter table lines_old rename to lines"
    )
    lab.wait_table_snapshots(1)
    lab.assert_exact()


@pytest.mark.slow
def test_a_table_moved_to_another_schema_stops_by_name(lab: CdcLab) -> None:
    lab.execute("create schema archive; alter table lines set schema archive; update archive.lines set quantity = 100")
    lab.wait_stopped("lines")
    lab.wait_reported("unknownTables", ["archive.lines"])
    lab.execute("alter table archive.lines set schema public")
    lab.wait_none_stopped()
    lab.wait_healed("lines")
    lab.assert_exact()
