"""The only as-of read: an entity's newest stored row up to an instant, defaults, and request-time columns.

A column without a stored value has its default; a request-time column is computed when it is read. All code that turns
stored features into values calls this module: training (many entities at a past instant), serving's product features
(all products now), the shopper's row from Redis, and the rows that are written to Redis.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.columns import (
    BY_NAME,
    KEYS,
    MODELS,
    SHOP_ID,
    Dtype,
    Entity,
    FeatureColumn,
    Value,
    columns_of,
    entity_columns,
    entity_of,
    numeric_columns,
)
from features.runs import EntityRuns

_ARROW: dict[Dtype, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "strings": pa.list_(pa.string()),
}
_Operand = TypeVar("_Operand", float, npt.NDArray[np.int64])


class StoredRows:
    """The stored rows of some dbt models: one per entity and instant at which a feature changed."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        """tables: dbt model -> its rows (join key, event and creation time, stored columns), in any order."""
        self.tables = dict(tables)
        self._runs = {model: EntityRuns(table, KEYS[entity_of(model)]) for model, table in tables.items()}

    @classmethod
    def read(cls, folder: Path, models: Iterable[str] = MODELS) -> "StoredRows":
        """All rows of the files of one published set. Raises FileNotFoundError for a model without a file."""
        tables = {}
        for model in models:
            with _open(folder, model) as file:
                tables[model] = file.read()
        return cls(tables)

    @classmethod
    def read_newest(cls, folder: Path, models: Iterable[str]) -> "StoredRows":
        """The newest row of every entity only, in the memory of one row group; a set has them in files of their own.

        Raises FileNotFoundError as `read`.
        """
        tables = {}
        for model in models:
            key, newest_only = KEYS[entity_of(model)], folder / "newest"
            with _open(newest_only if newest_only.exists() else folder, model) as file:
                newest = EntityRuns(file.read(EntityRuns.columns(key)), key).newest()
                tables[model] = _take_rows(file, np.sort(newest))
        return cls(tables)

    def newest(self, model: str, at: datetime | None = None) -> pa.Table:
        """The newest row of every entity at or before `at`, or of all rows when `at` is None.

        Of two rows with the same instant the one computed later is used.
        """
        rows = self._runs[model].newest(at)
        found = self.tables[model].take(pa.array(rows[rows >= 0]))
        key = KEYS[entity_of(model)]
        return found.set_column(found.column_names.index(key), key, found[key].cast(pa.string()))

    def shop(self, at: datetime | None = None) -> dict[str, Value]:
        """The shop's own columns at `at`."""
        stored: dict[str, Value | None] = {}
        for model in self._models_of("shop"):
            rows = self.tables[model].take(self._runs[model].rows_of([SHOP_ID], at))
            stored |= rows.to_pylist()[0]
        return complete("shop", stored, {})

    def as_of(
        self, entity: Entity, ids: Sequence[str], at: datetime | None = None, names: Sequence[str] | None = None
    ) -> pa.Table:
        """Row i: the values of ids[i] known at `at`; the entity's columns in the list's order, or `names`.

        No value is null: a value that is not stored is the column's default. An entity without a row has defaults only,
        and request-time columns computed from them.
        """
        wanted = entity_columns(entity) if names is None else tuple(BY_NAME[name] for name in names)
        needed = {part for column in wanted for part in column.minus or (column.name,)}
        shop = self.shop(at)
        stored: dict[str, pa.ChunkedArray] = {}
        for model in self._models_of(entity):
            rows = self._runs[model].rows_of(ids, at)
            held = [column.name for column in columns_of(model) if column.name in needed]
            stored |= {name: self.tables[model][name].take(rows) for name in held}
        values = {
            name: pa.repeat(_scalar(BY_NAME[name], shop[name]), len(ids))
            if name in shop
            else _column_filled(BY_NAME[name], stored.get(name), len(ids))
            for name in needed
        }
        return pa.table({column.name: _column_value(column, values) for column in wanted})

    def _models_of(self, entity: Entity) -> list[str]:
        return [model for model in self.tables if entity_of(model) == entity]


def complete(entity: Entity, stored: Mapping[str, Value | None], shop: Mapping[str, Value | None]) -> dict[str, Value]:
    """Every column of one entity, in the list's order, from the stored values of the entity and of the shop.

    Without stored values the result is that of an entity without a row.
    """
    held = {**shop, **stored}
    known = {
        column.name: _filled(column, held.get(column.name))
        for column in (*entity_columns("shop"), *entity_columns(entity))
    }
    values: dict[str, Value] = {}
    for column in entity_columns(entity):
        if column.minus is None:
            values[column.name] = known[column.name]
        else:
            minuend, subtrahend = (number(known[part]) for part in column.minus)
            values[column.name] = int(request_time(minuend, subtrahend))
    return values


def request_time(minuend: _Operand, subtrahend: _Operand) -> _Operand:
    """The formula of every column with `minus`, for one entity's numbers or for whole columns."""
    return minuend - subtrahend


def numbers(entity: Entity, values: Mapping[str, Value]) -> dict[str, float]:
    """Those columns of a complete row that a model can take, as numbers."""
    return {column.name: number(values[column.name]) for column in numeric_columns(entity)}


def number(value: Value) -> float:
    """A numeric value as float. Raises TypeError for text and lists."""
    if isinstance(value, str | tuple):
        raise TypeError(f"{value!r:.60} is not a number")
    return float(value)


def matrix(rows: pa.Table, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Numeric columns of complete rows as [rows, names], as a model takes them."""
    values = np.empty((rows.num_rows, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        values[:, place] = rows[name].cast(pa.float64()).to_numpy()
    return values


def _filled(column: FeatureColumn, value: Value | None) -> Value:
    """A stored value, or the default where there is none (null, or not a number)."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return column.default if missing or value is None else value


def _column_filled(column: FeatureColumn, stored: pa.ChunkedArray | None, size: int) -> pa.Array:
    """`_filled` for a whole column; stored: None when the column was not read."""
    default = _scalar(column, column.default)
    if stored is None:
        return pa.repeat(default, size)
    values = stored.combine_chunks().cast(default.type)
    if column.dtype == "float64":
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, default.type), values)
    return pc.coalesce(values, default)


def _column_value(column: FeatureColumn, values: Mapping[str, pa.Array]) -> pa.Array:
    """A stored column, or the formula of a request-time one."""
    if column.minus is None:
        return values[column.name]
    minuend, subtrahend = (values[part].to_numpy() for part in column.minus)
    return pa.array(request_time(minuend, subtrahend)).cast(_ARROW[column.dtype])


def _scalar(column: FeatureColumn, value: Value) -> pa.Scalar:
    return pa.scalar(list(value) if isinstance(value, tuple) else value, _ARROW[column.dtype])


def _open(folder: Path, model: str) -> pq.ParquetFile:
    """A model's file. Its texts repeat, so they are read as numbers of a dictionary.

    A file of an earlier release may lack a column: its readers take the default.
    """
    path = folder / f"{model}.parquet"
    texts = {KEYS[entity_of(model)], *(column.name for column in columns_of(model) if column.dtype == "string")}
    metadata = pq.read_metadata(path)
    held = texts.intersection(metadata.schema.to_arrow_schema().names)
    return pq.ParquetFile(path, metadata=metadata, read_dictionary=sorted(held))


def _take_rows(file: pq.ParquetFile, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Some rows of a file, in ascending order, one row group in memory at a time."""
    parts, start = [file.schema_arrow.empty_table()], 0
    for group in range(file.num_row_groups):
        part = file.read_row_group(group)
        inside = rows[(rows >= start) & (rows < start + part.num_rows)] - start
        parts.append(part.take(pa.array(inside)))
        start += part.num_rows
    return pa.concat_tables(parts)
