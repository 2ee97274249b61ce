"""What replication does when the schema, the slot or a value is not as expected: go on exactly, or stop that table with
a name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.harness.cdc import CdcLab, column, lab_contract
from tests.harness.postgres import PostgresHarness, running_postgres
from warehouse.cdc.main import serve
from warehouse.lake.read import read_changes, read_current
from warehouse.running import AnotherConsumer
from warehouse.settings import WarehouseSettings
from warehouse.stop import Stop
from warehouse.verify import main as verify_main

ONE = "00000000-0000-7000-8000-000000000001"
ROW = f"insert into things (thing_id, name, price) values ('{ONE}', 'a', 1.00)"


@pytest.fixture
def lab(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    """A running process, streaming, one row in `things`."""
    lab = CdcLab(postgres_server, tmp_path)
    lab.execute(ROW)
    lab.start_thread()
    lab.wait_watermark()
    yield lab
    lab.close()


def with_column(
    table: str, added: dict[str, object]
) -> dict[str, Any]:  # Any: a JSON document that the test then changes
    """The lab's contract with one more column."""
    document: dict[str, Any] = lab_contract()  # Any: the same document
    next(item for item in document["tables"] if item["name"] == table)["columns"].append(added)
    return document


def test_a_new_column_stops_its_table_by_name_until_the_contract_has_it(lab: CdcLab) -> None:
    lab.execute("alter table things add column colour text default 'red'")
    lab.execute(f"update things set name = 'b' where thing_id = '{ONE}'; insert into lines (quantity) values (1)")
    verdict = lab.verify()
    results = {result.table: result for result in verdict.tables}
    assert results["lines"].clean, "the other tables go on"
    assert not results["things"].clean
    assert results["things"].error == "table things, column colour: published by Postgres but not in the contract"
    assert lab.status()["stoppedTables"] == {"things": results["things"].error} or lab.wait_stopped("things")

    lab.write_contract(with_column("things", column("colour", "text")))
    lab.wait_healed("things")
    lab.assert_exact()
    assert [row["colour"] for row in read_current(lab.lake, "things", lab.watermark()).to_pylist()] == ["red"]
    lab.execute(f"update things set colour = 'blue' where thing_id = '{ONE}'")
    lab.assert_exact()


def test_a_contract_ahead_of_postgres_reads_null_and_then_the_column(lab: CdcLab) -> None:
    lab.write_contract(with_column("pairs", column("weight", "int4")))
    lab.execute(f"insert into pairs values ('{ONE}', 1, 'a', 1, 's')")
    lab.stop()
    lab.execute(
        "alter table pairs add column weight int4; alter publication souk_cdc set table things, pairs (a, b, note,"
        " amount, weight), lines"
    )
    lab.start_thread()
    lab.wait_state("streaming")
    lab.execute(f"update pairs set weight = 5; insert into pairs values ('{ONE}', 2, 'b', 1, 's', 6)")
    lab.assert_exact()
    assert sorted(row["weight"] for row in read_current(lab.lake, "pairs", lab.watermark()).to_pylist()) == [5, 6]


def test_a_new_table_is_snapshotted_while_the_others_stream(lab: CdcLab) -> None:
    lab.execute(
        "create table extras (id int8 primary key, note text); insert into extras select i, 'x' from generate_series(1,"
        " 500) i"
    )
    lab.execute("alter publication souk_cdc add table extras")
    document: dict[str, Any] = lab_contract()  # Any: a JSON document
    columns = [column("id", "int8", key=True, nullable=False), column("note", "text")]
    document["tables"].append(
        {"name": "extras", "primaryKey": ["id"], "replicaIdentity": "default", "columns": columns}
    )
    lab.write_contract(document)
    lab.execute("update extras set note = 'y' where id < 100; insert into lines (quantity) values (1)")
    lab.wait_healed("extras")
    lab.execute("delete from extras where id > 400")
    lab.assert_exact()
    assert read_current(lab.lake, "extras", lab.watermark()).num_rows == 400


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "insert into things (thing_id, name, price) values (gen_random_uuid(), 'a', 'NaN')",
            "table things, column price: ",
        ),
        (
            "insert into things (thing_id, name, seen_at) values (gen_random_uuid(), 'a', 'infinity')",
            "table things, column seen_at: ",
        ),
        ("alter table things alter column qty type int8", "table things, column qty: Postgres type oid 20 is not int4"),
    ],
)
def test_a_value_or_type_without_an_exact_place_stops_its_table_only(lab: CdcLab, statement: str, message: str) -> None:
    lab.execute(statement)
    lab.execute(f"update things set name = 'c' where thing_id = '{ONE}'; insert into lines (quantity) values (1)")
    results = {result.table: result for result in lab.verify().tables}
    assert results["lines"].clean
    assert (results["things"].error or "").startswith(message)
    assert read_current(lab.lake, "things", lab.watermark()).column("name").to_pylist() == ["a"], (
        "exact as of the LSN where it stopped"
    )


@pytest.mark.slow
def test_a_repaired_value_brings_its_table_back_by_itself(lab: CdcLab) -> None:
    lab.start_thread(SOUK_CDC_HEAL_SECONDS="0.5", SOUK_CDC_HEARTBEAT_SECONDS="0.3")
    lab.wait_state("streaming")
    lab.execute("insert into things (thing_id, name, price) values (gen_random_uuid(), 'a', 'NaN')")
    lab.wait_stopped("things")
    lab.execute("update things set price = 2 where price = 'NaN'")
    lab.wait_healed("things")
    lab.assert_exact()
    assert read_current(lab.lake, "things", lab.watermark()).num_rows == 2
    lab.wait_none_stopped()


@pytest.mark.slow
def test_a_default_that_rewrote_the_table_reaches_old_rows(lab: CdcLab) -> None:
    lab.stop()
    lab.execute("alter table things add column token text default md5(random()::text)")
    lab.write_contract(with_column("things", column("token", "text")))
    lab.start_thread()
    lab.wait_state("streaming")
    lab.wait_none_stopped()
    lab.assert_exact()
    assert read_current(lab.lake, "things", lab.watermark()).column("token").null_count == 0


def test_a_large_value_left_out_without_full_identity_is_refused_by_name(lab: CdcLab) -> None:
    lab.execute("alter table things replica identity default")
    lab.execute(
        "update things set body = (select string_agg(md5(i::text), '') from generate_series(1, 400) i) where thing_id"
        f" = '{ONE}'"
    )
    lab.execute(f"update things set qty = 1 where thing_id = '{ONE}'")
    results = {result.table: result for result in lab.verify().tables}
    assert "column body: an update left its large value out; ALTER TABLE things REPLICA IDENTITY FULL" in (
        results["things"].error or ""
    )


def test_a_dropped_slot_means_a_new_snapshot_and_phantom_rows_vanish(lab: CdcLab) -> None:
    lab.execute("insert into lines (quantity) select i from generate_series(1, 50) i")
    lab.assert_exact()
    lab.stop()
    lab.drop_slot()
    lab.execute("delete from lines where quantity > 10")
    lab.start_thread()
    lab.assert_exact()
    mark = lab.watermark()
    assert read_current(lab.lake, "lines", mark).num_rows == 10
    assert [row["_op"] for row in read_changes(lab.lake, "lines", mark).to_pylist()].count("t") == 1
    assert "the replication slot is gone" in lab.tail()


def test_verify_names_the_rows_that_differ(
    lab: CdcLab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process that looks at the publication would report the table as stopped, at a moment of its own.
    lab.start_thread(SOUK_CDC_PUBLICATION_SECONDS="3600")
    lab.execute(
        f"insert into lines (quantity) values (1), (2), (3); insert into pairs values ('{ONE}', 7, 'a', 1, 's')"
    )
    lab.assert_exact()
    lab.execute(
        "alter publication souk_cdc drop table lines;"
        " update lines set quantity = 9 where quantity = 1; delete from lines where quantity = 2;"
        " insert into lines (line_id, quantity) values (77, 7)",
        superuser=True,
    )
    for name, value in lab.env().items():
        monkeypatch.setenv(name, value)
    assert verify_main(["--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["clean"] is False
    lines = next(item for item in printed["tables"] if item["table"] == "lines")
    assert (lines["missing"], lines["extra"], lines["different"]) == (1, 1, 1)
    assert "missing: 77" in lines["keys"]
    assert verify_main(["--at", printed["lsn"], "--json"]) == 0
    assert verify_main(["--at", "FF/0"]) == 2
    assert "has reached" in capsys.readouterr().out


@pytest.mark.slow
def test_a_slot_lost_to_the_log_limit_is_snapshotted_anew(tmp_path: Path) -> None:
    settings = (
        ("max_slot_wal_keep_size", "16MB"),
        ("max_wal_size", "32MB"),
        ("min_wal_size", "32MB"),
        ("wal_keep_size", "0"),
    )
    with running_postgres(tmp_path / "postgres", settings=settings) as server:
        lab = CdcLab(server, tmp_path / "lab")
        try:
            lab.start_thread()
            lab.wait_watermark()
            lab.stop()
            for _ in range(4):
                lab.execute(
                    "insert into lines (quantity) select i from generate_series(1, 150000) i; select pg_switch_wal();"
                    " checkpoint",
                    superuser=True,
                )
            with psycopg.connect(lab.url) as connection:
                assert connection.execute("select wal_status from pg_replication_slots").fetchone() == ("lost",)
            lab.execute("delete from lines where quantity > 1000")
            lab.start_thread()
            lab.assert_exact()
            assert "invalidated" in lab.tail()
        finally:
            lab.close()


def test_another_server_is_refused_in_words(lab: CdcLab, tmp_path: Path) -> None:
    lab.stop()
    with running_postgres(tmp_path / "other") as other:
        second = CdcLab(other, tmp_path / "second")
        try:
            second.start_thread(SOUK_LAKE_URI=lab.lake)
            second.wait_state("failed")
            assert "the lake belongs to Postgres system" in str(second.status()["error"])
        finally:
            second.close()


@pytest.mark.slow
def test_a_promoted_server_is_snapshotted_anew(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres") as server:
        lab = CdcLab(server, tmp_path / "lab")
        try:
            lab.execute("insert into lines (quantity) values (1), (2)")
            lab.start_thread()
            lab.wait_watermark()
            lab.stop()
            server.promote()
            lab.execute("delete from lines where quantity = 1")
            lab.start_thread()
            lab.assert_exact()
            assert "the timeline changed from 1 to 2" in lab.tail()
        finally:
            lab.close()


def test_a_quiet_publication_does_not_hold_the_log(lab: CdcLab) -> None:
    lab.execute("create table unpublished (i int8)")
    lab.execute("insert into unpublished select generate_series(1, 200000)")
    lab.wait_retained(2 * 1024 * 1024)


def test_only_one_process_writes_a_lake(lab: CdcLab) -> None:
    settings = WarehouseSettings.model_validate({"home": lab.home, "database_url": lab.url})
    with pytest.raises(AnotherConsumer, match="only one may write a lake"):
        serve(settings, Stop())
