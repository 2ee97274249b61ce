"""`python -m tests.benchmarks.cdc [changes]`: change data capture compared with the server's own client, on a
temporary cluster with fsync on.

`limit` is pg_recvlogical (same Postgres, slot position and publication) writing pgoutput to /dev/null; for the snapshot
it is `psql` with COPY to /dev/null. Both limits are measured in the same run, before and after Souk, and the faster one
counts. The real process with its default settings gives the time from a commit to a reader, its processor time per
order, and the memory, files and bytes that it needs.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import psycopg
import typer
from deltalake import DeltaTable

from orchestration.runtime.postgres import postgres_bin
from tests.benchmarks import cdc_shop as shop
from tests.benchmarks.cdc_growth import measure_growth
from tests.benchmarks.results import record
from tests.harness.cdc import column
from tests.harness.postgres import PostgresHarness, running_postgres
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.collect import Collector
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.cdc.recover import Server, snapshot_all
from warehouse.cdc.slot import connect_sql, identify, memberships, published
from warehouse.cdc.stream import Pace, Stream
from warehouse.cdc.wire import Replication
from warehouse.command import program
from warehouse.contract import Contract, parse_contract
from warehouse.imports import leave_out
from warehouse.lake.lsn import format_lsn, parse_lsn
from warehouse.lake.read import latest_watermark, read_changes
from warehouse.lake.watermark import Source
from warehouse.logs import configure

SNAPSHOT_ROWS = 1_000_000
BASE_ROWS = 200_000
CHANGES = 400_000
COMMITS_PER_SECOND = 200
QUIET_COMMITS_PER_SECOND = 5
LATENCY_SECONDS = 25.0
LARGE_TRANSACTION = 1_000_000
CPU_SECONDS = 60.0
ORDERS = 36_000
SETTLE_SECONDS = 30.0
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
    pace = Pace(seconds=0.2, rows=100_000, heartbeat_seconds=10)
    with Replication(url) as replication:
        collector = Collector(contract().by_name, writer.lsn, folder / "spool", 64 * 2**20)
        maintenance = Maintenance(writer, Cadence(fold_rows=20_000, fold_seconds=20, fold_files=8, retention_hours=24))
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
    for name in ("snapshot to the lake / COPY to /dev/null", "snapshot.lake"):
        record(
            "cdc", name, ours=rows / ours[0], limit=rows / limit[0], unit="rows/s", rows=rows,
            cpuMicrosPerRow=round(ours[1] / rows * 1e6, 2), limitCpuMicrosPerRow=round(limit[1] / rows * 1e6, 2),
        )  # fmt: skip


def commit_steadily(url: str, seconds: float, per_second: float, first: int) -> dict[int, float]:
    """Commit one row per transaction at this rate; returns the time of the client's answer per row."""
    committed: dict[int, float] = {}
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        while time.perf_counter() - began < seconds:
            number = first - len(committed)
            connection.execute("insert into sales (sale_id, ordered_at) values (%s, now())", (number,))
            committed[number] = time.perf_counter()
            time.sleep(max(began + len(committed) / per_second - time.perf_counter(), 0))
    return committed


def measure_latency(url: str, folder: Path) -> None:
    """Measure the time from the answer to COMMIT until a watermark shows the transaction to a reader; then the memory
    of the same process while one transaction changes every row."""
    with shop.replicating(url, folder / "live", document()) as (lake, process):
        time.sleep(2)
        idle = shop.memory_bytes(process)
        with shop.Watch(lake) as watch:
            quiet = commit_steadily(url, LATENCY_SECONDS, QUIET_COMMITS_PER_SECOND, -1)
            loaded = commit_steadily(url, LATENCY_SECONDS, COMMITS_PER_SECOND, -100_000)
            time.sleep(2)
        mark = latest_watermark(lake)
        assert mark is not None
        log = read_changes(lake, "sales", mark).select(["sale_id", "_commit_lsn", "_op"]).to_pylist()
        lsn_of = {row["sale_id"]: row["_commit_lsn"] for row in log if row["_op"] == "i"}
        for committed, suffix in ((quiet, ""), (loaded, ".200")):
            waits = sorted(watch.wait_of(lsn_of[number], moment) for number, moment in committed.items())
            p50, p99 = (round(waits[len(waits) * percent // 100], 4) for percent in (50, 99))
            record("cdc", f"cdc.latency{suffix}", ours=p50, limit=None, unit="s", lower_is_better=True, p99=p99,
                   commits=len(waits), note=f"p99 {p99} s")  # fmt: skip
            if suffix:
                for name, value in (("p50", p50), ("p99", p99)):
                    record("cdc", f"commit to the lake, {name}", ours=value, limit=None, unit="s",
                           lower_is_better=True, commits=len(waits), commitsPerSecond=COMMITS_PER_SECOND,
                           watermarks=len(watch.seen))  # fmt: skip
        measure_memory(url, lake, process, idle)


def measure_memory(url: str, lake: Path, process: "subprocess.Popen[bytes]", idle: int) -> None:
    """Peak memory in one transaction of a million changes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate sales")
        connection.execute(ROWS.format(low=1, high=LARGE_TRANSACTION // 2).encode())
        connection.execute(
            b"begin; update sales set units = units + 1; "
            + ROWS.format(low=LARGE_TRANSACTION // 2 + 1, high=LARGE_TRANSACTION).encode()
            + b"; commit"
        )
    shop.reach(url, lake)
    for name, value in (("cdc.memory", idle), ("cdc.memory.large", shop.memory_bytes(process, "VmHWM"))):
        record("cdc", name, ours=value / 2**20, limit=None, unit="MiB", lower_is_better=True, rows=LARGE_TRANSACTION)


def measure_orders(server: PostgresHarness, folder: Path) -> None:
    """Processor time of an order at two rates; then many orders at once, and what they leave in the lake."""
    url = server.url(server.fresh_database(None), role="postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        shop.create(connection)
    placed = 0
    with shop.replicating(url, folder / "orders") as (lake, process):
        for name, rate, seconds in (("cdc.cpu", 10, CPU_SECONDS), ("cdc.cpu.100", 100, CPU_SECONDS / 2)):
            count, spent = int(rate * seconds), shop.cpu_seconds(process)
            shop.place_orders(url, placed, count, rate)
            shop.reach(url, lake)
            placed += count
            cost = (shop.cpu_seconds(process) - spent) / count * 1000
            record("cdc", name, ours=cost, limit=None, unit="CPU ms an order", lower_is_better=True, orders=count)
        shop.place_orders(url, placed, ORDERS - placed, 0)
        shop.reach(url, lake)
        time.sleep(SETTLE_SECONDS)
    files = {
        f"{part.name}/{table.name}": len(DeltaTable(str(table)).file_uris())
        for part in (lake / "changes", lake / "current") for table in part.iterdir()
    }  # fmt: skip
    files["_watermarks"] = len(DeltaTable(str(lake / "_watermarks")).file_uris())
    worst = max(files, key=lambda name: files[name])
    record("cdc", "cdc.files", ours=files[worst], limit=None, unit="live files", lower_is_better=True, orders=ORDERS,
           note=f"the most in one table, {worst}, after {ORDERS:,} orders")  # fmt: skip
    measure_bytes(url, lake)


def measure_bytes(url: str, lake: Path) -> None:
    """Bytes of the lake, each file counted once, against the heap and TOAST of the published tables."""
    sizes = {found.st_ino: found.st_size for found in (path.stat() for path in lake.rglob("*") if path.is_file())}
    live = {found.st_ino: found.st_size for found in (
        Path(unquote(uri.removeprefix("file://"))).stat()
        for part in (lake / "changes", lake / "current")
        for table in part.iterdir() for uri in DeltaTable(str(table)).file_uris()
    )}  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "select sum(pg_table_size(c.oid))::int8 from pg_publication_tables p"
            " join pg_class c on c.relname = p.tablename"
        ).fetchone()
    assert row is not None
    heap = int(str(row[0]))
    record("cdc", "cdc.bytes", ours=sum(live.values()) / heap, limit=None, unit="of the heap", lower_is_better=True,
           heapBytes=heap, liveBytes=sum(live.values()), lakeBytes=sum(sizes.values()),
           note=f"with files kept for time travel {sum(sizes.values()) / heap:.2f}")  # fmt: skip


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
        for line in (name, *(["cdc.lake"] if ours is lake else [])):
            record(
                "cdc", line, ours=changes / ours[0], limit=changes / limit[0], unit="changes/s", rows=changes,
                cpuMicrosPerRow=round(ours[1] / changes * 1e6, 2),
                limitCpuMicrosPerRow=round(limit[1] / changes * 1e6, 2),
            )  # fmt: skip


@program("python -m tests.benchmarks.cdc")
def main(changes: Annotated[int, typer.Argument(help="How many changes to stream.")] = CHANGES) -> int:
    """Measure the snapshot, the stream and its latency; JSON lines on stdout."""
    configure("warning")
    leave_out("pandas")  # as the process does
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
        measure_growth(Path(folder), contract())
        measure_latency(url, Path(folder))
        measure_orders(server, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
