"""Reads the shoppers' sequences, the published marts and the feature files into TrainingData."""

from pathlib import Path

import duckdb
import polars as pl

from features.asof import StoredRows
from features.columns import BY_NAME, columns_hash, numeric_columns
from training.data.datasets import (
    BadTrainingData,
    FeatureTable,
    TooFewPurchases,
    TrainingData,
    catalog_from_frame,
    events_from_frame,
)
from training.settings import TrainingSettings
from warehouse.lake.derived import read_derived, read_metadata
from warehouse.lake.lsn import format_lsn
from warehouse.lake.read import LakeStateError
from warehouse.logs import get_logger

log = get_logger(__name__)

_SEQUENCES = "interaction_sequences"
_GUESTS = "SELECT order_id, user_id, product_id, ordered_at, is_cancelled FROM fct_order_items WHERE user_id IS NULL"
_PRODUCTS = "SELECT product_id, title, brand, category_path, status = 'active' AS recommendable FROM dim_product"
_UTC = pl.Datetime("us", "UTC")


def read_inputs(settings: TrainingSettings) -> TrainingData:
    """The current sequences, marts and features. Raises BadTrainingData naming what is missing or empty.

    A full run computes all three at one watermark. After a quick refresh the marts are newer than the sequences; the
    older watermark is used.
    """
    guests, products, marts_lsn = read_marts(settings.marts_path)
    shoppers, sequences_lsn = read_sequences(settings.lake_uri)
    if marts_lsn != sequences_lsn:
        log.info(
            "shoppers' orders are of another watermark than guests' orders and products",
            shoppers=format_lsn(sequences_lsn),
            others=format_lsn(marts_lsn),
        )
    lines = pl.concat([shoppers, guests], how="diagonal")
    return training_data(
        "lake", lines, products, min(marts_lsn, sequences_lsn), read_features(settings.current_features)
    )


def training_data(
    name: str, lines: pl.DataFrame, products: pl.DataFrame, lsn: int, features: FeatureTable | None
) -> TrainingData:
    """Pure frames -> TrainingData, form "orders"."""
    catalog = catalog_from_frame(products)
    events, users, dropped = events_from_frame(lines, catalog)
    if not len(events):
        raise TooFewPurchases(f"{name}: no purchase line is left after cleaning ({dropped})")
    return TrainingData(name, "orders", catalog, events, users, lsn, features, dropped=dropped)


def read_marts(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """(order lines of guests, products, watermark LSN) of the published DuckDB file."""
    if not path.is_file():
        raise BadTrainingData(f"{path}: the published marts are missing; run the pipeline first")
    with duckdb.connect(str(path), read_only=True) as con:
        try:
            con.execute("SET TimeZone = 'UTC'")
            lines, products = con.execute(_GUESTS).pl(), con.execute(_PRODUCTS).pl()
            row = con.execute("SELECT max(lsn) FROM mart_watermark").fetchone()
        except duckdb.Error as error:
            raise BadTrainingData(f"{path}: {error}") from error
    lines = lines.with_columns(
        pl.col("order_id", "user_id", "product_id").cast(pl.String), pl.col("ordered_at").cast(_UTC)
    )
    return lines, products, int(row[0]) if row and row[0] is not None else 0


def read_sequences(lake: str) -> tuple[pl.DataFrame, int]:
    """(order lines of signed-in shoppers, watermark LSN) of the lake's `interaction_sequences`.

    Columns: order_id, user_id, product_id, ordered_at. Lines of cancelled orders are left out. The lines of a basket
    keep their order.
    """
    try:
        table, (_, metadata) = read_derived(lake, _SEQUENCES), read_metadata(lake, _SEQUENCES)
    except LakeStateError as error:
        raise BadTrainingData(f"{error}; run the whole pipeline first") from error
    frame = pl.DataFrame(table).select(
        pl.col("user_id"),
        pl.col("product_ids").alias("product_id"),
        pl.col("order_ids").alias("order_id"),
        pl.col("timestamps").alias("ordered_at"),
    )
    lines = frame.explode("product_id", "order_id", "ordered_at").with_columns(pl.col("ordered_at").cast(_UTC))
    return lines, int(metadata["watermarkLsn"])


def read_features(folder: Path) -> FeatureTable | None:
    """The numeric product and user columns of `features/columns.py` from one published set; None before the first
    build.
    """
    columns = numeric_columns("product", "user")
    models = {BY_NAME[part].model for column in columns for part in column.minus or (column.name,)}
    try:
        stored = StoredRows.read(folder.resolve(), sorted(models))
    except FileNotFoundError:
        log.warning("no feature files: the ranker sees retrieval scores only", folder=str(folder))
        return None
    return FeatureTable(tuple(column.name for column in columns), columns_hash(), stored)
