"""When to fold, compact and expire: one small step between two batches, so that no batch waits for all of them."""

import time
from dataclasses import dataclass

from warehouse.cdc.apply import LakeWriter, TableState
from warehouse.lake.fold import compact, expire, fold_table
from warehouse.logs import get_logger

log = get_logger(__name__)
_SMALL_BASE_ROWS = 200_000
_TAIL_SHARE = 0.25
_BUSY_TAIL_ROWS = 1_000_000
_EXPIRE_SECONDS = 3600.0
_WATERMARK_FILES = 200


@dataclass(frozen=True)
class Cadence:
    """`fold_rows` and `fold_files`: a tail below both is not folded before `fold_seconds` have passed (small tables
    only).
    """

    fold_rows: int
    fold_seconds: float
    fold_files: int
    retention_hours: int


class Maintenance:
    """Remembers when each table was last folded. Runs in the writer's thread."""

    def __init__(self, writer: LakeWriter, cadence: Cadence) -> None:
        self._writer, self._cadence = writer, cadence
        self._folded_at = dict.fromkeys(writer.states, time.monotonic())
        self._expired_at = time.monotonic() - _EXPIRE_SECONDS + 60
        self._base_rows: dict[str, int] = {}

    def run_next(self, *, busy: bool = False) -> str | None:
        """Do at most one piece of work; returns what was done.

        `busy`: the stream is behind. Then a table is folded only when its tail is larger than a million rows and than
        its base: one fold after the backlog costs less than many during it, and freshness comes first.
        """
        if self._writer.mark is None:
            return None
        due = [state for state in self._writer.states.values() if self._due(state)]
        if busy:
            due = [state for state in due if state.tail_rows > max(_BUSY_TAIL_ROWS, self._rows_of_base(state))]
        if due:
            self._fold(max(due, key=lambda state: state.tail_rows))
            return "fold"
        if busy:
            return None
        if len(self._writer.watermark_table.file_uris()) > _WATERMARK_FILES:
            compact(self._writer.watermark_table)
            return "compact"
        if time.monotonic() - self._expired_at > _EXPIRE_SECONDS:
            self._expired_at = time.monotonic()
            tables = [table for state in self._writer.states.values() for table in (state.changes, state.current)]
            expire(tables, self._writer.watermark_table, self._cadence.retention_hours)
            return "expire"
        return None

    def _due(self, state: TableState) -> bool:
        if not state.tail_rows or state.shown is None or state.stopped or (self._writer.lsn < state.live_from):
            return False
        base = self._rows_of_base(state)
        enough = (
            state.tail_rows >= max(self._cadence.fold_rows, _TAIL_SHARE * base)
            or state.tail_files >= self._cadence.fold_files
        )
        old = (
            time.monotonic() - self._folded_at[state.table.name] >= self._cadence.fold_seconds
            and base <= _SMALL_BASE_ROWS
        )
        return enough or old

    def _rows_of_base(self, state: TableState) -> int:
        name = state.table.name
        if name not in self._base_rows:
            self._base_rows[name] = sum(state.current.get_add_actions(flatten=True)["num_records"].to_pylist())
        return self._base_rows[name]

    def _fold(self, state: TableState) -> None:
        writer, name = self._writer, state.table.name
        if writer.mark is None:
            return
        began = time.monotonic()
        large = self._rows_of_base(state) > _SMALL_BASE_ROWS and state.tail_rows < _TAIL_SHARE * self._rows_of_base(
            state
        )
        if not large:
            folded = fold_table(writer.lake, name, state.current, writer.mark)
            state.current_version, state.folded_lsn = folded.current, folded.folded_lsn
            self._base_rows.pop(name, None)
            self._folded_at[name] = time.monotonic()
        if len(state.changes.file_uris()) >= self._cadence.fold_files:
            compact(state.changes)
        writer.count_tail(state)
        log.info("files joined" if large else "folded", table=name, seconds=round(time.monotonic() - began, 2))
