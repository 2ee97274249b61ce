"""`python -m tests.benchmarks.cdc [changes]`: change data capture compared with the server's own client, on a
temporary cluster with fsync on.

`limit` is pg_recvlogical (same Postgres, slot position and publication) writing pgoutput to /dev/null; for the snapshot
it is `psql` with COPY to /dev/null. Both limits are measured in the same run, before and after Souk, and the faster one
counts. The time from a commit to its row in the lake is that of the real process at 200 commits a second; its settings
commit a batch every half second.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from orchestration.runtime.postgres import postgres_bin
from tests.benchmarks.results import record
from tests.harness.cdc import column
from tests.harness.postgres import running_postgres
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.collect import Collector
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.cdc.recover import Server, snapshot_all
from warehouse.cdc.slot import connect_sql, identify, memberships, published
from warehouse.cdc.stream import Pace, Stream
from warehouse.cdc.wire import Replication
from warehouse.command import program
from warehouse.contract import Contract, parse_contract
from warehouse.lake.lsn import format_lsn, parse_lsn
from warehouse.lake.read import latest_watermark, read_changes
from warehouse.lake.watermark import Source
from warehouse.logs import configure

SNAPSHOT_ROWS = 1_000_000
BASE_ROWS = 200_000
CHANGES = 400_000
COMMITS_PER_SECOND = 200
LATENCY_SECONDS = 20.0
DDL = """
create table sales (sale_id int8 primary key, buyer uuid, seller uuid, units int4, price numeric(12,2), total
numeric(12,2), status text,
                    paid bool, ordered_at timestamptz, shipped_at timestamptz, note text);
create publication souk_cdc for table sales;
"""
ROWS = """
insert into sales select i, gen_random_uuid(), gen_random_uuid(), i % 9, i % 1000 + 0.99, (i % 9) * (i % 1000 + 0.99),
'pending', i % 2 = 0,
       now() - i * interval '1 second', null, 'note ' || i from generate_series({low}::int8, {high}::int8) i
"""
# Two inserts and two updates per transaction.
TRANSACTIONS = """
do $$ begin for i in 1..{count} loop
  insert into sales values
    ({base} + 2 * i, gen_random_uuid(), gen_random_uuid(), 1, 10.99, 10.99, 'pending', true, now(), null, 'note ' || i),
    ({base} + 2 * i + 1, gen_random_uuid(), gen_random_uuid(), 2, 5.49, 10.98, 'pending', false, now(), null, null);
  update sales set status = 'shipped', shipped_at = now() where sale_id = i % {base} + 1;
  update sales set units = units + 1 where sale_id = (i * 7) % {base} + 1;
  commit;
end loop; end $$
"""


def document() -> dict[str, object]:
    """The contract document of the only table."""
    kinds = {
        "sale_id": "int8",
        "buyer": "uuid",
        "seller": "uuid",
        "units": "int4",
        "price": "numeric",
        "total": "numeric",
        "status": "text",
    }
    kinds |= {"paid": "bool", "ordered_at": "timestamptz", "shipped_at": "timestamptz", "note": "text"}
    columns = [
        column(name, kind, key=name == "sale_id", **({"precision": 12, "scale": 2} if kind == "numeric" else {}))
        for name, kind in kinds.items()
    ]
    table = {"name": "sales", "primaryKey": ["sale_id"], "replicaIdentity": "default", "columns": columns}
    return {"version": 1, "publication": "souk_cdc", "tables": [table]}


def contract() -> Contract:
    """The parsed contract."""
    return parse_contract(document())


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds, children included."""

    def cpu() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)

    began, spent = time.perf_counter(), cpu()
    work()
    return time.perf_counter() - began, cpu() - spent


def receive_with_postgres(url: str, slot: str, end: int) -> None:
    """Receive the stream with the server's own client."""
    subprocess.run(
        [str(postgres_bin() / "pg_recvlogical"), "-d", url, "--slot", slot, "--start", "--endpos", format_lsn(end),
        "-f", "/dev/null",
         "-o", "proto_version=1", "-o", "publication_names=souk_cdc", "--no-loop"],
        check=True,
    )  # fmt: skip


def receive_and_decode(url: str, slot: str, start: int, end: int, folder: Path) -> int:
    """Decode the stream to typed Arrow columns in memory and drop them; returns the number of rows."""
    tables = contract().by_name
    rows = 0
    with Replication(url) as replication:
        replication.start(slot, start, "souk_cdc")
        collector = Collector(tables, start, folder / "spool", 2**30)
        while collector.position < end:
            message = replication.read()
            if message is None:
                replication.wait(0.1)
                continue
            if not collector.feed(message):
                continue
            if collector.batch.rows >= 50_000 or collector.position >= end:
                batch = collector.take()
                for groups in batch.by_table().values():
                    rows += sum(part.num_rows for group in groups for part in group.rows(batch.transactions, 0))
    return rows


def stream_to_lake(url: str, writer: LakeWriter, end: int, folder: Path) -> None:
    """Write to the lake as the process does, until the watermark has reached `end`."""
    pace = Pace(seconds=0.5, rows=100_000, heartbeat_seconds=10)
    with Replication(url) as replication:
        collector = Collector(contract().by_name, writer.lsn, folder / "spool", 64 * 2**20)
        maintenance = Maintenance(
            writer, Cadence(fold_rows=20_000, fold_seconds=300, fold_files=64, retention_hours=24)
        )
        stream = Stream(
            replication,
            writer=writer,
            collector=collector,
            maintenance=maintenance,
            pace=pace,
            tick=lambda: None,
        )
        stream.run("souk_cdc", lambda: writer.lsn >= end)


def fill(connection: psycopg.Connection[tuple[object, ...]], rows: int) -> None:
    """Fill the table with exactly this many rows, written to disk."""
    connection.execute("truncate sales")
    connection.execute(ROWS.format(low=1, high=rows).encode())
    connection.execute("checkpoint")


def snapshot(url: str, lake: Path) -> LakeWriter:
    """Take a snapshot of the table as the process does at its first start."""
    with connect_sql(url) as sql, Replication(url) as replication:
        identity = identify(sql)
        writer = LakeWriter(str(lake), contract().by_name, Source(identity.system_id, identity.timeline, "bench_lake"))
        members = memberships(sql, "souk_cdc")
        server = Server(url, sql, published(sql, "souk_cdc"), members, identity.version)
        snapshot_all(server, replication, writer, contract())
    return writer


def measure_snapshot(url: str, lake: Path, rows: int) -> None:
    """Compare a snapshot to the lake with COPY to /dev/null."""

    def copy() -> None:
        command = [str(postgres_bin() / "psql"), url, "-qc", "copy sales to stdout"]
        with Path("/dev/null").open("wb") as nowhere:
            subprocess.run(command, stdout=nowhere, check=True)

    before = timed(copy)
    ours = timed(lambda: _ignore(snapshot(url, lake)))
    limit = min(before, timed(copy))
    record(
        "cdc", "snapshot to the lake / COPY to /dev/null", ours=rows / ours[0], limit=rows / limit[0], unit="rows/s",
        rows=rows, cpuMicrosPerRow=round(ours[1] / rows * 1e6, 2), limitCpuMicrosPerRow=round(limit[1] / rows * 1e6, 2),
    )  # fmt: skip


@contextmanager
def replicating(url: str, home: Path) -> Iterator[Path]:
    """Run the real process with default settings; yields its lake when it streams."""
    home.mkdir()
    (home / "contract.json").write_text(json.dumps(document()))
    settings = {
        "DATABASE_URL": url,
        "SOUK_HOME": str(home),
        "SOUK_CONTRACT_PATH": str(home / "contract.json"),
        "SOUK_CDC_SLOT": "bench_live",
    }
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SOUK_", "REPLICATION_"))
    } | settings
    process = subprocess.Popen([sys.executable, "-m", "warehouse.cdc"], env=environment, cwd=Path(__file__).parents[2])
    status = home / "run" / "cdc-status.json"
    try:
        while not (status.exists() and json.loads(status.read_text())["state"] == "streaming"):
            if process.poll() is not None:
                raise RuntimeError(f"warehouse.cdc ended with {process.returncode}")
            time.sleep(0.1)
        yield home / "lake"
    finally:
        process.terminate()
        process.wait(60)


def watch(lake: Path, seen: list[tuple[int, float]], ended: threading.Event) -> None:
    """Record when each watermark first becomes visible to a reader, to about 10 ms."""
    while not ended.wait(0.01):
        mark = latest_watermark(lake)
        if mark is not None and (not seen or mark.lsn > seen[-1][0]):
            seen.append((mark.lsn, time.perf_counter()))


def commit_steadily(url: str, seconds: float) -> dict[int, float]:
    """Commit one row per transaction, `COMMITS_PER_SECOND` times; returns the time of the client's answer per row."""
    committed: dict[int, float] = {}
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        while time.perf_counter() - began < seconds:
            number = -1 - len(committed)
            connection.execute("insert into sales (sale_id, ordered_at) values (%s, now())", (number,))
            committed[number] = time.perf_counter()
            time.sleep(max(began + len(committed) / COMMITS_PER_SECOND - time.perf_counter(), 0))
    return committed


def measure_latency(url: str, folder: Path) -> None:
    """Measure the time from the answer to COMMIT until a watermark shows the transaction to a reader."""
    seen: list[tuple[int, float]] = []
    ended = threading.Event()
    with replicating(url, folder / "live") as lake:
        watcher = threading.Thread(target=watch, args=(lake, seen, ended))
        watcher.start()
        committed = commit_steadily(url, LATENCY_SECONDS)
        time.sleep(5)
        ended.set()
        watcher.join()
        mark = latest_watermark(lake)
        assert mark is not None
        log = read_changes(lake, "sales", mark).select(["sale_id", "_commit_lsn", "_op"]).to_pylist()
    lsn_of = {row["sale_id"]: row["_commit_lsn"] for row in log if row["_op"] == "i"}
    waits = sorted(
        next(at for lsn, at in seen if lsn >= lsn_of[number]) - moment for number, moment in committed.items()
    )
    for percent in (50, 99):
        record(
            "cdc", f"commit to the lake, p{percent}", ours=waits[len(waits) * percent // 100], limit=None, unit="s",
            lower_is_better=True,
            commits=len(waits), commitsPerSecond=round(len(waits) / LATENCY_SECONDS), watermarks=len(seen),
        )  # fmt: skip


def _ignore(_: object) -> None:
    """Drop a result."""


def measure_stream(url: str, writer: LakeWriter, *, start: int, end: int, changes: int, folder: Path) -> None:
    """Compare receiving and decoding, and writing to the durable lake, with pg_recvlogical."""
    limits = [timed(lambda: receive_with_postgres(url, "bench_limit_1", end))]
    decoded = timed(lambda: _ignore(receive_and_decode(url, "bench_decode", start, end, folder)))
    lake = timed(lambda: stream_to_lake(url, writer, end, folder))
    limits.append(timed(lambda: receive_with_postgres(url, "bench_limit_2", end)))
    limit = min(limits)
    measured = {
        "receive + decode to Arrow / pg_recvlogical": decoded,
        "to the durable lake, folds included / pg_recvlogical": lake,
    }
    for name, ours in measured.items():
        record(
            "cdc", name, ours=changes / ours[0], limit=changes / limit[0], unit="changes/s", rows=changes,
            cpuMicrosPerRow=round(ours[1] / changes * 1e6, 2), limitCpuMicrosPerRow=round(limit[1] / changes * 1e6, 2),
        )  # fmt: skip


@program("python -m tests.benchmarks.cdc")
def main(changes: Annotated[int, typer.Argument(help="How many changes to stream.")] = CHANGES) -> int:
    """Measure the snapshot, the stream and its latency; JSON lines on stdout."""
    configure("warning")
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder) / "postgres", fsync=True) as server:
        name = server.fresh_database(None)
        url = server.url(name, role="postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(DDL)
            fill(connection, SNAPSHOT_ROWS)
            measure_snapshot(url, Path(folder) / "large", SNAPSHOT_ROWS)
            fill(connection, BASE_ROWS)
            writer = snapshot(url, Path(folder) / "lake")
            start = writer.lsn
            for slot in ("bench_limit_1", "bench_limit_2", "bench_decode"):
                connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
            sys.stderr.write(f"writing {changes} changes\n")
            connection.execute("set synchronous_commit = off")
            connection.execute(TRANSACTIONS.format(count=changes // 4, base=BASE_ROWS).encode())
            connection.execute("set synchronous_commit = on")
            connection.execute("select pg_logical_emit_message(true, 'souk.end', '')")
            row = connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()
            assert row is not None
            end = parse_lsn(row[0])
            # One more message, so that a reader that stops at or after `end` receives one.
            connection.execute("checkpoint")
            connection.execute("insert into sales (sale_id) values (0)")
        measure_stream(url, writer, start=start, end=end, changes=changes // 4 * 4, folder=Path(folder))
        measure_latency(url, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
