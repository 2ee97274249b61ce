"""Run the Spark jobs on the lake at one watermark and commit the results to Delta."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from transforms.derived import CO_PURCHASE, INTERACTION_SEQUENCES
from transforms.errors import LakeNotReady
from transforms.settings import TransformSettings
from transforms.spark.co_purchase import co_purchase
from transforms.spark.interactions import interaction_sequences
from transforms.spark.lake import lake_table
from transforms.spark.session import spark_session
from warehouse.lake.catalog import open_table
from warehouse.lake.derived import commit_files, derived_uri
from warehouse.lake.fold import forget
from warehouse.lake.read import Watermark, latest_watermark

_RETENTION_HOURS = 24
_FILES = 4


@dataclass(frozen=True)
class Derived:
    """One derived table: how it is computed from order lines, and its columns in the lake."""

    name: str
    compute: Callable[[DataFrame], DataFrame]
    schema: pa.Schema


TABLES: tuple[Derived, ...] = (
    Derived("co_purchase", co_purchase, CO_PURCHASE),
    Derived("interaction_sequences", interaction_sequences, INTERACTION_SEQUENCES),
)


@dataclass(frozen=True)
class SparkResult:
    """What one run committed: rows and Delta version by table, seconds by phase."""

    lsn: int
    lsn_text: str
    rows: dict[str, int]
    versions: dict[str, int]
    seconds: dict[str, float]


def run(
    settings: TransformSettings, watermark: Watermark | None = None, spark: SparkSession | None = None
) -> SparkResult:
    """Compute both derived tables at one watermark, the newest by default.

    Each table is one commit that carries the LSN. Starts a session unless one is given. Safe to repeat. Raises
    LakeNotReady without a watermark, SparkFailed without a Java.
    """
    watermark = watermark or latest_watermark(settings.lake_uri)
    if watermark is None:
        raise LakeNotReady(
            f"the lake at {settings.lake_uri} has no watermark yet: is `python -m warehouse.cdc` running?"
        )
    if spark is not None:
        return _run(spark, settings.lake_uri, watermark, {})
    started = time.perf_counter()
    with spark_session(settings) as session:
        return _run(session, settings.lake_uri, watermark, {"session": round(time.perf_counter() - started, 3)})


def order_lines(spark: SparkSession, lake: str, watermark: Watermark) -> DataFrame:
    """order_item_id, order_id, product_id, user_id (null for guests), ordered_at; without lines of cancelled orders."""
    orders = lake_table(spark, lake, "orders", watermark, ["order_id", "user_id", "status", "created_at"])
    items = lake_table(spark, lake, "order_items", watermark, ["order_item_id", "order_id", "product_id"])
    placed = orders.where(sf.col("status") != "cancelled").select(
        "order_id", "user_id", sf.col("created_at").alias("ordered_at")
    )
    return items.join(placed, "order_id")


def _run(spark: SparkSession, lake: str, watermark: Watermark, seconds: dict[str, float]) -> SparkResult:
    lines = order_lines(spark, lake, watermark).persist()
    rows: dict[str, int] = {}
    versions: dict[str, int] = {}
    try:
        for table in TABLES:
            started = time.perf_counter()
            files = _write(table.compute(lines), lake, table.name)
            rows[table.name] = sum(int(_footer_rows(file)) for file in files)
            metadata = {"watermarkLsn": str(watermark.lsn), "watermarkLsnText": watermark.lsn_text}
            versions[table.name] = commit_files(
                lake, table.name, files, table.schema, mode="overwrite", metadata=metadata
            )
            _forget_old(lake, table.name)
            seconds[table.name] = round(time.perf_counter() - started, 3)
    finally:
        lines.unpersist()
    return SparkResult(watermark.lsn, watermark.lsn_text, rows, versions, seconds)


def _write(frame: DataFrame, lake: str, name: str) -> list[Path]:
    """Parquet files in a folder of their own under the table; no reader sees them before the commit."""
    folder = Path(derived_uri(lake, name)) / f"run-{uuid4().hex}"
    frame.coalesce(_FILES).write.option("compression", "zstd").parquet(str(folder))
    return sorted(folder.glob("part-*.parquet"))


def _footer_rows(file: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(file).metadata.num_rows)


def _forget_old(lake: str, name: str) -> None:
    """Delete files that no version of the last day needs, including those of killed runs."""
    table = open_table(derived_uri(lake, name))
    if table is not None:
        forget(table, _RETENTION_HOURS)
