"""Writes batches and snapshots to the lake.

A small batch is one append to the hot log, which makes it durable and visible. The fold moves the rows of the hot log
to Delta: every table's commit carries its LSN; one watermark row then covers them all. Large batches, snapshots and
stops go to Delta directly, after a fold. Three rules make the result exact. A table's rows and its LSN are one Delta
commit, so after a crash the table itself records its LSN, and rows at or below that LSN are skipped. Readers see
nothing before the watermark row or the frame. Only LSNs that one of the two covers are confirmed to the slot.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.cdc.batch import Batch, Group, Transactions
from warehouse.cdc.columns import ValueRefused
from warehouse.cdc.hotlog import HotLog
from warehouse.cdc.poison import work_on
from warehouse.cdc.snapshot_rows import SnapshotRows, sink
from warehouse.cdc.tee import write_all
from warehouse.contract import Table
from warehouse.failpoints import hit
from warehouse.lake.append import Appender, DataFile, Mode
from warehouse.lake.catalog import TypeChanged, added_columns, ensure_changes, ensure_current
from warehouse.lake.commit import durable_lsn, sync_since
from warehouse.lake.hot import Segment, fit, hot_folder, lake_uri
from warehouse.lake.lsn import format_lsn
from warehouse.lake.watermark import (
    Source,
    TableVersion,
    Watermark,
    above,
    latest_row,
    mark_document,
    open_watermarks,
    write_watermark,
)
from warehouse.logs import get_logger

log = get_logger(__name__)
_HOT_BATCH_BYTES = 16 * 1024 * 1024
_FOLD_THREADS = 4


@dataclass(frozen=True)
class BaseAt:
    """A version of the base, and the LSN up to which it holds the changes."""

    version: int
    lsn: int


@dataclass
class TableState:
    """One table's change log and base, and its position.

    `lsn`: rows at or below it are in the change log. `changed`: the end of the batch that last had rows of it.
    `live_from`: from this watermark on the table is exact again after a snapshot of its own. `added`: columns of the
    contract that the next commit adds to the lake. `shown`: the versions of the last watermark, None before the
    table's first one. `relation`: the fingerprint of the source's table when its rows were last read
    whole, None where that is not known.
    """

    table: Table
    changes: Appender
    current: Appender
    lsn: int
    changed: int
    live_from: int
    base: BaseAt
    shown: TableVersion | None
    added: list[str]
    relation: str | None = None

    @property
    def tail_rows(self) -> int:
        """Rows of the change log above the base."""
        return sum(file.rows for file in self.changes.files.values() if self.above_base(file))

    def above_base(self, file: DataFile) -> bool:
        """Whether this file of the change log may hold rows that the base does not."""
        return file.high is None or file.high > self.base.lsn

    @property
    def stopped(self) -> bool:
        return self.shown is not None and self.shown.error is not None


class LakeWriter:
    """The single writer of one lake. Not thread-safe; one process per lake (`main` holds the lock)."""

    def __init__(
        self,
        lake: str,
        tables: Mapping[str, Table],
        source: Source,
        left_out: Mapping[str, str] | None = None,
        behind: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`left_out`: tables that this writer leaves as they are, with the reason. `behind`: by how many seconds the
        lake is behind the server now, None when nobody knows."""
        self.lake, self._behind = lake, behind
        self.base = latest_row(lake)
        self.mark = self.base
        before = self.mark.source if self.mark and self.mark.source else source
        self.source = replace(source, snapshots=before.snapshots, table_snapshots=before.table_snapshots)
        self.watermark_table = open_watermarks(lake)
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
        self.hot = HotLog(hot_folder(lake))
        self._recover()

    @property
    def lsn(self) -> int:
        """The durable LSN: everything up to it is in the lake and visible. 0 before the first snapshot."""
        return self.mark.lsn if self.mark else 0

    @property
    def awaited(self) -> int | None:
        """The position at which a table that was read again becomes exact; None when none waits."""
        waiting = [state.live_from for state in self.states.values() if state.live_from > self.lsn]
        return max(waiting, default=None)

    def _recover(self) -> None:
        """Fold what a dead process left in the hot log, and begin a segment."""
        left = self.hot.left()
        foreign = left is not None and left.mark.get("lakeId") not in (None, self.watermark_table.id)
        if self.base is None or foreign or (left is not None and left.lsn > self.base.lsn):
            if left is not None:
                log.warning("the hot log belongs to another lake and is removed", begins_at=format_lsn(left.lsn))
                self.hot.remove()
        elif left is not None and left.frames and left.frames[-1].head.lsn > self.base.lsn:
            self._fold(left)
            return
        if self.base is not None:
            self._begin_segment(self.base)

    def _open(self, table: Table) -> TableState:
        changes, current = ensure_changes(self.lake, table), ensure_current(self.lake, table)
        shown = self.mark.versions.get(table.name) if self.mark else None
        # The last writes of a killed process may not be on the disk yet.
        sync_since(changes, shown.changes if shown else -1)
        sync_since(current, shown.current if shown else -1)
        return TableState(
            table=table,
            changes=Appender(changes),
            current=Appender(current),
            lsn=max(durable_lsn(changes), self.lsn),
            changed=(shown.changed_lsn if shown else 0) or durable_lsn(changes),
            live_from=0,
            # A rewrite that no watermark names yet is the base too: its commit says up to where it holds the changes.
            base=BaseAt(current.version(), max(shown.folded_lsn, durable_lsn(current)) if shown else 0),
            shown=shown,
            added=added_columns(changes, table.changes_schema),
            relation=shown.relation if shown else None,
        )

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
        self.fold()
        stopped = {name: (self.lsn, reason) for name, reason in reasons.items()}
        self._publish(self.mark.lsn, self.mark.commit_ts, stopped, self.mark.source or self.source)

    def widen(self) -> None:
        """Add the new columns to the exact tables now, so that readers of the newer contract need not wait for a change
        of the table.
        """
        widened = [state for state in self.states.values() if state.added and state.shown and not state.stopped]
        if self.mark is None or not widened:
            return
        for state in widened:
            state.changes.widen(state.table.changes_schema)
            state.added = []
        self._publish(self.mark.lsn, self.mark.commit_ts, {}, self.mark.source or self.source)

    # --- streaming

    def apply(self, batch: Batch) -> Watermark:
        """Make a batch durable and visible; returns the new watermark.

        Tables with refused values stop, the others continue.
        """
        if batch.lsn is None:
            raise ValueError("a batch without a whole transaction has no place in the lake")
        hit("cdc.before_tables")
        if self.base is not None and not batch.stopped and not self._large(batch) and not self._heals():
            try:
                return self.append_hot(batch.lsn, batch.last_commit_ts, self._record_batches(batch))
            except ValueRefused:
                log.info("a value is refused: the batch goes to Delta, where its table stops")
        self.fold()
        return self._apply_to_delta(batch, batch.lsn)

    def append_hot(self, lsn: int, commit_ts: datetime, batches: list[tuple[str, pa.RecordBatch]]) -> Watermark:
        """Make these rows of whole transactions durable and visible up to `lsn`; none: only the position moves."""
        if self.base is None or self.mark is None:
            raise ValueError("the hot log needs a watermark to begin at")
        now = self.hot.append(self.lsn, lsn, commit_ts, batches)
        versions = self.mark.versions
        if batches:
            changed = {name: above(self.mark.versions[name], self.base.lsn, lsn)
                       for name, _ in batches if name in versions}  # fmt: skip
            versions = {**versions, **changed}
        self.mark = Watermark(lsn, commit_ts, now, versions, self.source)
        return self.mark

    def fold(self) -> None:
        """Move the rows of the hot log to Delta; the next segment begins at their watermark."""
        if self.hot.frames:
            self._fold(self.hot.read())

    def name_newest(self) -> bool:
        """Write a watermark row that names the newest version of every table; False when the newest row does.

        Versions made since then (joined files, a new base, an expiry) hold the same rows. Those of a stopped table hold
        rows above its stop, if any, which readers skip.
        """
        if self.mark is None or self.base is None:
            return False
        named = True
        for state in self.states.values():
            if state.shown is not None:
                now = (state.changes.version, state.base.version, state.base.lsn)
                named = named and now == (state.shown.changes, state.shown.current, state.shown.folded_lsn)
                state.shown = replace(state.shown, changes=now[0], current=now[1], folded_lsn=now[2])
        if named:
            return False
        if self.hot.frames:
            self.fold()
        else:
            self._publish(self.mark.lsn, self.mark.commit_ts, {}, self.base.source or self.source)
        return True

    def _large(self, batch: Batch) -> bool:
        return batch.bytes >= _HOT_BATCH_BYTES or any(
            group.spilled for group in [*batch.retired, *batch.groups.values()]
        )

    def _heals(self) -> bool:
        """Whether a table with a new snapshot waits for its first watermark, which is a row in Delta."""
        return any(state.live_from and (state.shown is None or state.stopped) for state in self.states.values())

    def _record_batches(self, batch: Batch) -> list[tuple[str, pa.RecordBatch]]:
        """The rows of the tables that are not stopped; raises ValueRefused."""
        found: list[tuple[str, pa.RecordBatch]] = []
        for name, groups in batch.by_table().items():
            state = self.states.get(name)
            if state is None or state.stopped:
                continue
            with work_on(name):
                few = groups[0].few(batch.transactions, self.lsn) if len(groups) == 1 else None
                if few is not None:
                    found.append((name, few))
                    continue
                rows = [part for group in groups for part in group.rows(batch.transactions, above_lsn=self.lsn)]
                if rows:
                    one = rows[0] if len(rows) == 1 else pa.concat_tables(rows).combine_chunks()
                    found.append((name, one.to_batches()[0]))
        return found

    def _fold(self, segment: Segment) -> None:
        last = segment.frames[-1].head
        changed = {name: frame.head.lsn for frame in segment.frames for name in frame.parts}
        hit("cdc.fold_begin")
        with ThreadPoolExecutor(_FOLD_THREADS, thread_name_prefix="fold") as pool:
            # Mostly waiting for the disk, which takes the tables' fsyncs together.
            tables = [self.states[name] for name in changed if name in self.states]
            list(pool.map(lambda state: self._fold_table(state, segment, changed[state.table.name]), tables))
        hit("cdc.before_watermark")
        # The history these rows came from, which need not be that of the server found at this start.
        source = self.base.source if self.base and self.base.source else self.source
        source = replace(source, kind="stream", table_snapshots=self.source.table_snapshots)
        self._publish(last.lsn, last.commit_ts, {}, source)
        hit("cdc.after_watermark")

    def _fold_table(self, state: TableState, segment: Segment, changed: int) -> None:
        end = segment.frames[-1].head.lsn
        with work_on(state.table.name):
            self._fold_rows(state, segment, end)
        state.lsn, state.changed = max(state.lsn, end), changed
        hit("cdc.mid_tables")

    def _fold_rows(self, state: TableState, segment: Segment, end: int) -> None:
        rows = pa.Table.from_batches(segment.read(state.table.name, end)).combine_chunks()
        rows = fit(rows, state.table.changes_schema)
        if state.lsn > segment.lsn:  # a fold that was broken off has written some of them
            rows = rows.filter(pc.greater(rows["_commit_lsn"], state.lsn))
        if rows.num_rows:
            self._commit(state, [rows], end)

    def _apply_to_delta(self, batch: Batch, lsn: int) -> Watermark:
        stopped = dict(batch.stopped)
        for name, groups in batch.by_table().items():
            state = self.states.get(name)
            if state is None or (state.stopped and state.live_from == 0):
                continue
            try:
                with work_on(name):
                    self._append(state, batch, groups, lsn)
            except ValueRefused as error:
                log.exception("table stopped", table=name)
                # None of this batch is in the lake, so an earlier stop within it does not hold.
                stopped[name] = (self.lsn, str(error))
            hit("cdc.mid_tables")
        hit("cdc.before_watermark")
        mark = self._publish(lsn, batch.last_commit_ts, stopped, self.source, batch.transactions)
        hit("cdc.after_watermark")
        return mark

    def _append(self, state: TableState, batch: Batch, groups: list[Group], lsn: int) -> None:
        for group in groups:
            group.check()
        self._commit(state, self.new_rows(state, groups, batch.transactions), lsn)
        state.lsn = state.changed = max(state.lsn, lsn)

    def _commit(self, state: TableState, rows: Iterable[pa.Table], lsn: int) -> None:
        state.changes.write(rows, state.table.changes_schema, lsn)
        state.added = []

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
        rows = SnapshotRows(state.table, snapshot_lsn, chunks, reset=not first)
        written = [(state.changes, state.table.changes_schema)]
        if first and not state.current.local:
            written.append((state.current, state.table.current_schema))
        mode: Mode = "overwrite" if first else "append"
        write_all(rows, [sink(table, schema, snapshot_lsn, mode) for table, schema in written])
        if first and state.current.local:
            state.current.adopt(state.changes, state.table.current_schema, snapshot_lsn)
        if first:
            state.base = BaseAt(state.current.version, snapshot_lsn)
        state.added = []
        state.lsn = state.changed = state.live_from = snapshot_lsn
        state.relation = relation
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
        self,
        lsn: int,
        commit_ts: datetime,
        stopped: Mapping[str, tuple[int, str]],
        source: Source,
        transactions: Transactions | None = None,
    ) -> Watermark:
        """`stopped`: tables that stop now, with the LSN and the reason. `transactions`: those of this batch."""
        versions: dict[str, TableVersion] = {}
        for name, state in self.states.items():
            shown = self._version(state, lsn, stopped.get(name), transactions)
            if shown is not None:
                versions[name] = state.shown = shown
        for name, reason in self.refused.items():
            shown = self.mark.versions.get(name) if self.mark else None
            if shown is not None:
                stop = replace(shown, stopped_lsn=self.lsn, error=reason, stopped_at=self._exact_until(self.lsn, None))
                versions[name] = replace(shown if shown.error else stop, hot=None)
        mark = Watermark(lsn, commit_ts, datetime.now(UTC), versions, source)
        write_watermark(self.watermark_table, mark)
        self.base = self.mark = mark
        self._begin_segment(mark)
        return mark

    def _begin_segment(self, mark: Watermark) -> None:
        """It says whose it is: in SOUK_HOME the segments of several object stores would lie in one folder."""
        belongs = {"lakeId": self.watermark_table.id, "lakeUri": lake_uri(self.lake)}
        self.hot.begin(mark.lsn, mark.commit_ts, mark_document(mark) | belongs)

    def _exact_until(self, lsn: int, transactions: Transactions | None) -> datetime:
        """Since when a table that stands at `lsn` is old: not since this was noticed, but since the server moved on."""
        seconds, known = self._behind(), self.mark.created_at if self.mark else datetime.now(UTC)
        since = known if seconds is None else datetime.now(UTC) - timedelta(seconds=seconds)
        committed = transactions.committed_after(lsn) if transactions is not None else None
        return since if committed is None else min(since, committed)

    def _version(
        self, state: TableState, lsn: int, stop: tuple[int, str] | None, transactions: Transactions | None
    ) -> TableVersion | None:
        if stop is not None:
            state.live_from = 0
            if state.shown is None or state.stopped:
                # A table that was never exact gets no view rather than an empty one. A table stopped earlier keeps the
                # state of its stop.
                return state.shown
            since = self._exact_until(stop[0], transactions)
            return replace(self._shown(state), stopped_lsn=stop[0], error=stop[1], stopped_at=since)
        never_exact = state.shown is None or state.stopped
        if never_exact and (state.live_from == 0 or lsn < state.live_from):
            return state.shown
        return self._shown(state)

    def _shown(self, state: TableState) -> TableVersion:
        return TableVersion(
            state.changes.version,
            state.base.version,
            state.base.lsn,
            relation=state.relation,
            changed_lsn=state.changed,
        )
