"""Joins the small files of a day, in tiers: a row is rewritten when its file grows by a factor, not at each run."""

import time
from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable

from warehouse.failpoints import hit
from warehouse.lake.behaviour import DAY
from warehouse.lake.commit import sync_since
from warehouse.lake.fold import forget

MIB = 1024 * 1024
# Files of a day below a tier's size are joined when there are more than FILES of them.
TIERS = (MIB, 16 * MIB, 256 * MIB)
FILES = 24
_FORGET_SECONDS = 3600.0


def small_files(table: DeltaTable) -> Mapping[tuple[str, int], int]:
    """(day, tier) -> files below the tier's size, for days and tiers with too many."""
    actions = pa.table(table.get_add_actions(flatten=True))
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for day, size in zip(actions[f"partition.{DAY}"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
        for tier in TIERS:
            counts[str(day), tier] += size < tier
    return {key: count for key, count in counts.items() if count > FILES}


class Compaction:
    """At most one piece of work a call; runs in the writer's thread between two batches."""

    def __init__(self, table: DeltaTable, retention_hours: int) -> None:
        self._table, self._retention_hours = table, retention_hours
        self._forgot_at = time.monotonic()

    def run_next(self) -> bool:
        """Join one day's files of one tier, or hourly delete the files that no recent version needs."""
        due = small_files(self._table)
        if due:
            day, tier = min(due, key=lambda key: (key[1], key[0]))
            before = self._table.version()
            hit("events.compact_mid")
            self._table.optimize.compact(partition_filters=[(DAY, "=", day)], target_size=tier)
            sync_since(self._table, before)
            return True
        if time.monotonic() - self._forgot_at > _FORGET_SECONDS:
            self._forgot_at = time.monotonic()
            forget(self._table, self._retention_hours)
            return True
        return False
