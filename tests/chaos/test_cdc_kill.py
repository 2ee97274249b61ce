"""kill -9 the CDC process at every point, Postgres by an immediate stop: afterwards the lake is Postgres, and no change
is in it twice."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.harness.cdc import CdcLab, busy_neighbour
from tests.harness.cdc_workload import Workload
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.quick import few
from warehouse.failpoints import POINTS
from warehouse.lake.read import latest_watermark

# The first five and the first go with every run, the others with the long one. Recovery runs in a thread: only the
# dying need a process.
SNAPSHOT_POINTS = (
    "cdc.snapshot_mid",
    "cdc.snapshot_before_watermark",
    "cdc.after_slot",
    "cdc.snapshot_after_watermark",
)
STREAM_POINTS = (
    "cdc.mid_tables",
    "cdc.before_watermark",
    "cdc.before_feedback",
    "cdc.fold_after",
    "cdc.hot_written",
    "cdc.spill_mid",
    "cdc.after_receive",
    "cdc.before_tables",
    "cdc.after_watermark",
    "cdc.after_feedback",
    "cdc.hot_before",
    "cdc.hot_synced",
    "cdc.hot_begin",
    "cdc.hot_expire",
    "cdc.fold_begin",
    "cdc.append_mid",
    "cdc.fold_mid",
    "cdc.compact_mid",
    "cdc.commit_linked",
)
# The others of a lake's writer are in test_cdc_steps, which needs no server.
STEPS = ("cdc.adopt_mid", "cdc.share_mid", "cdc.checkpoint_mid", "cdc.expire_mid", "cdc.hot_cut")
QUICK = {
    "SOUK_CDC_SPILL_BYTES": "40000",
    "SOUK_CDC_FOLD_FILES": "4",
    "SOUK_CDC_FOLD_SECONDS": "1",
    "SOUK_CDC_FOLD_ROWS": "20",
}
# The process with its guard removed: it forgets what each table's own commit says about its LSN.
UNGUARDED = (
    "-c",
    (
        "import sys, warehouse.cdc.apply as apply; apply.durable_lsn = lambda table: 0;"
        " from warehouse.cdc.__main__ import main; sys.exit(main())"
    ),
)


@pytest.fixture(scope="module")
def lab(postgres_server: PostgresHarness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CdcLab]:
    """One database and lake that live through all the kills of this module."""
    lab = CdcLab(postgres_server, tmp_path_factory.mktemp("chaos"))
    with busy_neighbour(postgres_server):
        lab.start_thread(**QUICK)
        lab.wait_watermark()
        yield lab
        lab.close()


def work_until_killed(lab: CdcLab, seed: int, seconds: float = 40) -> int:
    """Random transactions until the process has died; returns how many were committed."""
    process = lab.process
    assert process is not None
    workload = Workload(lab.url, seed)
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None and not lab.streaming():
            time.sleep(0.05)
        while process.poll() is None:
            assert time.monotonic() < deadline, f"the failpoint was never reached:\n{lab.tail()}"
            workload.run(3)
            time.sleep(0.03)
        workload.run(5)
    finally:
        workload.close()
    assert lab.wait_exit() == -9
    return workload.committed


def test_every_registered_point_is_killed_at() -> None:
    assert {*SNAPSHOT_POINTS, *STREAM_POINTS, *STEPS} == {point for point in POINTS if point.startswith("cdc.")}


@pytest.mark.parametrize("point", few(STREAM_POINTS, 2))
def test_killed_while_streaming(lab: CdcLab, point: str) -> None:
    lab.start(f"{point}@2=kill", settings=QUICK)
    assert work_until_killed(lab, seed=STREAM_POINTS.index(point)) > 0
    lab.start_thread(**QUICK)
    lab.assert_exact()
    assert lab.wait_reported("snapshots", 1), "no restart copies the tables again, next to a busy database"


@pytest.mark.parametrize("point", few(SNAPSHOT_POINTS, 1))
def test_killed_in_the_first_snapshot(postgres_server: PostgresHarness, tmp_path: Path, point: str) -> None:
    lab = CdcLab(postgres_server, tmp_path)
    try:
        workload = Workload(lab.url, 7)
        workload.run(40)
        lab.start(f"{point}=kill")
        assert lab.wait_exit() == -9
        seen = latest_watermark(lab.lake)
        assert (seen is None) == (point != "cdc.snapshot_after_watermark"), "readers may see a finished snapshot only"
        workload.run(40)
        workload.close()
        lab.start_thread()
        lab.assert_exact()
    finally:
        lab.close()


@pytest.fixture
def running(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    """A lake with rows that no process writes at the moment."""
    lab = CdcLab(postgres_server, tmp_path)
    lab.start_thread(**QUICK)
    lab.wait_watermark()
    workload = Workload(lab.url, 11)
    workload.run(40)
    workload.close()
    lab.assert_exact()
    lab.stop()
    yield lab
    lab.close()


def die_and_go_on(lab: CdcLab, failpoint: str) -> None:
    """Die there at a start, miss some transactions, start again: exact."""
    lab.start(f"{failpoint}=kill", settings=QUICK)
    assert lab.wait_exit() == -9
    workload = Workload(lab.url, 12)
    workload.run(40)
    workload.close()
    lab.start_thread(**QUICK)
    lab.wait_state("streaming")
    lab.wait_none_stopped(30)
    lab.assert_exact()


@pytest.mark.slow
@pytest.mark.parametrize("point", ["cdc.snapshot_mid", "cdc.append_mid@2", "cdc.commit_linked@2", "cdc.append_mid"])
def test_killed_while_one_table_is_read_again(running: CdcLab, point: str) -> None:
    """The first commit is the watermark at which it stops, the second one its rows."""
    running.mend("lines")
    die_and_go_on(running, point)
    assert running.status()["snapshots"] == 1
    assert running.wait_reported("tableSnapshots", 1)


@pytest.mark.slow
@pytest.mark.parametrize("point", [*SNAPSHOT_POINTS, "cdc.append_mid"])
def test_killed_in_a_later_snapshot_of_all_tables(running: CdcLab, point: str) -> None:
    running.drop_slot()
    running.execute("delete from lines where line_id % 3 = 0")
    die_and_go_on(running, point)
    assert running.status()["snapshots"] == 2


def test_without_the_lsn_in_the_commit_duplicates_appear(postgres_server: PostgresHarness, tmp_path: Path) -> None:
    """The negative control: the same kill, the guard removed, and the same oracle must object."""
    lab = CdcLab(postgres_server, tmp_path)
    try:
        lab.start("cdc.before_watermark@2=kill", settings=QUICK)
        lab.wait_watermark()
        work_until_killed(lab, seed=3)
        lab.start(program=UNGUARDED, settings=QUICK)
        assert lab.verify().clean
        assert lab.duplicates() > 0
    finally:
        lab.close()


def _through_server_death(lab: CdcLab, server: PostgresHarness, seed: int) -> None:
    """Load, then an immediate stop of Postgres under it; the process waits and goes on by itself."""
    stop = threading.Event()
    workload = Workload(lab.url, seed)

    def load() -> None:
        with contextlib.suppress(psycopg.Error):
            while not stop.is_set():
                workload.one()

    thread = threading.Thread(target=load)
    thread.start()
    time.sleep(random.Random(seed).uniform(0.5, 1.5))
    server.immediate_stop()
    stop.set()
    thread.join(30)
    server.start()


@pytest.mark.slow
def test_postgres_stopped_immediately_under_load(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres", fsync=True, settings=(("synchronous_commit", "off"),)) as server:
        lab = CdcLab(server, tmp_path / "lab")
        try:
            process = lab.start(settings=QUICK)
            lab.wait_watermark()
            _through_server_death(lab, server, seed=1)
            lab.assert_exact()
            assert process.poll() is None, "losing the server must not end the process"
        finally:
            lab.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(20))
def test_many_random_kills(postgres_server: PostgresHarness, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    lab = CdcLab(postgres_server, tmp_path)
    try:
        for number in range(6):
            point = rng.choice(STREAM_POINTS)
            lab.start(f"{point}@{rng.randint(1, 6)}=kill", settings=QUICK)
            work_until_killed(lab, seed=seed * 100 + number, seconds=300)
        lab.start_thread(**QUICK)
        lab.assert_exact()
    finally:
        lab.close()
