"""`python -m tests.harness.lake_steps FOLDER POINT@COUNT ...`: kill -9 the writer of a lake at one point after another.

Without Postgres: the messages of some transactions are made here, and what the lake has not confirmed is sent again, as
a slot does. Each writer recovers from the death before, works until its own, and the lake is compared with the
transactions up to its watermark. Writers are forks of this process, which has imported everything and started no
thread, so all points together take seconds. Prints a line per point: `exact`, or what is wrong. `--unguarded`: writers
forget what each table's own log says about its LSN.
"""

import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.harness.cdc import lab_contract
from warehouse import failpoints
from warehouse.cdc import apply
from warehouse.cdc.collect import Collector
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.contract import Table, parse_contract
from warehouse.imports import leave_out
from warehouse.lake import append
from warehouse.lake.fold import expire_files, expire_watermarks
from warehouse.lake.hot import hot_folder, segment_paths
from warehouse.lake.read import latest_watermark, read_changes, read_current
from warehouse.lake.watermark import Source
from warehouse.logs import configure

TABLES = {name: table for name, table in parse_contract(lab_contract()).by_name.items() if name != "things"}
OIDS = {"int8": 20, "uuid": 2950, "int4": 23, "timestamptz": 1184, "text": 25, "numeric": 1700}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT_LSN, FIRST_LINES = 10, 5
TORN = "cdc.hot_cut"  # passed only by a writer that finds a torn batch
MOST, LAST = 40, 3  # transactions of a writer before it must have died, and of the last one
LARGE_EVERY, EXPIRE_EVERY, SPILL_BYTES = 5, 6, 1_500
UUID = "00000000-0000-7000-8000-000000000001"
Row = tuple[str, str, tuple[str | None, ...]]


def changes_of(number: int) -> list[Row]:
    """The changes of one transaction: (operation, table, values)."""
    line = 100 * number
    many = 30 if number % LARGE_EVERY == 0 else 2
    at = "2026-01-01 00:00:00+00"
    changes: list[Row] = [("I", "lines", (str(line + place), UUID, str(place), at)) for place in range(many)]
    changes.append(("I", "pairs", (UUID, str(number), None, "1.5000")))
    if number > 2:
        changes.append(("U", "lines", (str(line - 100), UUID, "-1", "2026-01-02 00:00:00.5+00")))
        changes.append(("D", "lines", (str(line - 199), None, None, None)))
    return changes


def lsn_of(number: int) -> int:
    return SNAPSHOT_LSN + 10 * number


def messages(number: int) -> Iterator[bytes]:
    """One transaction as the server sends it, with its relations."""
    lsn = lsn_of(number)
    yield b"B" + struct.pack(">QqI", lsn - 1, 0, number)
    for oid, table in enumerate(TABLES.values()):
        yield _relation(oid, table)
    for operation, name, values in changes_of(number):
        mark = b"K" if operation == "D" else b"N"
        yield operation.encode() + struct.pack(">I", [*TABLES].index(name)) + mark + _tuple(values)
    yield b"C\0" + struct.pack(">QQq", lsn - 1, lsn, 0)


def _relation(oid: int, table: Table) -> bytes:
    columns = [
        struct.pack(">B", column.name in table.primary_key)
        + column.name.encode() + b"\0" + struct.pack(">Ii", OIDS[column.type], -1)
        for column in table.columns
    ]  # fmt: skip
    head = struct.pack(">I", oid) + b"public\0" + table.name.encode() + b"\0d"
    return b"R" + head + struct.pack(">H", len(columns)) + b"".join(columns)


def _tuple(values: tuple[str | None, ...]) -> bytes:
    cells = [b"n" if value is None else b"t" + struct.pack(">I", len(value)) + value.encode() for value in values]
    return struct.pack(">H", len(values)) + b"".join(cells)


class Inline(Executor):
    """Runs the work at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # Any: as Executor's own
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def drive(folder: Path, transactions: int) -> None:
    """Everything that the process does to a lake: from where it stands, this many transactions."""
    writer = apply.LakeWriter(str(folder / "lake"), TABLES, Source("1", 1, "slot"))
    if writer.mark is None:
        for name, table in TABLES.items():
            lines = [{"line_id": number, "quantity": 0, "created_at": NOW} for number in range(FIRST_LINES)]
            rows = pa.Table.from_pylist(lines if name == "lines" else [], schema=table.data_schema)
            writer.snapshot_table(name, SNAPSHOT_LSN, [rows], first=True)
        writer.publish_snapshot(SNAPSHOT_LSN, {}, NOW)
    collector = Collector(TABLES, writer.lsn, folder / "spool", SPILL_BYTES)
    maintenance = Maintenance(writer, Cadence(fold_rows=8, fold_seconds=0, fold_files=3, retention_hours=24))
    done = (writer.lsn - SNAPSHOT_LSN) // 10
    for number in range(done + 1, done + transactions + 1):
        for message in messages(number):
            collector.feed(message)
        batch = collector.take()
        writer.apply(batch)
        batch.discard()
        while number % 2 == 0 and maintenance.run_next(Inline()):
            pass
        if number % EXPIRE_EVERY == 0:
            writer.name_newest()
            assert writer.base is not None
            expire_watermarks(writer.watermark_table, writer.base, 1)
            for state in writer.states.values():
                expire_files(state.changes, 1)
                expire_files(state.current, 1)
    writer.fold()


def wrong(lake: str) -> str | None:
    """How the lake differs from the transactions up to its watermark, each once; None when it does not."""
    mark = latest_watermark(lake)
    if mark is None:
        return None
    live: dict[str, set[tuple[str, ...]]] = {"lines": {(str(number),) for number in range(FIRST_LINES)}, "pairs": set()}
    log = {"lines": [("r", str(number)) for number in range(FIRST_LINES)], "pairs": []}
    for number in range(1, (mark.lsn - SNAPSHOT_LSN) // 10 + 1):
        for operation, name, values in changes_of(number):
            key = tuple(str(value) for value in values[: len(TABLES[name].primary_key)])
            (live[name].discard if operation == "D" else live[name].add)(key)
            log[name].append((operation.lower(), ",".join(key)))
    for name, table in TABLES.items():
        keys = [tuple(str(row[at]) for at in table.primary_key) for row in read_current(lake, name, mark).to_pylist()]
        if len(keys) != len(live[name]) or set(keys) != live[name]:
            return f"{name} has {len(keys)} rows instead of {len(live[name])}"
        rows = read_changes(lake, name, mark).to_pylist()
        found = [(str(row["_op"]), ",".join(str(row[at]) for at in table.primary_key)) for row in rows]
        if found != log[name]:
            return f"{name} has {len(found)} changes instead of {len(log[name])}, or in another order"
    return None


def _forked(work: Callable[[], object]) -> int:
    """The wait status of a process that does this work."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - a fork must never return
            _say(f"{type(error).__name__}: {error}")
            os._exit(1)
    return os.waitpid(child, 0)[1]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _live(folder: Path, before: str | None, point: str | None) -> None:
    """Compare the lake as `before` left it, then write until `point`, or, without one, a little, and compare again."""
    lake = str(folder / "lake")
    if before:
        _say(f"{before}: {wrong(lake) or 'exact'}")
    failpoints.arm(f"{point}=kill" if point else "", failpoints.POINTS)
    drive(folder, MOST if point else LAST)
    if point is None:
        _say(f"the end: {wrong(lake) or 'exact'}")


def _tear(lake: Path) -> None:
    """Leave the beginning of a batch at the end of the hot log, as a death in the middle of a write does."""
    newest = segment_paths(hot_folder(lake))[-1]
    frames = newest.read_bytes()
    newest.write_bytes(frames + frames[:100])  # less than any batch


def main() -> int:
    """Always 0: the lines say what was found."""
    leave_out("pandas")
    configure("error")
    vars(append)["_CHECKPOINT_COMMITS"] = 4
    if "--unguarded" in sys.argv:
        vars(apply)["durable_lsn"] = lambda _: 0
    folder, *points = [argument for argument in sys.argv[1:] if argument != "--unguarded"]
    before: str | None = None
    for point in [*points, None]:
        if point and point.startswith(TORN):
            _tear(Path(folder) / "lake")
        status = _forked(partial(_live, Path(folder), before, point))
        if status != (signal.SIGKILL if point else 0):
            _say(f"{point or 'the end'}: the writer ended with {status}")
        before = point
    return 0


if __name__ == "__main__":
    sys.exit(main())
