"""Forgets what people typed into the search box: once it is old, and when an account asks for it. That there was a
search stays, its words do not."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from deltalake import DeltaTable

from warehouse.events.entries import FORGET
from warehouse.lake.behaviour import DAY, events_sql
from warehouse.lake.catalog import data_files
from warehouse.lake.commit import sync_since
from warehouse.lake.read import connect
from warehouse.logs import get_logger

log = get_logger(__name__)
TYPED = ("query", "corrected_query", "relaxed_words")
# What an account has erased of its searches: also whose they were, and what they found.
_ERASED = (*TYPED, "shown_products", "user_id", "session_key")
_HELD = " OR ".join(f"{column} IS NOT NULL" for column in TYPED)
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
        before = self._table.version()
        done = self._table.update(
            updates=dict.fromkeys(TYPED, "NULL"), predicate=f"{DAY} < DATE '{last.isoformat()}' AND ({_HELD})"
        )
        sync_since(self._table, before)
        if forgotten := int(done["num_updated_rows"]):
            log.info("old searches were forgotten", before=last.isoformat(), searches=forgotten)
        return forgotten > 0


class Erasing:
    """Erases the searches of the accounts that have asked for it: those of the account, and those of guests in sessions
    that were the account's too. The request is a row of the same table, so a process that is killed goes on; events
    that come later than the request, from a spool, are erased at the next look."""

    def __init__(self, events: DeltaTable, rejected: DeltaTable) -> None:
        self._events, self._rejected = events, rejected
        self._looked_at = float("-inf")

    def due(self) -> None:
        """A request has come."""
        self._looked_at = float("-inf")

    def run_next(self) -> bool:
        """Whether anything was erased; at most once an hour, and after each request."""
        if time.monotonic() - self._looked_at < _SECONDS:
            return False
        self._looked_at = time.monotonic()
        erased = 0
        for user, sessions, until in self._asked():
            mine = f"user_id = '{user}'"
            if sessions:
                listed = ", ".join(f"'{one}'" for one in sessions)
                mine = f"({mine} OR (user_id IS NULL AND session_key IN ({listed})))"
            asked = f"{mine} AND received_at <= '{until:%Y-%m-%dT%H:%M:%S.%f}Z'"
            before = self._events.version(), self._rejected.version()
            done = self._events.update(
                updates=dict.fromkeys(_ERASED, "NULL"), predicate=f"{asked} AND event_type = 'search'"
            )
            # A click may name the query that led to it.
            others = self._events.update(updates=dict.fromkeys(TYPED, "NULL"), predicate=f"{asked} AND ({_HELD})")
            gone = self._rejected.delete(f"fields LIKE '%{user}%'")
            sync_since(self._events, before[0])
            sync_since(self._rejected, before[1])
            erased += sum(int(one[key]) for one, key in (
                (done, "num_updated_rows"), (others, "num_updated_rows"), (gone, "num_deleted_rows"),
            ))  # fmt: skip
        if erased:
            log.info("searches of accounts were erased", rows=erased)
        return erased > 0

    def _asked(self) -> list[tuple[str, list[str], datetime]]:
        """The accounts, their sessions, and until when; ids and keys are letters, digits and hyphens."""
        with connect(self._events.table_uri) as con:
            events = f"({events_sql(data_files(self._events))})"
            return con.execute(
                f"""
                WITH asked AS (SELECT user_id, max(received_at) AS until FROM {events}
                               WHERE event_type = '{FORGET}' GROUP BY user_id)
                SELECT asked.user_id,
                       coalesce(list(DISTINCT e.session_key) FILTER (regexp_full_match(e.session_key, '[\\w-]+')), []),
                       asked.until AT TIME ZONE 'UTC'
                FROM asked LEFT JOIN {events} AS e ON e.user_id = asked.user_id AND e.received_at <= asked.until
                GROUP BY ALL ORDER BY ALL
                """
            ).fetchall()
