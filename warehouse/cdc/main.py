"""The process: one lock, sessions one after another until it is told to stop, and a status file kept up to date."""

import fcntl
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import duckdb
import psycopg
import psycopg2
from deltalake.exceptions import DeltaError
from psycopg2.extras import LogicalReplicationConnection

from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.backoff import Backoff, RetryDue
from warehouse.cdc.collect import Collector
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.cdc.pgoutput import ProtocolError, Relation
from warehouse.cdc.recover import Server, decide, mismatches, snapshot_all, snapshot_some
from warehouse.cdc.slot import (
    SourceError,
    connect_replication,
    connect_sql,
    has_values,
    identify,
    published,
    slot_state,
)
from warehouse.cdc.status import StatusFile
from warehouse.cdc.stream import Pace, Stream
from warehouse.contract import Contract, ContractError, Table, load_contract
from warehouse.lake.watermark import LakeStateError, Source
from warehouse.logs import get_logger
from warehouse.settings import WarehouseSettings

log = get_logger(__name__)
Connection = psycopg.Connection[tuple[object, ...]]
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_TICK_SECONDS = 1.0


class ContractChanged(Exception):
    """The contract file is newer than this session: begin another one with it."""


class AnotherConsumer(RuntimeError):
    """The lake is being written by another process."""


def serve(settings: WarehouseSettings, stop: "Stop | None" = None) -> int:
    """Run until `stop`, which SIGTERM and SIGINT set.

    Returns 0 after a clean stop, 3 when a person must act (the status file says why).
    """
    stop = stop or Stop()
    lsn = 0
    attempt = 0
    status = StatusFile(settings.status_path)
    backoff = Backoff(settings.cdc_heal_seconds)
    with lake_lock(settings), status.beating():
        while not stop.asked:
            session = Session(settings, stop, status, backoff)
            try:
                session.run()
            except (ContractChanged, RetryDue) as change:
                log.info("starting anew", reason=str(change))
                attempt = 0
            except (SourceError, ContractError, LakeStateError, ProtocolError) as error:
                log.exception("replication cannot go on")
                session.report("failed", error=str(error))
                return 3
            except (psycopg.Error, psycopg2.Error, OSError, DeltaError, duckdb.Error) as error:
                attempt = 0 if session.streamed else min(attempt + 1, len(_RETRY_SECONDS) - 1)
                log.warning("interrupted, trying again", seconds=_RETRY_SECONDS[attempt], error=str(error).strip())
                session.report("waiting", error=str(error).strip())
                stop.wait(_RETRY_SECONDS[attempt])
            lsn = session.lsn
    status.report(state="stopped", lsn=lsn, lag_bytes=None, lag_seconds=None, stopped={})
    return 0


class Stop:
    """Set by SIGTERM and SIGINT, or by hand where `serve` runs in a thread."""

    def __init__(self) -> None:
        self.asked = False
        with suppress(ValueError):  # a test may run this outside the main thread
            for kind in (signal.SIGTERM, signal.SIGINT):
                signal.signal(kind, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.asked and time.monotonic() < until:
            time.sleep(0.05)


class Session:
    """One contract, one pair of connections. Ends by `stop`, a newer contract or an error."""

    def __init__(self, settings: WarehouseSettings, stop: Stop, status: StatusFile, backoff: Backoff) -> None:
        self.lsn = 0
        self.streamed = False
        self._settings, self._stop, self._status, self._backoff = settings, stop, status, backoff
        self._broken: dict[str, str] = {}  # found at the start; may hold tables that no watermark has shown yet
        self._stopped: dict[str, str] = {}
        self._ticked_at = 0.0
        self._lag_bytes: int | None = None

    def run(self) -> None:
        """Recover, heal and stream."""
        settings = self._settings
        self.report("starting")
        written = _mtime(settings.contract_path)
        contract = load_contract(settings.contract_path)
        url = settings.source_url
        with connect_sql(url) as sql, closing(connect_replication(url)) as replication:
            identity = identify(sql)
            server = Server(url, sql, published(sql, contract.publication), identity.version)
            writer = LakeWriter(
                settings.lake_uri,
                contract.by_name,
                Source(identity.system_id, identity.timeline, settings.cdc_slot),
            )
            self.lsn = writer.lsn
            decision = decide(writer.mark, identity, slot_state(sql, settings.cdc_slot))
            if decision.snapshot:
                log.warning("snapshot of all tables", reason=decision.snapshot)
                self.report("snapshot")
                self._broken = snapshot_all(server, replication, writer, contract)
            else:
                self._heal(server, writer, contract)
            self._note(writer)
            self._stream(sql, replication, writer, contract, written)

    def _heal(self, server: Server, writer: LakeWriter, contract: Contract) -> None:
        """Snapshot single tables: those new in the contract, and those that stopped and now fit again.

        So are tables with a new column that already has values, since values may be added without a log message.
        """
        self._broken = mismatches(contract, server.relations) | writer.refused
        waiting: dict[str, str] = {}
        for name, state in writer.states.items():
            if name not in self._broken and has_values(
                server.sql, name, [column for column in state.added if column in server.relations[name].names]
            ):
                waiting[name] = (
                    f"table {name}: waiting for a snapshot with {', '.join(state.added)}, which old rows have values in"
                )
        writer.stop(waiting)
        names = [name for name in writer.missing() if name not in self._broken]
        if names:
            self.report("snapshot")
            with closing(connect_replication(server.url)) as replication:
                self._broken |= snapshot_some(server, replication, writer, names)
        writer.widen()

    def _stream(
        self,
        sql: Connection,
        replication: LogicalReplicationConnection,
        writer: LakeWriter,
        contract: Contract,
        written: int,
    ) -> None:
        settings = self._settings
        collector = Collector(
            contract.by_name,
            writer.lsn,
            settings.spool_path,
            settings.cdc_spill_bytes,
            self._newer_contract(contract, sql),
        )
        cadence = Cadence(
            settings.cdc_fold_rows,
            settings.cdc_fold_seconds,
            settings.cdc_fold_files,
            settings.lake_retention_hours,
        )
        pace = Pace(settings.cdc_flush_seconds, settings.cdc_flush_rows, settings.cdc_heartbeat_seconds)

        def tick(oldest: datetime | None) -> None:
            self.streamed = True
            now = time.monotonic()
            if now - self._ticked_at < _TICK_SECONDS:
                return
            self._ticked_at = now
            self._note(writer)
            self._measure(sql, writer)
            self.report(
                "streaming", lag_seconds=max((datetime.now(UTC) - oldest).total_seconds(), 0.0) if oldest else 0.0
            )
            if _mtime(settings.contract_path) not in (written, 0):
                raise ContractChanged(f"{settings.contract_path} changed")
            if self._backoff.due(stopped=bool(self._stopped)):
                raise RetryDue(f"trying again with {', '.join(sorted(self._stopped))}")

        stream = Stream(
            replication,
            sql=sql,
            writer=writer,
            collector=collector,
            maintenance=Maintenance(writer, cadence),
            pace=pace,
            tick=tick,
        )
        stream.run(contract.publication, lambda: self._stop.asked)
        self._note(writer)

    def _newer_contract(self, contract: Contract, sql: Connection) -> Callable[[Relation], Table | None]:
        """When a relation does not fit, the contract file may just have been replaced."""

        def ask(relation: Relation) -> Table | None:
            newest = load_contract(self._settings.contract_path)
            if newest != contract and newest.by_name.get(relation.name) != contract.by_name.get(relation.name):
                raise ContractChanged(f"{self._settings.contract_path} describes {relation.name} anew")
            return None

        return ask

    def _note(self, writer: LakeWriter) -> None:
        self.lsn = writer.lsn
        shown = (
            {name: version.error for name, version in writer.mark.versions.items() if version.error}
            if writer.mark
            else {}
        )
        self._stopped = self._broken | shown

    def _measure(self, sql: Connection, writer: LakeWriter) -> None:
        row = sql.execute("select (pg_current_wal_flush_lsn() - '0/0')::int8").fetchone()
        self._lag_bytes = max(int(str(row[0])) - writer.lsn, 0) if row else None

    def report(self, state: str, *, lag_seconds: float | None = None, error: str | None = None) -> None:
        """Write the status file."""
        self._status.report(
            state=state,
            lsn=self.lsn,
            lag_bytes=self._lag_bytes if state == "streaming" else None,
            lag_seconds=lag_seconds,
            stopped=self._stopped,
            error=error,
        )


@contextmanager
def lake_lock(settings: WarehouseSettings) -> Iterator[None]:
    """Held until the process ends, also when it is killed; raises AnotherConsumer."""
    path = settings.home / "run" / "cdc.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AnotherConsumer(f"another process holds {path}: only one may write a lake") from error
        yield


def _mtime(path: Path) -> int:
    """When the file was last written, 0 when there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
