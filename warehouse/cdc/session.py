"""One session: one contract, one view of the publication, one pair of connections."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.backoff import Backoff, RetryDue
from warehouse.cdc.collect import Collector, Origin
from warehouse.cdc.lag import Lag
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.cdc.mend import requested, settle
from warehouse.cdc.pgoutput import Relation
from warehouse.cdc.recover import Server, decide, mismatches, replaced, snapshot_all, snapshot_some
from warehouse.cdc.slot import Identity, connect_sql, has_values, identify, memberships, published, slot_state
from warehouse.cdc.status import StatusFile
from warehouse.cdc.stream import Pace, Stream
from warehouse.cdc.watch import Watch
from warehouse.cdc.wire import Cancelled, Replication
from warehouse.contract import Contract, Table, load_contract
from warehouse.lake.watermark import Source
from warehouse.logs import get_logger
from warehouse.settings import WarehouseSettings
from warehouse.stop import Stop

log = get_logger(__name__)
Connection = psycopg.Connection[tuple[object, ...]]
_TICK_SECONDS = 0.9
_SLOT_SECONDS = 5.0  # how long the stream stands while one table waits for a slot to be read again


class SourceChanged(Exception):
    """The session's view of the contract or of the publication is out of date: begin another one."""


class Session:
    """Ends by `stop`, a newer contract or publication, a request to mend, or an error.

    `left_out`: tables that failed too often, with the reason.
    """

    def __init__(
        self,
        settings: WarehouseSettings,
        stop: Stop,
        status: StatusFile,
        *,
        backoff: Backoff,
        lag: Lag,
        left_out: Mapping[str, str],
    ) -> None:
        self.lsn = 0
        self._lag = lag
        self._streamed_since: float | None = None
        self._settings, self._stop, self._status, self._backoff = settings, stop, status, backoff
        self._left_out = dict(left_out)
        self._broken: dict[str, str] = {}  # found at the start; may hold tables that no watermark has shown yet
        self._stopped: dict[str, str] = {}
        self._since: dict[str, datetime] = {}
        self._shown: tuple[str, ...] = ()
        self._snapshots = (0, 0)
        self._ticked_at = 0.0
        self._watch: Watch | None = None
        self._streaming: Stream | None = None

    @property
    def streamed(self) -> bool:
        """Whether the start was finished."""
        return self._streamed_since is not None

    @property
    def streamed_seconds(self) -> float:
        """How long ago the start was finished."""
        return time.monotonic() - self._streamed_since if self._streamed_since is not None else 0.0

    def run(self) -> None:
        """Recover, heal and stream."""
        settings = self._settings
        self.report("starting")
        written = _mtime(settings.contract_path)
        contract = load_contract(settings.contract_path)
        url = settings.source_url
        with ExitStack() as open_:
            sql = open_.enter_context(connect_sql(url))
            replication = open_.enter_context(Replication(url))
            identity = identify(sql)
            members = memberships(sql, contract.publication)
            server = Server(url, sql, published(sql, contract.publication), members, identity.version)
            source = Source(identity.system_id, identity.timeline, settings.cdc_slot)
            writer = LakeWriter(
                settings.lake_uri,
                contract.by_name,
                source,
                self._left_out,
                behind=lambda: self._lag.seconds(time.monotonic()),
            )
            self._note(writer)
            self._watch = open_.enter_context(
                Watch(settings, self._lag, contract.publication, members, contract.by_name)
            )
            self._since_watermark(writer, identity)
            decision = decide(writer.mark, identity, slot_state(sql, settings.cdc_slot))
            if decision.snapshot:
                log.warning("snapshot of all tables", reason=decision.snapshot)
                self.report("snapshot")
                try:
                    self._broken = snapshot_all(server, replication, writer, contract, lambda: not self._stop.asked)
                except Cancelled:
                    return
                settle(settings.mend_path)
            else:
                self._heal(server, writer, contract)
            self._note(writer)
            self._stream(replication, server, writer, contract, written)

    def _since_watermark(self, writer: LakeWriter, identity: Identity) -> None:
        """The lag of a lake that nobody wrote for a while begins at its last watermark, not at this start."""
        self._lag.reach(writer.lsn)
        if self._lag.bytes is None and writer.mark is not None and identity.flush_lsn > writer.lsn:
            age = (datetime.now(UTC) - writer.mark.created_at).total_seconds()
            self._lag.sample(time.monotonic() - max(age, 0.0), writer.lsn + 1)

    def _heal(self, server: Server, writer: LakeWriter, contract: Contract) -> None:
        """Snapshot single tables: those new in the contract, those that stopped and now fit again, those that may lack
        changes, and those that somebody asked for.

        So are tables with a new column that already has values, since values may be added without a log message.
        """
        self._broken = mismatches(contract, server) | writer.refused
        asked = requested(self._settings.mend_path)
        waiting = replaced(server, writer) | {name: f"table {name}: it is read again on request" for name in asked}
        for name, state in writer.states.items():
            if state.relation is None:
                state.relation = server.fingerprint(name)
            if name not in self._broken and has_values(
                server.sql, name, [column for column in state.added if column in server.relations[name].names]
            ):
                waiting[name] = (
                    f"table {name}: waiting for a snapshot with {', '.join(state.added)}, which old rows have values in"
                )
        reasons = waiting | self._broken
        shown = writer.mark.versions if writer.mark else {}
        writer.stop({name: reasons[name] for name, version in shown.items() if name in reasons and not version.error})
        settle(self._settings.mend_path, asked)
        names = [name for name in writer.missing() if name not in self._broken]
        if names:
            log.warning("snapshot of single tables", tables=names, reasons=waiting)
            self._note(writer)
            self.report("snapshot")
            until = time.monotonic() + _SLOT_SECONDS
            with Replication(server.url) as replication:
                self._broken |= snapshot_some(
                    server, replication, writer, names, lambda: not self._stop.asked and time.monotonic() < until
                )
        writer.widen()

    def _stream(
        self, replication: Replication, server: Server, writer: LakeWriter, contract: Contract, written: int
    ) -> None:
        settings = self._settings
        cadence = Cadence(
            settings.cdc_fold_rows,
            settings.cdc_fold_seconds,
            settings.cdc_fold_files,
            settings.lake_retention_hours,
        )

        def tick() -> None:
            now = time.monotonic()
            self._streamed_since = self._streamed_since or now
            if now - self._ticked_at < _TICK_SECONDS:
                return
            self._ticked_at = now
            self._note(writer)
            self.report("streaming")
            self._look_around(contract, written)

        stream = Stream(
            replication,
            writer=writer,
            collector=self._collector(server, writer, contract),
            maintenance=Maintenance(writer, cadence),
            pace=Pace(settings.cdc_flush_seconds, settings.cdc_flush_rows, settings.cdc_heartbeat_seconds),
            tick=tick,
        )
        self._streaming = stream
        stream.run(contract.publication, lambda: self._stop.asked, [self._stop])
        self._note(writer)

    def _collector(self, server: Server, writer: LakeWriter, contract: Contract) -> Collector:
        origins = {
            name: Origin(server.members[name].oid, state.lsn)
            for name, state in writer.states.items()
            if name in server.members
        }
        return Collector(
            contract.by_name,
            writer.lsn,
            self._settings.spool_path,
            self._settings.cdc_spill_bytes,
            on_mismatch=self._newer_contract(contract),
            origins=origins,
        )

    def _look_around(self, contract: Contract, written: int) -> None:
        """Raise what ends this session for another one."""
        settings = self._settings
        if _mtime(settings.contract_path) not in (written, 0):
            raise SourceChanged(f"{settings.contract_path} changed")
        if self._watch is not None and self._watch.changed:
            raise SourceChanged(self._watch.changed)
        asked = requested(settings.mend_path)
        if asked & set(contract.by_name):
            raise SourceChanged(f"asked to read {', '.join(sorted(asked))} again")
        settle(settings.mend_path, asked)
        if self._backoff.due(stopped=bool(self._stopped)):
            raise RetryDue(f"trying again with {', '.join(sorted(self._stopped))}")

    def _newer_contract(self, contract: Contract) -> Callable[[Relation], Table | None]:
        """When a relation does not fit, the contract file may just have been replaced."""

        def ask(relation: Relation) -> Table | None:
            newest = load_contract(self._settings.contract_path)
            if newest != contract and newest.by_name.get(relation.name) != contract.by_name.get(relation.name):
                raise SourceChanged(f"{self._settings.contract_path} describes {relation.name} anew")
            return None

        return ask

    def _note(self, writer: LakeWriter) -> None:
        self.lsn = writer.lsn
        versions = writer.mark.versions if writer.mark else {}
        self._stopped = {name: v.error for name, v in versions.items() if v.error} | self._broken
        self._since = {name: v.stopped_at for name, v in versions.items() if v.stopped_at}
        self._shown = tuple(versions)
        self._snapshots = (writer.source.snapshots, writer.source.table_snapshots)

    def report(self, state: str, *, error: str | None = None) -> None:
        """Write the status file; its measurements are renewed between two reports."""
        self._status.report(state=state, lsn=self.lsn, stopped=self._stopped, error=error, measured=self._measured)

    def _measured(self) -> dict[str, object]:
        """Called also by the status file's thread, so it changes nothing of the session."""
        watch, stream, lag, stopped, since = self._watch, self._streaming, self._lag, self._stopped, self._since
        lag.reach(self.lsn if stream is None else stream.reached)
        seconds = lag.seconds(time.monotonic())
        seconds = None if seconds is None else round(seconds, 3)
        slot = watch.slot if watch is not None else None
        exact = {name: {"lagSeconds": seconds} for name in self._shown if name not in stopped}
        return {
            "lagBytes": lag.bytes,
            "lagSeconds": seconds,
            "tables": exact | {name: _stopped_table(why, since.get(name)) for name, why in stopped.items()},
            "unknownTables": watch.unknown if watch is not None else [],
            "snapshots": self._snapshots[0],
            "tableSnapshots": self._snapshots[1],
            "slot": {"name": self._settings.cdc_slot, **slot.as_json()} if slot is not None else None,
        }


def _stopped_table(why: str, since: datetime | None) -> dict[str, object]:
    """Its lag runs from where it stopped."""
    age = round((datetime.now(UTC) - since).total_seconds(), 3) if since else None
    return {"lagSeconds": age, "stopped": why, "stoppedAt": since.isoformat() if since else None}


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
