"""Batches of entries become Delta commits: each event once by its id, each commit with the positions it reaches.

The rows and the position are one commit (application transaction `souk_events/<partition>`), so a process that is
killed anywhere continues where the lake stands. Repeats of a client, of the spool or of a stream that was restored are
dropped by (origin, id): first by a set of hashes in memory, then, for what the set knows, by the rows of the lake.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake

from warehouse.events.compaction import Compaction
from warehouse.events.entries import FORGET, Entry, Landed, Rejected, Row, reached_by, row_of
from warehouse.events.forgetting import Erasing, Forgetting
from warehouse.events.seen import HASH_SQL, SeenIds, hash_of
from warehouse.failpoints import hit
from warehouse.lake.behaviour import DAY, EVENTS, REJECTED, ensure_events, ensure_rejected, events_sql
from warehouse.lake.behaviour import files_received_since as recent_files
from warehouse.lake.catalog import data_files
from warehouse.lake.commit import sync_commits
from warehouse.lake.read import connect, scan_sql
from warehouse.logs import get_logger

log = get_logger(__name__)
_WRITER = WriterProperties(compression="ZSTD", compression_level=1)
_ROWS = EVENTS.append(pa.field(DAY, pa.date32()))

Id = tuple[str, str]


class Landing:
    """The lake's two tables of behaviour, written by one process at a time."""

    def __init__(
        self,
        lake: str,
        horizon: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        retention_hours: int = 24,
        search_log_days: int = 400,
    ) -> None:
        self.events = ensure_events(lake)
        self.rejected = ensure_rejected(lake)
        self._horizon, self._now = horizon, now
        self._erasing = Erasing(self.events, self.rejected)
        self._upkeep: list[Compaction | Forgetting | Erasing] = [
            self._erasing,
            Forgetting(self.events, search_log_days, now),
            *(Compaction(table, retention_hours) for table in (self.events, self.rejected)),
        ]
        self._seen = SeenIds(horizon)
        self._remember()

    def position(self, partition: str) -> int:
        """The last position of a partition whose events are in the lake."""
        return _position(self.events, partition)

    def land(self, entries: Sequence[Entry]) -> Landed:
        """Write a batch in stream order. Everything up to `reached` is durable afterwards, or in the lake already."""
        now = self._now()
        done = Landed(reached=reached_by(entries))
        rows, refused = self._sort(entries, now)
        rows = self._new(rows, done)
        hit("events.before_rejected")
        self._reject(refused, now, done)
        hit("events.before_rows")
        if rows:
            table = pa.Table.from_pylist(rows, schema=_ROWS)
            _commit(self.events, table, done.reached)
            for day, group in _by_receipt(rows).items():
                self._seen.add(day, group)
        if any(row["event_type"] == FORGET for row in rows):
            self._erasing.due()
        hit("events.after_rows")
        done.rows = len(rows)
        done.late = sum(_received(row).date() != row[DAY] for row in rows)
        done.future = sum(row["time_source"] == "future" for row in rows)
        self._seen.expire(now.date())
        return done

    def restart(self, partition: str) -> None:
        """Entries that are rejected from now on are new ones, also at positions that were reached before."""
        if _position(self.rejected, partition):
            _commit(self.rejected, REJECTED.empty_table(), {partition: 0})

    def tidy(self) -> None:
        """Erase or forget searches, or join small files or delete old ones of one table."""
        any(upkeep.run_next() for upkeep in self._upkeep)

    def _sort(self, entries: Sequence[Entry], now: datetime) -> tuple[list[Row], list[tuple[Entry, str]]]:
        rows: list[Row] = []
        refused: list[tuple[Entry, str]] = []
        for entry in entries:
            try:
                rows.append(row_of(entry, now, self._horizon))
            except Rejected as reason:
                refused.append((entry, str(reason)))
        return rows, refused

    def _new(self, rows: list[Row], done: Landed) -> list[Row]:
        """The rows whose id neither the lake nor an earlier row of the batch has."""
        if not rows:
            return rows
        ids = [_id(row) for row in rows]
        probable = self._seen.probable([hash_of(*one) for one in ids])
        known = self._in_lake([one for one, likely in zip(ids, probable, strict=True) if likely])
        fresh: list[Row] = []
        for one, row in zip(ids, rows, strict=True):
            if one not in known:
                known.add(one)
                fresh.append(row)
        done.duplicates = len(rows) - len(fresh)
        return fresh

    def _in_lake(self, ids: list[Id]) -> set[Id]:
        if not ids:
            return set()
        wanted = pa.table({"origin": [origin for origin, _ in ids], "event_id": [event for _, event in ids]})
        with connect(self.events.table_uri) as con:
            con.register("wanted", wanted)
            query = f"""
            SELECT DISTINCT origin, event_id FROM ({events_sql(self._recent())})
            SEMI JOIN wanted USING (origin, event_id)"""
            return {(str(origin), str(event)) for origin, event in con.execute(query).fetchall()}

    def _reject(self, refused: list[tuple[Entry, str]], now: datetime, done: Landed) -> None:
        """Set entries aside, each once: their table has positions of its own."""
        fresh = self._not_set_aside(refused)
        done.rejected = len(fresh)
        if not fresh:
            return
        rows = [
            {
                "partition": entry.partition,
                "entry_id": entry.entry_id,
                "reason": why,
                "fields": entry.as_json(),
                "rejected_at": now,
            }
            for entry, why in fresh
        ]
        reached = reached_by([entry for entry, _ in fresh])
        _commit(self.rejected, pa.Table.from_pylist(rows, schema=REJECTED), reached)
        log.warning("entries of the behaviour stream are no events", reasons=dict(Counter(why for _, why in fresh)))

    def _not_set_aside(self, refused: list[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
        reached = {entry.partition: _position(self.rejected, entry.partition) for entry, _ in refused}
        known: set[Id] = set()
        if any(entry.position == reached[entry.partition] for entry, _ in refused):
            known = self._rejected_ids()
        return [
            (entry, why) for entry, why in refused
            if entry.position > (at := reached[entry.partition])
            or (entry.position == at and (entry.partition, entry.entry_id) not in known)
        ]  # fmt: skip

    def _rejected_ids(self) -> set[Id]:
        """(partition, entry id) of the entries that are set aside."""
        query = f"SELECT partition, entry_id FROM ({scan_sql(tuple(data_files(self.rejected)), REJECTED)})"
        with connect(self.rejected.table_uri) as con:
            return {(str(partition), str(entry)) for partition, entry in con.execute(query).fetchall()}

    def _remember(self) -> None:
        with connect(self.events.table_uri) as con:
            query = f"""
            SELECT (received_at AT TIME ZONE 'UTC')::DATE AS received_on, {HASH_SQL} AS hash
            FROM ({events_sql(self._recent())}) ORDER BY received_on"""
            hashes = con.execute(query).to_arrow_table()
        days = hashes["received_on"].to_numpy()
        for day in dict.fromkeys(hashes["received_on"].to_pylist()):
            self._seen.add(day, hashes["hash"].to_numpy()[days == day])

    def _recent(self) -> list[str]:
        return recent_files(self.events, self._now() - self._horizon - timedelta(days=1))


def _commit(table: DeltaTable, rows: pa.Table, reached: Mapping[str, int]) -> None:
    properties = CommitProperties(
        app_transactions=[Transaction(_app(partition), position) for partition, position in reached.items()]
    )
    write_deltalake(table, rows, mode="append", commit_properties=properties, writer_properties=_WRITER)
    sync_commits([(table, table.version())])


def _position(table: DeltaTable, partition: str) -> int:
    return table.transaction_version(_app(partition)) or 0


def _app(partition: str) -> str:
    return f"souk_events/{partition}"


def _by_receipt(rows: Sequence[Row]) -> dict[date, list[int]]:
    days: dict[date, list[int]] = {}
    for row in rows:
        days.setdefault(_received(row).date(), []).append(hash_of(*_id(row)))
    return days


def _id(row: Row) -> Id:
    return str(row["origin"]), str(row["event_id"])


def _received(row: Row) -> datetime:
    received = row["received_at"]
    assert isinstance(received, datetime)
    return received
