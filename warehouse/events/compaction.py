"""Joins the small files of a day, in tiers: a row is rewritten when its file grows by a factor, not at each run."""

import time
from collections import defaultdict
from collections.abc import Mapping
from itertools import repeat

import pyarrow as pa
from deltalake import DeltaTable

from warehouse.failpoints import hit
from warehouse.lake.behaviour import DAY
from warehouse.lake.commit import sync_since
from warehouse.lake.fold import forget

MIB = 1024 * 1024
# Files of a day below half a tier's size are joined when there are more than FILES of them. Any two of them fit into
# one, so each run leaves fewer; two of more than half a tier might not, and would be chosen again at every run.
TIERS = (MIB, 16 * MIB, 256 * MIB)
FILES = 24
_FORGET_SECONDS = 3600.0


def small_files(table: DeltaTable) -> Mapping[tuple[str | None, int], int]:
    """(day, tier) -> files below half the tier's size, for days and tiers with too many; no day without partitions."""
    actions = pa.table(table.get_add_actions(flatten=True))
    sizes, day = actions["size_bytes"].to_pylist(), f"partition.{DAY}"
    days = map(str, actions[day].to_pylist()) if day in actions.column_names else repeat(None, len(sizes))
    counts: dict[tuple[str | None, int], int] = defaultdict(int)
    for one, size in zip(days, sizes, strict=True):
        for tier in TIERS:
            counts[one, tier] += 2 * size < tier
    return {key: count for key, count in counts.items() if count > FILES}


class Compaction:
    """At most one piece of work a call; runs in the writer's thread between two batches."""

    def __init__(self, table: DeltaTable, retention_hours: int) -> None:
        self._table, self._retention_hours = table, retention_hours
        self._forgot_at = time.monotonic()
        self._done_at = -1

    def run_next(self) -> bool:
        """Hourly delete the files that no recent version needs, or join one day's files of one tier."""
        if time.monotonic() - self._forgot_at > _FORGET_SECONDS:
            self._forgot_at = time.monotonic()
            forget(self._table, self._retention_hours)
            return True
        if self._done_at == self._table.version():
            return False  # until the next commit there is nothing to do
        due = small_files(self._table)
        if not due:
            self._done_at = self._table.version()
            return False
        day, tier = min(due, key=lambda key: (key[1], key[0] or ""))
        before = self._table.version()
        hit("events.compact_mid")
        self._table.optimize.compact([(DAY, "=", day)] if day is not None else None, target_size=tier)
        hit("events.compact_after")
        sync_since(self._table, before)
        return True
