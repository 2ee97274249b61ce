"""What to do at start: continue, take a (new) snapshot, or stop with a message.

The lake's LSN decides, never the slot's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.columns import SchemaMismatch, ValueRefused, match_layout
from warehouse.cdc.pgoutput import Relation
from warehouse.cdc.poison import work_on
from warehouse.cdc.slot import (
    ExportedSnapshot,
    Identity,
    Membership,
    SlotState,
    SourceError,
    clock,
    connect_sql,
    create_slot,
    drop_slot,
)
from warehouse.cdc.snapshot import import_snapshot, read_table
from warehouse.cdc.wire import Cancelled, Replication, always
from warehouse.contract import Contract
from warehouse.failpoints import hit
from warehouse.lake.lsn import format_lsn
from warehouse.lake.watermark import Watermark
from warehouse.logs import get_logger

log = get_logger(__name__)
_SLOT_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Decision:
    """`snapshot`: why all tables are read again, None when the stream continues at the lake's LSN."""

    snapshot: str | None


@dataclass(frozen=True)
class Server:
    """The source as this session found it.

    `relations`: the columns that are published, `members`: the publication's tables, read before any snapshot;
    `version`: the server's number.
    """

    url: str
    sql: psycopg.Connection[tuple[object, ...]]
    relations: dict[str, Relation]
    members: dict[str, Membership]
    version: int

    def fingerprint(self, table: str) -> str | None:
        member = self.members.get(table)
        return member.fingerprint if member else None


def decide(mark: Watermark | None, identity: Identity, slot: SlotState | None) -> Decision:
    """The rules S3, S10 and S12; raises SourceError where continuing automatically could hide lost data."""
    if mark is None:
        return Decision("the lake is empty")
    source = mark.source
    if source is not None and source.system_id != identity.system_id:
        raise SourceError(
            f"the lake belongs to Postgres system {source.system_id}, this is {identity.system_id}: "
            "set SOUK_LAKE_URI to a new folder, or move the old lake away"
        )
    if identity.flush_lsn < mark.lsn:
        raise SourceError(
            f"Postgres is at {format_lsn(identity.flush_lsn)}, behind the lake at {mark.lsn_text}: it was restored from"
            " an older copy; move the lake away and start again"
        )
    if source is not None and source.timeline != identity.timeline:
        return Decision(f"the timeline changed from {source.timeline} to {identity.timeline}")
    if slot is None:
        return Decision("the replication slot is gone")
    if slot.lost:
        return Decision(f"the replication slot was invalidated ({slot.lost})")
    if slot.confirmed_lsn > mark.lsn:
        return Decision(f"the slot is at {format_lsn(slot.confirmed_lsn)}, ahead of the lake at {mark.lsn_text}")
    return Decision(None)


def mismatches(contract: Contract, server: Server) -> dict[str, str]:
    """Contract tables that cannot be replicated now, with the reason."""
    found: dict[str, str] = {}
    for table in contract.tables:
        relation, member = server.relations.get(table.name), server.members.get(table.name)
        if member is not None and member.problem:
            found[table.name] = member.problem
            continue
        if relation is None:
            found[table.name] = f"table {table.name}: in the contract but not in publication {contract.publication}"
            continue
        try:
            match_layout(table, relation)
        except SchemaMismatch as error:
            found[table.name] = str(error)
    return found


def replaced(server: Server, writer: LakeWriter) -> dict[str, str]:
    """Tables of the lake that may lack changes, with the reason: another table has the name now, or the table was
    outside the publication for a while."""
    found: dict[str, str] = {}
    for name, state in writer.states.items():
        was, now = state.relation, server.fingerprint(name)
        if was is None or now is None or was == now:
            continue
        other = was.partition("/")[0] != now.partition("/")[0]
        what = "another table has this name" if other else "it was taken out of the publication and put back"
        found[name] = f"table {name}: {what}; it is read again"
    return found


def snapshot_all(
    server: Server,
    replication: Replication,
    writer: LakeWriter,
    contract: Contract,
    waiting: Callable[[], bool] = always,
) -> dict[str, str]:
    """Create a slot, read every table in its snapshot, write one watermark.

    Returns the tables that could not be read, with the reason. After a kill at any point the next start begins again
    from the beginning. Raises Cancelled when the slot is not there before `waiting` says no.
    """
    _release(server.sql, writer.source.slot)
    stopped = mismatches(contract, server) | writer.refused
    names = [name for name in contract.by_name if name not in stopped]
    exported = create_slot(replication, writer.source.slot, server.version, waiting)
    at = clock(server.sql)
    hit("cdc.after_slot")
    _copy(server, writer, names, exported, stopped)
    writer.publish_snapshot(exported.lsn, stopped, at)
    return stopped


def snapshot_some(
    server: Server, replication: Replication, writer: LakeWriter, names: list[str], waiting: Callable[[], bool]
) -> dict[str, str]:
    """Read single tables in the snapshot of a temporary slot; the position of the stream does not change.

    Returns the tables that failed, with the reason. The rows carry the later snapshot LSN: the stream skips these
    tables up to that LSN, and the first watermark at or after it shows them. The server gives a slot when every
    transaction that runs now has ended; when it has not done so before `waiting` says no, all tables fail.
    """
    stopped: dict[str, str] = {}
    slot = f"{writer.source.slot}_table"
    try:
        exported = create_slot(replication, slot, server.version, waiting, temporary=True)
    except Cancelled:
        return {
            name: f"table {name}: it is read again when the transactions that run in Postgres now have ended"
            for name in names
        }
    _copy(server, writer, names, exported, stopped)
    replication.execute(f'DROP_REPLICATION_SLOT "{slot}"')
    writer.count_table_snapshots(len(names) - len(stopped))
    return stopped


def _copy(
    server: Server, writer: LakeWriter, names: list[str], exported: ExportedSnapshot, stopped: dict[str, str]
) -> None:
    """Read the tables one after another; the reasons of those that cannot be read go into `stopped`."""
    first = writer.mark is None
    reader = _reader(server, exported)
    try:
        for name in names:
            try:
                _copy_table(server, reader, writer, name, exported.lsn, first=first)
            except ValueRefused as error:
                stopped[name] = str(error)
                log.exception("table cannot be read", table=name)
                reader.close()  # the rest of the table is still on its way
                reader = _reader(server, exported)
    finally:
        reader.close()


def _reader(server: Server, exported: ExportedSnapshot) -> psycopg.Connection[tuple[object, ...]]:
    reader = connect_sql(server.url)
    import_snapshot(reader, exported.name)
    return reader


def _copy_table(
    server: Server,
    reader: psycopg.Connection[tuple[object, ...]],
    writer: LakeWriter,
    name: str,
    lsn: int,
    *,
    first: bool,
) -> None:
    began = time.monotonic()
    chunks = read_table(reader, writer.states[name].table, server.relations[name])
    with work_on(name):
        rows = writer.snapshot_table(name, lsn, chunks, first=first, relation=server.fingerprint(name))
    seconds = round(time.monotonic() - began, 2)
    log.info("snapshot", table=name, lsn=format_lsn(lsn), rows=rows, seconds=seconds)


def _release(sql: psycopg.Connection[tuple[object, ...]], slot: str) -> None:
    """Drop the slot; a consumer that was killed a moment ago may still hold it."""
    deadline = time.monotonic() + _SLOT_WAIT_SECONDS
    while True:
        try:
            drop_slot(sql, slot)
        except psycopg.errors.ObjectInUse as error:
            if time.monotonic() > deadline:
                raise SourceError(f"replication slot {slot} is in use by another consumer: {error}") from error
            time.sleep(0.2)
        else:
            return
