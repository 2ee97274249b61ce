"""Writes batches and snapshots to the lake.

Every table's commit carries its LSN; one watermark row then makes the batch visible. Three rules make the result exact.
A table's rows and its LSN are one Delta commit, so after a crash the table itself records its LSN, and rows at or below
that LSN are skipped. Readers see nothing before the watermark row. Only LSNs that a watermark covers are confirmed to
the slot.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from warehouse.cdc.batch import Batch, Group, Transactions
from warehouse.cdc.columns import ValueRefused
from warehouse.cdc.poison import work_on
from warehouse.cdc.tee import Sink, write_all
from warehouse.contract import CHANGE_COLUMNS, Table
from warehouse.failpoints import hit
from warehouse.lake.catalog import TypeChanged, added_columns, ensure_changes, ensure_current, root_of
from warehouse.lake.commit import ArrowData, commit_rows, durable_lsn, sync_commits, sync_since
from warehouse.lake.watermark import Source, TableVersion, Watermark, latest_watermark, open_watermarks, write_watermark
from warehouse.logs import get_logger

log = get_logger(__name__)


@dataclass
class TableState:
    """One table's open handles and its position.

    `lsn`: rows at or below it are in the change log. `live_from`: from this watermark on the table is exact again
    after a snapshot of its own. `added`: columns of the contract that the next commit adds to the lake. `shown`: the
    versions of the last watermark, None before the table's first one. `relation`: the fingerprint of the source's table
    when its rows were last read whole, None where that is not known.
    """

    table: Table
    changes: DeltaTable
    current: DeltaTable
    lsn: int
    live_from: int
    current_version: int
    folded_lsn: int
    shown: TableVersion | None
    relation: str | None = None
    added: list[str] = field(default_factory=list)
    tail_rows: int = 0
    tail_files: int = 0

    @property
    def stopped(self) -> bool:
        return self.shown is not None and self.shown.error is not None


class LakeWriter:
    """The single writer of one lake. Not thread-safe; one process per lake (`main` holds the lock)."""

    def __init__(
        self, lake: str, tables: Mapping[str, Table], source: Source, left_out: Mapping[str, str] | None = None
    ) -> None:
        """`left_out`: tables that this writer leaves as they are, with the reason."""
        self.lake = lake
        self.mark = latest_watermark(lake)
        before = self.mark.source if self.mark and self.mark.source else source
        self.source = replace(source, snapshots=before.snapshots, table_snapshots=before.table_snapshots)
        self.watermark_table = open_watermarks(lake)
        sync_since(self.watermark_table, self.watermark_table.version() - 1)
        self.refused: dict[str, str] = dict(left_out or {})
        self.states: dict[str, TableState] = {}
        for name, table in sorted(tables.items()):
            if name in self.refused:
                continue
            try:
                with work_on(name):
                    self.states[name] = self._open(table)
            except TypeChanged as error:
                self.refused[name] = str(error)
        self._unsynced: list[tuple[DeltaTable, int]] = []

    @property
    def lsn(self) -> int:
        """The durable LSN: everything up to it is in the lake and visible. 0 before the first snapshot."""
        return self.mark.lsn if self.mark else 0

    @property
    def awaited(self) -> int | None:
        """The position at which a table that was read again becomes exact; None when none waits."""
        waiting = [state.live_from for state in self.states.values() if state.live_from > self.lsn]
        return max(waiting, default=None)

    def _open(self, table: Table) -> TableState:
        changes, current = ensure_changes(self.lake, table), ensure_current(self.lake, table)
        shown = self.mark.versions.get(table.name) if self.mark else None
        state = TableState(
            table=table,
            changes=changes,
            current=current,
            lsn=max(durable_lsn(changes), self.lsn),
            live_from=0,
            current_version=shown.current if shown else current.version(),
            folded_lsn=shown.folded_lsn if shown else 0,
            shown=shown,
            relation=shown.relation if shown else None,
            added=added_columns(changes, table.changes_schema),
        )
        # The last writes of a killed process may not be on the disk yet.
        sync_since(changes, shown.changes if shown else -1)
        sync_since(current, shown.current if shown else -1)
        self.count_tail(state)
        return state

    def count_tail(self, state: TableState) -> None:
        """Measure again, from file statistics, the part of the change log above the base."""
        actions = pa.table(state.changes.get_add_actions(flatten=True))
        if "max._commit_lsn" not in actions.column_names:
            state.tail_files = state.tail_rows = 0
            return
        pairs = zip(actions["num_records"].to_pylist(), actions["max._commit_lsn"].to_pylist(), strict=True)
        tail = [rows or 0 for rows, high in pairs if high is None or high > state.folded_lsn]
        state.tail_files, state.tail_rows = len(tail), sum(tail)

    def missing(self) -> list[str]:
        """Tables that no watermark shows exactly yet: new in the contract, or stopped."""
        return [name for name, state in self.states.items() if state.shown is None or state.stopped]

    def stop(self, reasons: Mapping[str, str]) -> None:
        """Show these tables as of the durable LSN until each has a snapshot of its own.

        Durable on return: after a crash between that snapshot and the next watermark, the next process would otherwise
        find the column and not know that the rows before the snapshot are missing.
        """
        if self.mark is None or not reasons:
            return
        stopped = {name: (self.lsn, reason) for name, reason in reasons.items()}
        self._publish(self.mark.lsn, self.mark.commit_ts, stopped, self.mark.source or self.source)

    def widen(self) -> None:
        """Add the new columns to the exact tables now, so that readers of the newer contract need not wait for a change
        of the table.
        """
        for state in self.states.values():
            if state.added and state.shown is not None and not state.stopped:
                self._unsynced.append(
                    (state.changes, self._commit(state, state.table.changes_schema.empty_table(), None))
                )

    # --- streaming

    def apply(self, batch: Batch) -> Watermark:
        """Make a batch durable and visible; returns the new watermark.

        Tables with refused values stop, the others continue.
        """
        if batch.lsn is None:
            raise ValueError("a batch without a whole transaction has no place in the lake")
        stopped = dict(batch.stopped)
        hit("cdc.before_tables")
        for name, groups in batch.by_table().items():
            state = self.states.get(name)
            if state is None or (state.stopped and state.live_from == 0):
                continue
            try:
                with work_on(name):
                    self._append(state, batch, groups)
            except ValueRefused as error:
                log.exception("table stopped", table=name)
                # None of this batch is in the lake, so an earlier stop within it does not hold.
                stopped[name] = (self.lsn, str(error))
            hit("cdc.mid_tables")
        hit("cdc.before_watermark")
        mark = self._publish(batch.lsn, batch.last_commit_ts, stopped, self.source)
        hit("cdc.after_watermark")
        return mark

    def _append(self, state: TableState, batch: Batch, groups: list[Group]) -> None:
        for group in groups:
            group.check()
        rows = self.new_rows(state, groups, batch.transactions)
        if any(group.spilled for group in groups):
            counted = _Counted(rows)
            batches = (part for chunk in counted for part in chunk.to_batches())
            data: ArrowData = pa.RecordBatchReader.from_batches(state.table.changes_schema, batches)
            version = self._commit(state, data, batch.lsn)
            count = counted.count
        else:
            chunks = list(rows)
            if not chunks:
                return
            data = pa.concat_tables(chunks)
            version = self._commit(state, data, batch.lsn)
            count = data.num_rows
        state.lsn = max(state.lsn, batch.lsn or 0)
        state.tail_rows += count
        state.tail_files += 1
        self._unsynced.append((state.changes, version))

    def _commit(self, state: TableState, data: ArrowData, lsn: int | None) -> int:
        version = commit_rows(state.changes, data, lsn, evolve=bool(state.added))
        state.added = []
        return version

    def new_rows(self, state: TableState, groups: list[Group], transactions: Transactions) -> Iterator[pa.Table]:
        """The rows of these groups that the table does not have yet."""
        for group in groups:
            yield from group.rows(transactions, above_lsn=state.lsn)

    # --- snapshots

    def snapshot_table(
        self, name: str, snapshot_lsn: int, chunks: Iterable[pa.Table], *, first: bool, relation: str | None = None
    ) -> int:
        """Write one table as it was at `snapshot_lsn`; returns its row count. Nothing is visible before
        `publish_snapshot`.

        `first`: no watermark exists, so the log starts over and the base is written too. Otherwise a `t` row
        empties the table at `snapshot_lsn` and the rows follow it in the log; the stream skips what is at or below
        `snapshot_lsn`. One commit a table, written while the next rows are read; none when reading fails.
        """
        state = self.states[name]
        rows = _SnapshotRows(state.table, snapshot_lsn, chunks, reset=not first)

        def commit(table: DeltaTable) -> Callable[[ArrowData], int]:
            mode: Literal["append", "overwrite"] = "overwrite" if first else "append"
            return lambda reader: commit_rows(table, reader, snapshot_lsn, mode=mode, evolve=True)

        sinks = [Sink(state.table.changes_schema, commit(state.changes))]
        if first:
            sinks.append(Sink(state.table.current_schema, commit(state.current)))
        versions = write_all(rows, sinks)
        self._unsynced += zip([state.changes, state.current], versions, strict=False)
        state.added = []
        state.lsn = state.live_from = snapshot_lsn
        state.relation = relation
        if first:
            state.current_version, state.folded_lsn = state.current.version(), snapshot_lsn
        self.count_tail(state)
        return rows.count

    def publish_snapshot(self, snapshot_lsn: int, stopped: Mapping[str, str], at: datetime) -> Watermark:
        """Make a whole snapshot visible.

        `stopped`: tables that could not be read, with the reason. `at`: the server's time at the snapshot, not the time
        of this call: reading may take long, and changes made meanwhile are not in the snapshot.
        """
        hit("cdc.snapshot_before_watermark")
        self.source = replace(self.source, snapshots=self.source.snapshots + 1)
        source = replace(self.source, kind="snapshot")
        reasons = {name: (max(self.lsn, 0), reason) for name, reason in stopped.items()}
        mark = self._publish(snapshot_lsn, at, reasons, source)
        hit("cdc.snapshot_after_watermark")
        return mark

    def count_table_snapshots(self, count: int) -> None:
        """The next watermark holds the new total."""
        self.source = replace(self.source, table_snapshots=self.source.table_snapshots + count)

    # --- watermarks

    def _publish(
        self, lsn: int, commit_ts: datetime, stopped: Mapping[str, tuple[int, str]], source: Source
    ) -> Watermark:
        versions: dict[str, TableVersion] = {}
        for name, state in self.states.items():
            shown = self._version(state, lsn, stopped.get(name))
            if shown is not None:
                versions[name] = state.shown = shown
        for name, reason in self.refused.items():
            shown = self.mark.versions.get(name) if self.mark else None
            if shown is not None:
                stopped_now = replace(shown, stopped_lsn=self.lsn, error=reason, stopped_at=datetime.now(UTC))
                versions[name] = shown if shown.error else stopped_now
        mark = Watermark(lsn, commit_ts, datetime.now(UTC), versions, source)
        for table, version in self._unsynced:
            with work_on(root_of(table).rpartition("/")[2]):
                sync_commits([(table, version)])
        self._unsynced = []
        version = write_watermark(self.watermark_table, mark)
        sync_commits([(self.watermark_table, version)])
        self.mark = mark
        return mark

    def _version(self, state: TableState, lsn: int, stop: tuple[int, str] | None) -> TableVersion | None:
        if stop is not None:
            state.live_from = 0
            if state.shown is None or state.stopped:
                # A table that was never exact gets no view rather than an empty one. A table stopped earlier keeps the
                # state of its stop.
                return state.shown
            return TableVersion(
                state.changes.version(),
                state.current_version,
                state.folded_lsn,
                *stop,
                stopped_at=datetime.now(UTC),
                relation=state.relation,
            )
        never_exact = state.shown is None or state.stopped
        if never_exact and (state.live_from == 0 or lsn < state.live_from):
            return state.shown
        return TableVersion(state.changes.version(), state.current_version, state.folded_lsn, relation=state.relation)


class _Counted:
    """Passes tables through and remembers how many rows went by."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables = tables
        self.count = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            self.count += table.num_rows
            yield table


class _SnapshotRows:
    """Chunks of a table as rows of the change log: `r` at the snapshot's LSN, numbered from 1, after a `t` row
    where `reset`."""

    def __init__(self, table: Table, lsn: int, chunks: Iterable[pa.Table], *, reset: bool) -> None:
        self.count = 0
        self._table, self._lsn, self._chunks, self._reset = table, lsn, chunks, reset
        self._now = datetime.now(UTC)

    def __iter__(self) -> Iterator[pa.Table]:
        schema = self._table.changes_schema
        if self._reset:
            yield pa.Table.from_pylist(
                [{"_op": "t", "_commit_lsn": self._lsn, "_ordinal": 0, "_commit_ts": self._now}], schema=schema
            )
        op, lsn, ts = self._same(0)
        for chunk in self._chunks:
            count = chunk.num_rows
            if count > len(op):
                op, lsn, ts = self._same(count)
            ordinal = pa.array(np.arange(self.count + 1, self.count + count + 1))
            yield pa.Table.from_arrays([*chunk.columns, op[:count], lsn[:count], ordinal, ts[:count]], schema=schema)
            self.count += count
            hit("cdc.snapshot_mid")

    def _same(self, count: int) -> list[pa.Array]:
        """The columns that are the same in every row. Made once and sliced: making them costs as much as parsing the
        rows.
        """
        values = {"_op": "r", "_commit_lsn": self._lsn, "_commit_ts": self._now}
        return [
            pa.repeat(pa.scalar(values[field.name], field.type), count)
            for field in CHANGE_COLUMNS
            if field.name in values
        ]
