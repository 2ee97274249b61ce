"""Forgets what people typed into the search box once it is old: that there was a search stays, its words do not."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from deltalake import DeltaTable

from warehouse.lake.behaviour import DAY
from warehouse.lake.commit import sync_since
from warehouse.logs import get_logger

log = get_logger(__name__)
TYPED = ("query", "corrected_query", "relaxed_words")
_SECONDS = 3600.0


class Forgetting:
    """At most once an hour; runs in the writer's thread between two batches, as nothing else may change the table."""

    def __init__(self, table: DeltaTable, days: int, now: Callable[[], datetime]) -> None:
        self._table, self._days, self._now = table, days, now
        self._looked_at = float("-inf")

    def run_next(self) -> bool:
        """Whether anything was forgotten. The files that held it are deleted with those that no version needs."""
        if time.monotonic() - self._looked_at < _SECONDS:
            return False
        self._looked_at = time.monotonic()
        last = (self._now() - timedelta(days=self._days)).date()
        held = " OR ".join(f"{column} IS NOT NULL" for column in TYPED)
        before = self._table.version()
        done = self._table.update(
            updates=dict.fromkeys(TYPED, "NULL"), predicate=f"{DAY} < DATE '{last.isoformat()}' AND ({held})"
        )
        sync_since(self._table, before)
        if forgotten := int(done["num_updated_rows"]):
            log.info("old searches were forgotten", before=last.isoformat(), searches=forgotten)
        return forgotten > 0
