"""The source: connections, its identity, its publication and its replication slot."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from warehouse.cdc.pgoutput import Relation, RelationColumn
from warehouse.cdc.wire import SESSION, Replication, always
from warehouse.lake.lsn import parse_lsn

OLDEST_SERVER = 150000  # column lists in publications
_FAILOVER_SERVER = 170000


class SourceError(RuntimeError):
    """The source cannot be replicated as it is; the message says what to change. Never retried."""


@dataclass(frozen=True)
class Identity:
    """Which server this is, and how far its log is durably written."""

    system_id: str
    timeline: int
    version: int
    flush_lsn: int


@dataclass(frozen=True)
class SlotState:
    """`lost` holds the reason when its log is gone."""

    confirmed_lsn: int
    lost: str | None


@dataclass(frozen=True)
class ExportedSnapshot:
    """A snapshot that holds exactly the transactions that ended at or before `lsn`. Valid while the exporting
    connection idles."""

    lsn: int
    name: str


def connect_sql(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """An autocommit connection whose text output is what the decoder expects."""
    return psycopg.connect(url, autocommit=True, options=SESSION, application_name="souk cdc", connect_timeout=10)


def identify(connection: psycopg.Connection[tuple[object, ...]]) -> Identity:
    """Read the server's identity; raises SourceError when it cannot be replicated from."""
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise SourceError(f"Postgres {version // 10000} is too old: column lists in publications need 15")
    row = connection.execute(
        # The timeline is in the WAL file's name: the control file shows a promotion only after the next checkpoint.
        "select (select system_identifier from pg_control_system())::text,"
        " ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4,"
        " pg_current_wal_flush_lsn()::text, current_setting('wal_level')"
    ).fetchone()
    if row is None:
        raise SourceError("the server gave no identity")
    system_id, timeline, flush, level = row
    if level != "logical":
        raise SourceError(f"wal_level is {level}: set wal_level = logical and restart Postgres")
    return Identity(str(system_id), int(str(timeline)), version, parse_lsn(str(flush)))


def clock(connection: psycopg.Connection[tuple[object, ...]]) -> datetime:
    """The server's time, which commit times are in."""
    row = connection.execute("select clock_timestamp()").fetchone()
    if row is None or not isinstance(row[0], datetime):
        raise SourceError("the server gave no time")
    return row[0].astimezone(UTC)


def published(connection: psycopg.Connection[tuple[object, ...]], publication: str) -> dict[str, Relation]:
    """The publication's tables of schema public as the stream will describe them; raises SourceError when it does not
    exist."""
    if connection.execute("select 1 from pg_publication where pubname = %s", (publication,)).fetchone() is None:
        raise SourceError(f"publication {publication} does not exist: migrate the database first")
    rows = connection.execute(
        "select c.oid::int8, c.relname, c.relreplident,"
        " a.attname, a.atttypid::int8, a.atttypmod, a.attnum = any(i.indkey::int2[])"
        " from pg_publication_tables p"
        " join pg_class c on c.oid = format('%%I.%%I', p.schemaname, p.tablename)::regclass"
        " join pg_attribute a on a.attrelid = c.oid and a.attname = any(p.attnames) and not a.attisdropped"
        " left join pg_index i on i.indrelid = c.oid and i.indisprimary"
        " where p.pubname = %s and p.schemaname = 'public'"
        " order by c.relname, a.attnum",
        (publication,),
    )
    found: dict[str, Relation] = {}
    for oid, table, identity, name, kind, typmod, key in rows:
        known = found.get(str(table), Relation(int(str(oid)), "public", str(table), str(identity), ()))
        column = RelationColumn(str(name), bool(key), int(str(kind)), int(str(typmod)))
        found[known.name] = Relation(known.oid, known.namespace, known.name, known.identity, (*known.columns, column))
    return found


@dataclass(frozen=True)
class Membership:
    """A table's place in the publication.

    `fingerprint` changes when another table takes the name, when the table leaves the publication and comes back, and
    when the publication's operations change: after each of these the lake may lack changes. `problem`: why the table
    cannot be replicated exactly, None when it can.
    """

    fingerprint: str
    oid: int
    problem: str | None


def memberships(connection: psycopg.Connection[tuple[object, ...]], publication: str) -> dict[str, Membership]:
    """What the publication names: tables of schema public by name, others by schema and name."""
    rows = connection.execute(
        "select n.nspname, c.relname, c.oid::int8, format('%%s/%%s/%%s.%%s', c.oid, coalesce(r.oid, s.oid, 0), p.oid,"
        " p.xmin), case when c.relkind <> 'r' or exists (select from pg_inherits where inhparent = c.oid) then 'is"
        " partitioned or has child tables: publish a plain table' when r.prqual is not null then 'is published with a"
        " row filter: remove its WHERE' when not (p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate) then"
        " 'does not get every operation: ALTER PUBLICATION ' || quote_ident(p.pubname) || ' SET (publish = ''insert,"
        " update, delete, truncate'')' end from pg_publication p join pg_class c on c.relkind in ('r', 'p') join"
        " pg_namespace n on n.oid = c.relnamespace left join pg_publication_rel r on r.prpubid = p.oid and r.prrelid ="
        " c.oid left join pg_publication_namespace s on s.pnpubid = p.oid and s.pnnspid = n.oid where p.pubname = %s"
        " and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and (r.oid is not null or s.oid is not"
        " null or p.puballtables)",
        (publication,),
    )
    found = {}
    for schema, table, oid, fingerprint, problem in rows:
        name = str(table) if schema == "public" else f"{schema}.{table}"
        found[name] = Membership(str(fingerprint), int(str(oid)), f"table {name} {problem}" if problem else None)
    return found


def has_values(connection: psycopg.Connection[tuple[object, ...]], table: str, columns: list[str]) -> bool:
    """Whether any row has a value in one of these columns.

    A default that is stored in the catalog or written by a rewrite of the table sends no message through the log.
    """
    if not columns:
        return False
    filled = sql.SQL(" or ").join(sql.SQL("{} is not null").format(sql.Identifier(name)) for name in columns)
    query = sql.SQL("select exists (select from {} where {})").format(sql.Identifier("public", table), filled)
    try:
        found = connection.execute(query).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return True  # the snapshot that follows names the table and the reason
    return bool(found and found[0])


def slot_state(connection: psycopg.Connection[tuple[object, ...]], slot: str) -> SlotState | None:
    """The slot as the server reports it, None when it does not exist.

    Raises SourceError when the slot belongs to another database or plugin.
    """
    row = connection.execute(
        "select confirmed_flush_lsn::text, wal_status, plugin, database = current_database(),"
        " to_jsonb(s) ->> 'invalidation_reason'"
        " from pg_replication_slots s where slot_name = %s",
        (slot,),
    ).fetchone()
    if row is None:
        return None
    confirmed, wal_status, plugin, ours, reason = row
    if plugin != "pgoutput" or not ours:
        raise SourceError(
            f"replication slot {slot} belongs to another database or plugin: set SOUK_CDC_SLOT to a free name"
        )
    lost = str(reason or wal_status) if reason or wal_status == "lost" or confirmed is None else None
    return SlotState(parse_lsn(str(confirmed)) if confirmed else 0, lost)


def create_slot(
    replication: Replication,
    slot: str,
    version: int,
    waiting: Callable[[], bool] = always,
    *,
    temporary: bool = False,
) -> ExportedSnapshot:
    """Create the slot and export the snapshot of its consistent point.

    The server waits until every transaction that runs now has ended, without a limit: raises Cancelled when `waiting`
    says no before. From Postgres 17 on a permanent slot is a failover slot.
    """
    name = sql.Identifier(slot).as_string()
    kind = "TEMPORARY LOGICAL" if temporary else "LOGICAL"
    options = (
        "(SNAPSHOT 'export', FAILOVER true)" if version >= _FAILOVER_SERVER and not temporary else "EXPORT_SNAPSHOT"
    )
    command = f"CREATE_REPLICATION_SLOT {name} {kind} pgoutput {options}"
    _, point, snapshot, _ = replication.execute(command, waiting)
    return ExportedSnapshot(parse_lsn(point), snapshot)


def drop_slot(connection: psycopg.Connection[tuple[object, ...]], slot: str) -> None:
    """Drop the slot; no error when there is none. Raises psycopg.errors.ObjectInUse while another consumer reads it."""
    connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", (slot,)
    )
