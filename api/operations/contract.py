"""The contract of CDC: the published tables and columns, with types and keys. The
only file of `api` that refers to the lake.

`make generate` renders it to warehouse/contracts/oltp.json; a test renders it again and fails on a difference. The
publication and the replica identities are generated from the same list, so the three always agree.
"""

import json
from typing import NotRequired, TypedDict

from sqlalchemy import Column, Connection, Table, text
from sqlalchemy.types import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    String,
    TypeEngine,
    Uuid,
)

from api.nouns import metadata, unpublished_tables

PUBLICATION = "souk_cdc"
# Postgres moves values out of line when a row exceeds about 2,000 bytes; a table whose rows cannot
# exceed it never has an unchanged TOAST column.
TOAST_THRESHOLD_BYTES = 1_900


# Published tables whose rows cannot be identified in the log: Postgres then refuses every UPDATE and DELETE of them.
_REFUSED_UPDATES = """
SELECT c.relname, CASE
  WHEN c.relreplident = 'n' THEN 'REPLICA IDENTITY NOTHING'
  WHEN c.relreplident = 'd' AND i.indkey IS NULL THEN 'no primary key'
  WHEN c.relreplident = 'f' AND r.prattrs IS NOT NULL THEN 'REPLICA IDENTITY FULL and a column list'
  WHEN c.relreplident = 'f' AND g.names IS NOT NULL AND coalesce(to_jsonb(p) ->> 'pubgencols', 'n') <> 's'
    THEN 'REPLICA IDENTITY FULL and the generated column ' || g.names
  WHEN NOT i.indkey::int2[] <@ coalesce(r.prattrs::int2[], i.indkey::int2[])
    THEN 'a column list without its replica identity'
  END AS problem
FROM pg_publication p
JOIN pg_publication_rel r ON r.prpubid = p.oid
JOIN pg_class c ON c.oid = r.prrelid
LEFT JOIN pg_index i ON i.indrelid = c.oid
  AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
LEFT JOIN LATERAL (
  SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) AS names
  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
) g ON true
WHERE p.pubname = :publication ORDER BY c.relname
"""


class ColumnContract(TypedDict):
    """`personal` only where the text may be about a person: what kind of text it is."""

    name: str
    type: str
    precision: int | None
    scale: int | None
    nullable: bool
    key: bool
    unit: str | None
    personal: NotRequired[str]


class TableContract(TypedDict):
    name: str
    primaryKey: list[str]
    replicaIdentity: str
    columns: list[ColumnContract]


class Contract(TypedDict):
    version: int
    publication: str
    tables: list[TableContract]


def contract() -> Contract:
    """Every published table in alphabetical order, each with its published columns in table order."""
    hidden = unpublished_tables()
    tables = [_table(table) for name, table in sorted(metadata().tables.items()) if name not in hidden]
    return {"version": 1, "publication": PUBLICATION, "tables": tables}


def render() -> str:
    """The contract as stable JSON, a line per column so that a change is a readable diff."""
    whole = contract()
    tables = []
    for table in whole["tables"]:
        columns = ",\n".join(f"    {json.dumps(column)}" for column in table["columns"])
        opening = json.dumps({key: value for key, value in table.items() if key != "columns"}).removesuffix("}")
        tables.append(f'  {opening}, "columns": [\n{columns}\n  ]}}')
    body = ",\n".join(tables)
    return f'{{"version": {whole["version"]}, "publication": "{whole["publication"]}", "tables": [\n{body}\n]}}\n'


def publication_statements() -> list[str]:
    """SQL that makes the publication and the replica identities equal to the contract; safe to run again.

    An identity that is right is left alone: to set it again would wait for every reader of the table, and with it every
    writer.
    """
    tables = contract()["tables"]
    identities = [
        f"DO $$ BEGIN IF (SELECT relreplident FROM pg_class WHERE oid = '{table['name']}'::regclass) <>"  # noqa: S608 - names of the models
        f" '{table['replicaIdentity'][0]}' THEN ALTER TABLE {table['name']} REPLICA IDENTITY"
        f" {table['replicaIdentity'].upper()}; END IF; END $$"
        for table in tables
    ]
    listed = ", ".join(_listed(table) for table in tables)
    create = (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = '{PUBLICATION}') "
        f"THEN CREATE PUBLICATION {PUBLICATION}; END IF; END $$"
    )
    return [*identities, create, f"ALTER PUBLICATION {PUBLICATION} SET TABLE {listed}"]


def refused_updates(connection: Connection) -> list[str]:
    """Published tables whose updates and deletes Postgres refuses, each with the reason and what to do."""
    rows = connection.execute(text(_REFUSED_UPDATES), {"publication": PUBLICATION})
    return [
        f"table {table} is published with {problem}: Postgres refuses its updates and deletes. Give it REPLICA IDENTITY"
        " DEFAULT with a primary key, or FULL without generated columns (a view can compute them)."
        for table, problem in rows
        if problem
    ]


def _listed(table: TableContract) -> str:
    """Postgres refuses updates of a table with full identity and a column list, even one that names every column."""
    if table["replicaIdentity"] == "full":
        return table["name"]
    return f"{table['name']} ({', '.join(column['name'] for column in table['columns'])})"


def _table(table: Table) -> TableContract:
    published = [column for column in table.columns if not (column.info.get("pii") or column.info.get("secret"))]
    whole = len(published) == len(table.columns)
    return {
        "name": table.name,
        "primaryKey": [column.name for column in table.primary_key.columns],
        "replicaIdentity": "full" if whole and _may_toast(published) else "default",
        "columns": [_column(column) for column in published],
    }


def _column(column: Column[object]) -> ColumnContract:
    numeric = column.type if isinstance(column.type, Numeric) and not isinstance(column.type, Double) else None
    described: ColumnContract = {
        "name": column.name,
        "type": _type_name(column.type),
        "precision": numeric.precision if numeric else None,
        "scale": numeric.scale if numeric else None,
        "nullable": bool(column.nullable),
        "key": column.primary_key,
        "unit": column.info.get("unit"),
    }
    if column.info.get("personal"):
        described["personal"] = column.info["personal"]
    return described


def _may_toast(columns: list[Column[object]]) -> bool:
    widths = [
        4 * column.type.length if isinstance(column.type, String) and column.type.length else None
        for column in columns
        if _is_wide(column)
    ]
    return None in widths or sum(filter(None, widths)) > TOAST_THRESHOLD_BYTES


def _is_wide(column: Column[object]) -> bool:
    return _type_name(column.type) in {"text", "jsonb"}


def _type_name(kind: TypeEngine[object]) -> str:
    if kind.__class__.__name__ == "JSONB":
        return "jsonb"
    names: list[tuple[type[object], str]] = [
        (Uuid, "uuid"),
        (Double, "float8"),
        (BigInteger, "int8"),
        (Integer, "int4"),
        (Boolean, "bool"),
        (DateTime, "timestamptz"),
        (Date, "date"),
        (LargeBinary, "bytea"),
        (Numeric, "numeric"),
        (String, "text"),
    ]
    for base, name in names:
        if isinstance(kind, base):
            return name
    raise TypeError(f"no lake type for {kind!r}: add it here and in warehouse.contract")
