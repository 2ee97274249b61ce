"""Asks the server, in a thread with a connection of its own, for its position, our slot and the publication's tables.

Apart from the stream on purpose: a stream that hangs, or a batch that takes minutes, must not hide that it does.
"""

import threading
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Self

import psycopg

from warehouse.cdc.lag import Lag
from warehouse.cdc.slot import Membership, connect_sql, memberships
from warehouse.logs import get_logger
from warehouse.settings import WarehouseSettings

log = get_logger(__name__)
# While the lake is behind, and while it has everything: then a lag is seen so much later, and begins when it is seen.
_SAMPLE_SECONDS, _CALM_SECONDS = 0.5, 1.0
_RETRY_SECONDS = 1.0
_JOIN_SECONDS = 5.0
_SAMPLE = (
    "select (pg_current_wal_flush_lsn() - '0/0')::int8, confirmed_flush_lsn::text, active, wal_status,"
    " (pg_current_wal_flush_lsn() - restart_lsn)::int8, safe_wal_size from (select 1) one left join"
    " pg_replication_slots on slot_name = %s"
)
ALERT_PERCENT = (75, 50, 25)


@dataclass(frozen=True)
class SlotReport:
    """The slot at the server. `safe_bytes`: what may still be written before its log is removed, None without a limit
    (`max_slot_wal_keep_size`)."""

    confirmed: str | None
    active: bool
    wal_status: str | None
    retained_bytes: int | None
    safe_bytes: int | None

    @property
    def used_percent(self) -> float | None:
        """Part of the limit in use."""
        if self.safe_bytes is None or self.retained_bytes is None:
            return None
        whole = max(self.safe_bytes, 0) + self.retained_bytes
        return round(100 * self.retained_bytes / whole, 1) if whole else 0.0

    @property
    def alert(self) -> str | None:
        """What an operator must know now."""
        if self.wal_status in ("unreserved", "lost"):
            return f"the slot's log is {self.wal_status}: the next start may copy every table again"
        used = self.used_percent
        reached = next((level for level in ALERT_PERCENT if used is not None and used >= level), None)
        if reached is None:
            return None
        return f"the slot holds back {used} % of max_slot_wal_keep_size (alert at {reached} %)"

    def as_json(self) -> dict[str, object]:
        """For the status file."""
        return {
            "active": self.active,
            "confirmedLsn": self.confirmed,
            "walStatus": self.wal_status,
            "retainedBytes": self.retained_bytes,
            "usedPercent": self.used_percent,
            "alert": self.alert,
        }


class Watch:
    """A context manager: the thread runs inside the block.

    `changed`: why the session's view of the publication is out of date, None while it is not. `unknown`: tables that
    are published and not in the contract.
    """

    def __init__(
        self,
        settings: WarehouseSettings,
        lag: Lag,
        publication: str,
        members: Mapping[str, Membership],
        contract: Container[str],
    ) -> None:
        self._lag = lag
        self.slot: SlotReport | None = None
        self.changed: str | None = None
        self.unknown = sorted(name for name in members if name not in contract)
        self._url, self._slot, self._every = settings.source_url, settings.cdc_slot, settings.cdc_publication_seconds
        self._publication, self._contract = publication, contract
        self._members = dict(members)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cdc-watch", daemon=True)
        self._alerted: str | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(_JOIN_SECONDS)  # it may wait for a server that does not answer; it ends with the process

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with connect_sql(self._url) as connection:
                    self._ask(connection)
            except psycopg.Error as error:
                log.warning("the server does not say where it is", error=str(error).strip())
                self._ended.wait(_RETRY_SECONDS)

    def _ask(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        looked_at = time.monotonic()
        while not self._ended.is_set():
            self._sample(connection)
            if time.monotonic() - looked_at >= self._every:
                looked_at = time.monotonic()
                self._compare(memberships(connection, self._publication))
            calm = self._lag.seconds(time.monotonic()) == 0.0
            self._ended.wait(min(_CALM_SECONDS if calm else _SAMPLE_SECONDS, self._every))

    def _sample(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        asked_at = time.monotonic()
        row = connection.execute(_SAMPLE, (self._slot,)).fetchone()
        if row is None:
            return
        flushed, confirmed, active, wal_status, retained, safe = row
        self._lag.sample(asked_at, int(str(flushed)))
        self.slot = SlotReport(
            str(confirmed) if confirmed is not None else None,
            bool(active),
            str(wal_status) if wal_status is not None else None,
            int(str(retained)) if retained is not None else None,
            int(str(safe)) if safe is not None else None,
        )
        alert = self.slot.alert
        kind = alert.rpartition("(")[2] if alert else None  # the level, not the exact share
        if kind != self._alerted:
            self._alerted = kind
            if alert:
                log.warning("replication slot", alert=alert)

    def _compare(self, now: Mapping[str, Membership]) -> None:
        self.unknown = sorted(name for name in now if name not in self._contract)
        ours = {name for name in {*self._members, *now} if name in self._contract}
        differ = sorted(name for name in ours if self._members.get(name) != now.get(name))
        if differ:
            self.changed = f"the publication has changed: {', '.join(differ)}"
