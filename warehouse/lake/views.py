"""The lake's tables for a person's queries: at one watermark, read-only, text about people masked."""

import json
import os
from collections.abc import Iterator
from typing import Any

import duckdb

from warehouse.contract import Contract
from warehouse.lake.read import attach, connect, literal, quote
from warehouse.lake.watermark import Watermark

MASK = "***"
_STATE = "state"
# Functions after FROM that read nothing; the others read files or run SQL that was not looked at.
_FUNCTIONS = frozenset({"generate_series", "range", "unnest"})
_SCHEMAS = frozenset({"", "main", "information_schema"})


class QueryRefused(ValueError):
    """The query does more than read the views; the message says what."""


def open_views(
    lake: str | os.PathLike[str], watermark: Watermark, contract: Contract, *, personal: bool = False
) -> duckdb.DuckDBPyConnection:
    """A connection of its own with one view per table = its exact state at the watermark, and the view `_watermark`.

    Columns that the contract calls personal show `***` where they hold a text, unless `personal`. So does text of a
    column that the contract does not know. The caller closes the connection.
    """
    con = connect()
    con.execute("SET python_enable_replacements = false")
    attach(con, lake, watermark, _STATE)
    for name in watermark.versions:
        state = f"{_STATE}.{quote(name)}"
        hidden = [] if personal else _hidden(con, state, name, contract)
        masks = ", ".join(
            f"CASE WHEN {column} IS NOT NULL THEN {literal(MASK)} END AS {column}" for column in map(quote, hidden)
        )
        con.execute(f"CREATE VIEW {quote(name)} AS SELECT *{f' REPLACE ({masks})' if masks else ''} FROM {state}")
    con.execute(f"CREATE VIEW _watermark AS FROM {_STATE}._watermark")
    return con


def _hidden(con: duckdb.DuckDBPyConnection, state: str, name: str, contract: Contract) -> list[str]:
    table = contract.by_name.get(name)
    known = {column.name: column for column in table.columns} if table else {}
    columns = con.execute(f"DESCRIBE {state}").fetchall()
    return [
        str(column)
        for column, kind, *_ in columns
        if (bool(known[column].personal) if column in known else kind == "VARCHAR")
    ]


def tables_read(con: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    """The names of tables that a query reads. Raises QueryRefused unless it reads only the views, duckdb.Error when it
    is no SQL.
    """
    row = con.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True, "error_message": "no answer"}
    if tree["error"]:
        if tree["error_type"] == "not implemented":
            raise QueryRefused("the lake is only read: write a SELECT")
        raise duckdb.ParserException(tree["error_message"])
    names = set()
    for node in _nodes(tree):
        if node.get("type") == "TABLE_FUNCTION" and (called := node["function"]["function_name"]) not in _FUNCTIONS:
            raise QueryRefused(f"{called}() is not available here: query the views by name")
        if node.get("type") == "BASE_TABLE":
            name, schema = str(node["table_name"]), str(node["schema_name"])
            if schema not in _SCHEMAS or set("./") & set(name):
                raise QueryRefused(f"{name} is not available here: query the views by name")
            names.add(name)
    return names


def _nodes(tree: object) -> Iterator[dict[str, Any]]:  # Any: nodes of DuckDB's syntax tree
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
