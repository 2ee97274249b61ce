"""The lake, the marts and the feature files -> TrainingData, all at rest and all of one watermark."""

from __future__ import annotations

import logging
from pathlib import Path

import duckdb
import polars as pl

from features.columns import columns_hash, numeric_columns
from training.datasets import BadTrainingData, FeatureTable, TrainingData, catalogue_from_frame, events_from_frame
from training.settings import TrainingSettings

log = logging.getLogger(__name__)

_LINES = "SELECT order_id, user_id, product_id, quantity, ordered_at, is_cancelled FROM fct_order_items"
_PRODUCTS = "SELECT product_id, title, brand, category_path, status = 'active' AS recommendable FROM dim_product"


def read_inputs(settings: TrainingSettings) -> TrainingData:
    """The current marts and features. Raises BadTrainingData naming the file that is missing or empty."""
    lines, products, lsn = read_marts(settings.marts)
    return training_data("lake", lines, products, lsn, read_features(settings.features))


def training_data(name: str, lines: pl.DataFrame, products: pl.DataFrame, lsn: int, features: FeatureTable | None) -> TrainingData:
    """Pure frames -> TrainingData, form "orders"."""
    catalogue = catalogue_from_frame(products)
    events, users, dropped = events_from_frame(lines, catalogue)
    if not len(events):
        raise BadTrainingData(f"{name}: no purchase line is left after cleaning ({dropped})")
    return TrainingData(name, "orders", catalogue, events, users, lsn, features, dropped=dropped)


def read_marts(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """(order lines, products, watermark LSN) of the published DuckDB file."""
    if not path.is_file():
        raise BadTrainingData(f"{path}: the published marts are missing; run the pipeline first")
    with duckdb.connect(str(path), read_only=True) as con:
        try:
            lines, products = con.execute(_LINES).pl(), con.execute(_PRODUCTS).pl()
            row = con.execute("SELECT max(lsn) FROM mart_watermark").fetchone()
        except duckdb.Error as error:
            raise BadTrainingData(f"{path}: {error}") from error
    return lines, products, int(row[0]) if row and row[0] is not None else 0


def read_sequences(frame: pl.DataFrame) -> pl.DataFrame:
    """Order lines of the lake's derived table `interaction_sequences` (user_id, product_ids, timestamps, order_ids; lists, oldest first).

    For a lake without marts: the same purchases of signed-in buyers, without quantities and guests.
    """
    needed = ("user_id", "product_ids", "timestamps", "order_ids")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise BadTrainingData(f"interaction_sequences: columns {missing} are missing")
    return (
        frame.select(needed)
        .explode("product_ids", "timestamps", "order_ids")
        .rename({"product_ids": "product_id", "timestamps": "ordered_at", "order_ids": "order_id"})
    )


def read_features(folder: Path) -> FeatureTable | None:
    """The numeric product and user columns of `features/columns.py`, from one parquet file per dbt model. None before the first build."""
    files = {path.stem.removeprefix("features_"): path for path in sorted(folder.glob("features_*.parquet"))}
    if not {"product", "user"} <= set(files):
        log.warning("no feature files in %s: the ranker sees retrieval scores only", folder)
        return None
    columns = numeric_columns("product", "user")
    frames = {}
    for entity in ("product", "user", "shop"):
        if entity in files:
            frames[entity] = _in_utc(pl.read_parquet(files[entity]))
    return FeatureTable(
        columns=tuple(column.name for column in columns),
        columns_hash=columns_hash(),
        entities=tuple(column.entity for column in columns),
        defaults=tuple(_number(column.default) for column in columns),
        frames=frames,
        stored_defaults={column.name: _number(column.default) for column in numeric_columns("product", "user", "shop")},
        minus={column.name: column.minus for column in columns if column.minus is not None},
    )


def _in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """event_timestamp as an aware UTC time."""
    kind = frame.schema["event_timestamp"]
    stamp = pl.col("event_timestamp")
    aware = isinstance(kind, pl.Datetime) and kind.time_zone is not None
    return frame.with_columns(stamp.dt.convert_time_zone("UTC") if aware else stamp.dt.replace_time_zone("UTC"))


def _number(default: object) -> float:
    """A numeric column's default; `numeric_columns` gives no others."""
    if not isinstance(default, int | float):
        raise TypeError(f"a numeric feature has the default {default!r}")
    return float(default)
