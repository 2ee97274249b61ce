"""When to fold, rewrite, join and expire: one step between two batches, so that no batch waits for all of them."""

import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

from warehouse.cdc.apply import BaseAt, LakeWriter, TableState
from warehouse.cdc.poison import work_on
from warehouse.lake.append import DataFile, due_for_join
from warehouse.lake.fold import expire_files, expire_watermarks, rewrite_base
from warehouse.logs import get_logger

log = get_logger(__name__)
_TAIL_SHARE = 0.25
_BUSY_TAIL_ROWS = 1_000_000
_EXPIRE_SECONDS = 3600.0
_READERS_SECONDS = 60.0  # a reader that has opened a table's files by then has them
_HOT_BYTES = 64 * 1024 * 1024
_HOT_FRAMES = 10_000


@dataclass(frozen=True)
class Cadence:
    """Named as the settings are. `fold_seconds`, of the fold: the age at which rows of the hot log go to Delta.
    `fold_rows`, of the base rewrite: a tail below it is not merged into the base, whatever its share. `fold_files`, of
    the join: so many files of about one size are joined.
    """

    fold_rows: int
    fold_seconds: float
    fold_files: int
    retention_hours: int


class Maintenance:
    """Decides by sizes and ages that the writer knows. Runs in the writer's thread."""

    def __init__(self, writer: LakeWriter, cadence: Cadence) -> None:
        self._writer, self._cadence = writer, cadence
        self._looked_at = -1
        self._base_waits = False
        self._rewriting: tuple[TableState, int, Future[int]] | None = None
        self._expired_at = time.monotonic() - _EXPIRE_SECONDS + 60
        self._named_at: float | None = None

    def run_next(self, aside: Executor, *, busy: bool = False) -> str | None:
        """Do at most one piece of work; returns what was done. Bases are rewritten in `aside`, so that no batch waits.

        `busy`: the stream is behind. Then a base is rewritten only when its tail is larger than a million rows and than
        the base: one rewrite after the backlog costs less than many during it, and freshness comes first.
        """
        if self._writer.mark is None:
            return None
        self._take_base()
        if self._hot_due():
            self._writer.fold()
            self._base_waits = False
            return "fold"
        if self._looked_at == self._writer.watermark_table.version:
            return self._expire()
        due = [state for state in self._writer.states.values() if self._due(state)]
        if busy:
            due = [state for state in due if state.tail_rows > max(_BUSY_TAIL_ROWS, state.current.rows)]
        begun = max(due, key=lambda state: state.tail_rows) if due and self._rewriting is None else None
        if begun is not None:
            self._rewrite(begun, aside)
        if not busy and self._join(begun):
            return "join"
        if not busy and not due:
            self._looked_at = self._writer.watermark_table.version  # until the next watermark there is nothing to do
        return None

    def _expire(self) -> str | None:
        """Hourly. First a watermark row names the newest versions, because the files of all others go; a while later,
        when no reader is at an older row that was the newest until then, they go."""
        now = time.monotonic()
        if self._rewriting is not None or now - self._expired_at <= _EXPIRE_SECONDS:
            return None
        if self._named_at is None:
            self._named_at = now
            return "name" if self._writer.name_newest() else None
        if now - self._named_at < _READERS_SECONDS or self._writer.base is None:
            return None
        self._expired_at, self._named_at = now, None
        hours = self._cadence.retention_hours
        expire_watermarks(self._writer.watermark_table, self._writer.base, hours)
        for name, state in self._writer.states.items():
            with work_on(name):
                for table in (state.changes, state.current):
                    expire_files(table, hours)
            state.base = replace(state.base, version=state.current.version)
        return "expire"

    def _join(self, begun: TableState | None) -> bool:
        """Join the small files of one table. Files above the base stay apart from those below it, which readers of the
        current state skip; those that a base is just begun from stay as they are, for it may take them."""
        for name, state in self._writer.states.items():
            files = state.changes.files.values()
            for wanted in (False,) if state is begun else (False, True):
                side = [file for file in files if state.above_base(file) is wanted]
                if due := due_for_join(side, self._cadence.fold_files):
                    with work_on(name):
                        self._join_changes(state, due)
                    return True
        if due := due_for_join(self._writer.watermark_table.files.values(), self._cadence.fold_files):
            self._writer.watermark_table.join(due)
            return True
        return False

    def _join_changes(self, state: TableState, due: list[DataFile]) -> None:
        """Where the base has the files too, it takes the joined one, so that both go on sharing it."""
        before = set(state.changes.files)
        state.changes.join(due)
        if self._rewrites(state) or not state.current.local:
            return
        if not {file.path for file in due} <= set(state.current.files):
            return
        joined = [file for path, file in state.changes.files.items() if path not in before]
        state.base = replace(state.base, version=state.current.share(state.changes.root, joined, due))

    def _hot_due(self) -> bool:
        hot = self._writer.hot
        if hot.oldest is None:
            return hot.frames >= _HOT_FRAMES or (self._base_waits and hot.frames > 0)
        return hot.bytes >= _HOT_BYTES or time.monotonic() - hot.oldest >= self._cadence.fold_seconds

    def _due(self, state: TableState) -> bool:
        """Rewriting costs the size of the base, so it waits until the tail is a share of it: each change then pays for
        a fixed number of rows."""
        base = self._writer.base
        if base is None or state.shown is None or state.stopped or base.lsn < state.live_from:
            return False
        if self._rewrites(state):
            return False
        return state.tail_rows >= max(self._cadence.fold_rows, _TAIL_SHARE * state.current.rows, 1)

    def _rewrites(self, state: TableState) -> bool:
        """Whether the files of its base change in the other thread."""
        return self._rewriting is not None and self._rewriting[0] is state

    def _rewrite(self, state: TableState, aside: Executor) -> None:
        base = self._writer.base
        if base is not None:
            work = aside.submit(rewrite_base, self._writer.lake, state.table.name, state.current, base)
            self._rewriting = (state, base.lsn, work)

    def _take_base(self) -> None:
        """The next watermark names the new base; until then it is nobody's."""
        if self._rewriting is not None and self._rewriting[2].done():
            (state, lsn, work), self._rewriting = self._rewriting, None
            with work_on(state.table.name):
                version = work.result()
            state.base = BaseAt(version, lsn)
            self._looked_at, self._base_waits = -1, True
            log.info("base rewritten", table=state.table.name, rows=state.current.rows)
