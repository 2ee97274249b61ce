"""Frames into tables by COPY, slice by slice, under all constraints and triggers."""

import io
from collections.abc import Callable

import polars as pl
import psycopg
from psycopg import sql

from api.operations.load.errors import LoadError

SLICE_ROWS = 20_000
# To sort so many rows for an index takes less than to put them into it one by one.
MANY_ROWS = 500_000
# Those that are there for reading. What makes a row unique stays, because it refuses rows.
_FOR_READING = """
SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass AND NOT i.indisunique ORDER BY c.relname"""
Advance = Callable[[int], None]


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """The rows as COPY's CSV: null is `\\N`, times with microseconds in UTC, no header."""
    buffer = io.BytesIO()
    frame.write_csv(
        buffer,
        include_header=False,
        null_value="\\N",
        datetime_format="%Y-%m-%d %H:%M:%S%.6f+00",
        quote_style="necessary",
    )
    return buffer.getvalue()


def copy_statement(table: str, columns: list[str]) -> sql.Composed:
    """COPY of exactly these columns; the rest take their defaults."""
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL '\\N')").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def load_frame(cursor: psycopg.Cursor[tuple[object, ...]], table: str, frame: pl.DataFrame, advance: Advance) -> int:
    """As `copy_frame`. The indexes for reading of a table that is empty and gets MANY_ROWS are made from its rows
    afterwards: in the same transaction, until the end of which nobody else reads the table."""
    aside = _set_aside(cursor, table) if frame.height >= MANY_ROWS else []
    count = copy_frame(cursor, table, frame, advance)
    for definition in aside:
        cursor.execute(definition.encode())
    return count


def _set_aside(cursor: psycopg.Cursor[tuple[object, ...]], table: str) -> list[str]:
    """Drops the indexes; returns how they are made."""
    empty = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
    if cursor.execute(empty).fetchone() != (True,):
        return []
    found = cursor.execute(_FOR_READING, (table,)).fetchall()
    for name, _ in found:
        cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))
    # Of a table of partitions Postgres writes the index that has none of them yet.
    return [str(definition).replace(" ON ONLY ", " ON ", 1) for _, definition in found]


def copy_frame(cursor: psycopg.Cursor[tuple[object, ...]], table: str, frame: pl.DataFrame, advance: Advance) -> int:
    """Append the frame's rows; its column names are the table's. Memory: one slice of text at a time.

    Raises: LoadError naming table and constraint when the database refuses a row.
    """
    try:
        with cursor.copy(copy_statement(table, frame.columns)) as copy:
            for rows in frame.iter_slices(SLICE_ROWS):
                copy.write(csv_bytes(rows))
                advance(rows.height)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        raise LoadError(
            f"table {table} refused a row: {error.diag.message_primary}{detail}; nothing was loaded"
        ) from error
    except psycopg.OperationalError as error:
        raise LoadError(
            f"the database stopped the load at table {table}: {str(error).strip()}; nothing was loaded"
        ) from error
    return frame.height
