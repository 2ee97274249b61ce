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

import polars as pl

from features.columns import (
    BY_NAME,
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
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

_POLARS: dict[Dtype, pl.DataType] = {
    "int64": pl.Int64(),
    "float64": pl.Float64(),
    "bool": pl.Boolean(),
    "string": pl.String(),
    "strings": pl.List(pl.String),
}
_Operand = TypeVar("_Operand", float, pl.Expr)


class StoredRows:
    """The stored rows of some dbt models: one per entity and instant at which a feature changed."""

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """frames: dbt model -> its rows (join key, event and creation time, stored columns), in any order."""
        # Sorted by time: the rows known at an instant are a prefix, and an entity's row is its last one in that prefix.
        self.frames = {
            model: _in_utc(frame).sort(EVENT_TIMESTAMP, CREATED_TIMESTAMP, maintain_order=True)
            for model, frame in frames.items()
        }

    @classmethod
    def read(cls, folder: Path, models: Iterable[str] = MODELS) -> "StoredRows":
        """The files of one published set. Raises FileNotFoundError for a model without a file."""
        return cls({model: pl.read_parquet(folder / f"{model}.parquet") for model in models})

    def newest(self, model: str, at: datetime | None = None) -> pl.DataFrame:
        """The newest row of every entity at or before `at`, or of all rows when `at` is None.

        Of two rows with the same instant the one computed later is used.
        """
        frame = self.frames[model]
        if at is not None:
            frame = frame.head(int(frame[EVENT_TIMESTAMP].search_sorted(at, side="right")))
        return frame.unique(KEYS[entity_of(model)], keep="last", maintain_order=True)

    def shop(self, at: datetime | None = None) -> dict[str, Value]:
        """The shop's own columns at `at`."""
        stored: dict[str, Value | None] = {}
        for model in self._models_of("shop"):
            own = self.newest(model, at).filter(pl.col(KEYS["shop"]) == SHOP_ID)
            stored |= next(own.iter_rows(named=True), {})
        return complete("shop", stored, {})

    def as_of(
        self, entity: Entity, ids: Sequence[str], at: datetime | None = None, names: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Row i: the values of ids[i] known at `at`; the entity's columns in the list's order, or `names`.

        No value is null: a value that is not stored is the column's default. An entity without a row has defaults only,
        and request-time columns computed from them.
        """
        wanted = entity_columns(entity) if names is None else tuple(BY_NAME[name] for name in names)
        needed = {part for column in wanted for part in column.minus or (column.name,)}
        key, shop = KEYS[entity], self.shop(at)
        found = pl.DataFrame({key: list(ids)}, schema={key: pl.String})
        for model in self._models_of(entity):
            stored = [column.name for column in columns_of(model) if column.name in needed]
            rows = self.newest(model, at).select(pl.col(key).cast(pl.String), *stored)
            found = found.join(rows, on=key, how="left", maintain_order="left")
        values = {
            name: _column_filled(BY_NAME[name], found) if name not in shop else pl.lit(shop[name]) for name in needed
        }
        complete_rows = found.with_columns(
            (request_time(*(values[part] for part in column.minus)) if column.minus else values[column.name])
            .cast(_POLARS[column.dtype])
            .alias(column.name)
            for column in wanted
        )
        return complete_rows.select(column.name for column in wanted)

    def _models_of(self, entity: Entity) -> list[str]:
        return [model for model in self.frames if entity_of(model) == entity]


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


def _filled(column: FeatureColumn, value: Value | None) -> Value:
    """A stored value, or the default where there is none (null, or not a number)."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return column.default if missing or value is None else value


def _column_filled(column: FeatureColumn, frame: pl.DataFrame) -> pl.Expr:
    """`_filled` for a whole column; `column` is absent when no row was read."""
    kind = _POLARS[column.dtype]
    default = pl.lit(list(column.default) if isinstance(column.default, tuple) else column.default, dtype=kind)
    if column.name not in frame.columns:
        return default
    stored = pl.col(column.name).cast(kind)
    return (stored.fill_nan(None) if column.dtype == "float64" else stored).fill_null(default)


def _in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as aware UTC times."""
    stamps = []
    for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP):
        kind, stamp = frame.schema[name], pl.col(name)
        aware = isinstance(kind, pl.Datetime) and kind.time_zone is not None
        stamps.append(stamp.dt.convert_time_zone("UTC") if aware else stamp.dt.replace_time_zone("UTC"))
    return frame.with_columns(stamps)
