"""Tables that cannot be read now: the others are read, and go on streaming."""

import time
from pathlib import Path

import psycopg
import pytest

from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from warehouse.cdc import session, snapshot


@pytest.mark.slow
def test_a_value_refused_in_the_middle_of_a_large_table_stops_that_table_only(
    postgres_server: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of its rows is still on the way when the table is given up."""
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", 1000)
    lab = CdcLab(postgres_server, tmp_path)
    try:
        lab.execute(
            "insert into pairs (a, b, amount) select gen_random_uuid(), i, case i when 50 then numeric 'NaN' else i end"
            " from generate_series(1, 5000) i; insert into things (thing_id, name) values (gen_random_uuid(), 'lamp')"
        )
        lab.start_thread()
        lab.wait_state("streaming")
        assert lab.status()["snapshots"] == 1
        assert list(lab.watermark().versions) == ["lines", "things"]
        stopped = lab.status()["stoppedTables"]
        assert isinstance(stopped, dict)
        assert list(stopped) == ["pairs"]
        assert stopped["pairs"].startswith("table pairs, column amount: ")
        lab.wait_row("things", "name", "lamp")
    finally:
        lab.close()


@pytest.mark.slow
def test_an_old_transaction_delays_the_table_that_is_read_again_and_no_other(
    postgres_server: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot waits for every transaction of the cluster; the stream, the stop and the others do not."""
    monkeypatch.setattr(session, "_SLOT_SECONDS", 1.0)
    lab = CdcLab(postgres_server, tmp_path)
    other = lab.server.fresh_database(None)
    try:
        lab.start_thread(SOUK_CDC_HEAL_SECONDS="2")
        lab.wait_state("streaming")
        with psycopg.connect(lab.server.url(other)) as old:
            old.execute("create table noise (i int8)")
            lab.mend("lines")
            lab.wait_stopped("lines")
            lab.execute("insert into things (thing_id, name) values (gen_random_uuid(), 'lamp')")
            lab.wait_row("things", "name", "lamp")
            assert "when the transactions that run in Postgres now have ended" in str(lab.status()["stoppedTables"])
            monkeypatch.setattr(session, "_SLOT_SECONDS", 60.0)
            lab.wait_state("snapshot")
            began = time.monotonic()
            lab.stop()
            assert time.monotonic() - began < 5
            assert lab.exit_status == 0
            monkeypatch.setattr(session, "_SLOT_SECONDS", 1.0)
            lab.start_thread(SOUK_CDC_HEAL_SECONDS="2")
            lab.wait_state("streaming")
        lab.wait_healed("lines")
        lab.assert_exact()
    finally:
        lab.close()
        lab.server.drop_database(other)


@pytest.mark.slow
def test_the_first_snapshot_waits_for_old_transactions_and_ends_when_asked(
    postgres_server: PostgresHarness, tmp_path: Path
) -> None:
    lab = CdcLab(postgres_server, tmp_path)
    other = lab.server.fresh_database(None)
    try:
        with psycopg.connect(lab.server.url(other)) as old:
            old.execute("create table noise (i int8)")
            process = lab.start()
            lab.wait_state("snapshot")
            time.sleep(0.5)
            assert lab.stop() == 0
            assert process.returncode == 0
            lab.start_thread()
        lab.assert_exact()
        assert lab.status()["snapshots"] == 1
    finally:
        lab.close()
        lab.server.drop_database(other)
