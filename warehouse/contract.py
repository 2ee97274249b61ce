"""The contract: which tables and columns are published, and what they are in Postgres, in the lake and in DuckDB.

It is data (`contracts/oltp.json`), written by the owner of the tables. Nothing here imports that owner.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

_ARROW: dict[str, pa.DataType] = {
    "uuid": pa.string(),
    "text": pa.string(),
    "jsonb": pa.string(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float8": pa.float64(),
    "bool": pa.bool_(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}
_DUCKDB = {
    "uuid": "VARCHAR",
    "text": "VARCHAR",
    "jsonb": "VARCHAR",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
}
_OIDS = {
    "uuid": {2950},
    "text": {18, 19, 25, 1042, 1043},
    "jsonb": {114, 3802},
    "int4": {21, 23},
    "int8": {20},
    "float8": {700, 701},
    "bool": {16},
    "timestamptz": {1184},
    "date": {1082},
    "numeric": {1700},
}
_FIRST_USER_OID = 16384  # enums and domains: published as their text

CHANGE_COLUMNS: tuple[pa.Field, ...] = (
    pa.field("_op", pa.string()),
    pa.field("_commit_lsn", pa.int64()),
    pa.field("_ordinal", pa.int64()),
    pa.field("_commit_ts", pa.timestamp("us", tz="UTC")),
)


class ContractError(ValueError):
    """The contract file is missing, unreadable or contradictory; the message names table and column."""


@dataclass(frozen=True)
class Column:
    """One published column. `precision` and `scale` only for numeric.

    `personal` says what kind of text about a person it may hold, None when it holds none.
    """

    name: str
    type: str
    nullable: bool = True
    key: bool = False
    precision: int | None = None
    scale: int | None = None
    unit: str | None = None
    personal: str | None = None

    @cached_property
    def arrow(self) -> pa.DataType:
        if self.type == "numeric":
            return pa.decimal128(self.precision, self.scale)
        return _ARROW[self.type]

    @cached_property
    def duckdb(self) -> str:
        return f"DECIMAL({self.precision},{self.scale})" if self.type == "numeric" else _DUCKDB[self.type]

    def mismatch(self, oid: int, typmod: int) -> str | None:
        """Why a Postgres column of this type cannot fill this column, or None when it can."""
        if oid not in _OIDS[self.type] and not (self.type == "text" and oid >= _FIRST_USER_OID):
            return f"Postgres type oid {oid} is not {self.type}"
        if self.type == "numeric" and typmod >= 4:
            precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0xFFFF
            if scale > (self.scale or 0) or precision - scale > (self.precision or 0) - (self.scale or 0):
                return f"Postgres numeric({precision},{scale}) does not fit numeric({self.precision},{self.scale})"
        return None


@dataclass(frozen=True)
class Table:
    """One published table. `columns` in contract order."""

    name: str
    primary_key: tuple[str, ...]
    replica_identity: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def personal(self) -> tuple[str, ...]:
        """Columns whose text may be about a person."""
        return tuple(column.name for column in self.columns if column.personal)

    @cached_property
    def data_schema(self) -> pa.Schema:
        """The published columns. All nullable: delete rows carry only keys."""
        return pa.schema([pa.field(column.name, column.arrow) for column in self.columns])

    @cached_property
    def changes_schema(self) -> pa.Schema:
        return pa.schema([*self.data_schema, *CHANGE_COLUMNS])

    @cached_property
    def current_schema(self) -> pa.Schema:
        return pa.schema([*self.data_schema, CHANGE_COLUMNS[1]])


@dataclass(frozen=True)
class Contract:
    """All published tables of one publication, alphabetical."""

    version: int
    publication: str
    tables: tuple[Table, ...]

    @cached_property
    def by_name(self) -> dict[str, Table]:
        return {table.name: table for table in self.tables}


def load_contract(path: Path) -> Contract:
    """Read and check the contract file; raises ContractError."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContractError(f"no contract at {path}: run `make generate` to write it") from error
    except (OSError, ValueError) as error:
        raise ContractError(f"contract {path} is unreadable: {error}") from error
    return parse_contract(raw)


def parse_contract(raw: object) -> Contract:
    """Check a decoded contract document; raises ContractError naming table and column."""
    if not isinstance(raw, dict):
        raise ContractError("the contract must be a JSON object")
    if raw.get("version") != 1:
        raise ContractError(f"contract version {raw.get('version')!r} is not 1")
    publication, tables = raw.get("publication"), raw.get("tables")
    if not isinstance(publication, str) or not publication:
        raise ContractError("the contract names no publication")
    if not isinstance(tables, list) or not tables:
        raise ContractError("the contract lists no tables")
    parsed = [_table(item) for item in tables]
    names = [table.name for table in parsed]
    if len(set(names)) != len(names):
        raise ContractError(f"table {next(n for n in names if names.count(n) > 1)} is listed twice")
    return Contract(1, publication, tuple(sorted(parsed, key=lambda table: table.name)))


def _table(raw: object) -> Table:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise ContractError(f"a table has no name: {raw!r:.120}")
    name = raw["name"]
    if name.startswith("_"):
        raise ContractError(f"table {name}: names with a leading underscore belong to the lake itself")
    columns = tuple(_column(name, item) for item in raw.get("columns") or ())
    names = [column.name for column in columns]
    if not columns:
        raise ContractError(f"table {name} publishes no columns")
    for column in names:
        if names.count(column) > 1:
            raise ContractError(f"table {name}, column {column}: listed twice")
    key = raw.get("primaryKey")
    if not isinstance(key, list) or not key:
        raise ContractError(f"table {name} has no primary key")
    for part in key:
        if part not in names:
            raise ContractError(f"table {name}, column {part}: is in the primary key but not published")
    identity = raw.get("replicaIdentity", "default")
    if identity not in ("default", "full"):
        raise ContractError(f"table {name}: replica identity {identity!r} is neither default nor full")
    return Table(name, tuple(key), identity, columns)


def _column(table: str, raw: object) -> Column:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise ContractError(f"table {table}: a column has no name: {raw!r:.120}")
    name, kind = raw["name"], raw.get("type")
    where = f"table {table}, column {name}"
    if name.startswith("_"):
        raise ContractError(f"{where}: names with a leading underscore belong to the lake itself")
    if kind not in _OIDS:
        raise ContractError(f"{where}: type {kind!r} is not one of {', '.join(sorted(_OIDS))}")
    precision, scale = raw.get("precision"), raw.get("scale")
    if kind == "numeric" and not (
        isinstance(precision, int) and isinstance(scale, int) and 0 <= scale <= precision <= 38
    ):
        raise ContractError(f"{where}: numeric needs precision <= 38 and scale, got {precision!r}, {scale!r}")
    if kind != "numeric":
        precision = scale = None
    personal = raw.get("personal")
    if personal is not None and not (isinstance(personal, str) and personal and kind in ("text", "jsonb")):
        raise ContractError(f"{where}: personal must say what kind of text it is, and only text has it: {personal!r}")
    return Column(
        name=name,
        type=str(kind),
        nullable=bool(raw.get("nullable", True)),
        key=bool(raw.get("key", False)),
        precision=precision,
        scale=scale,
        unit=raw.get("unit"),
        personal=personal,
    )
