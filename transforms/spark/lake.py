"""Lake tables in Spark, without jars: Parquet file lists from the Delta log, the exact state at one watermark."""

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import from_arrow_schema

from warehouse.lake.read import TableFiles

_TAIL_COLUMNS = ("_op", "_commit_lsn", "_ordinal")


def current_state(spark: SparkSession, files: TableFiles, columns: list[str]) -> DataFrame:
    """Base plus tail: each key's last change, with deletes and truncations applied, as in
    `warehouse.lake.read.state_sql`.
    """
    needed = list(dict.fromkeys([*files.key, *columns]))
    base = _read(spark, files.base, files.schema, needed)
    if not files.tail and files.hot is None:
        return base.select(*columns)
    tail = _read(spark, files.tail, files.schema, [*needed, *_TAIL_COLUMNS])
    if files.hot is not None:
        tail = tail.unionByName(_rows(spark, files.hot.select([*needed, *_TAIL_COLUMNS])))
    tail = tail.where((sf.col("_commit_lsn") > files.folded_lsn) & (sf.col("_commit_lsn") <= files.lsn))
    position = sf.struct("_commit_lsn", "_ordinal")
    reset = sf.broadcast(tail.where(sf.col("_op") == "t").agg(sf.max(position).alias("reset")))
    after = (
        tail.where(sf.col("_op") != "t").crossJoin(reset).where(sf.col("reset").isNull() | (position > sf.col("reset")))
    )
    newest_first = Window.partitionBy(*files.key).orderBy(sf.col("_commit_lsn").desc(), sf.col("_ordinal").desc())
    last = after.withColumn("_rank", sf.row_number().over(newest_first)).where(sf.col("_rank") == 1)
    untouched = (
        base.join(last.select(*files.key), list(files.key), "left_anti")
        .crossJoin(reset)
        .where(sf.col("reset").isNull())
    )
    return untouched.select(*columns).unionByName(last.where(sf.col("_op") != "d").select(*columns))


def _read(spark: SparkSession, files: tuple[str, ...], schema: pa.Schema, columns: list[str]) -> DataFrame:
    """The named columns with exactly the lake's types; a file older than a column gives null there."""
    wanted = from_arrow_schema(pa.schema([schema.field(name) for name in columns]))
    if not files:
        return spark.createDataFrame([], wanted)
    return spark.read.schema(wanted).parquet(*files)


def _rows(spark: SparkSession, rows: pa.Table) -> DataFrame:
    """The few rows of the hot log, which are in no file that Spark could read."""
    return spark.createDataFrame([tuple(row.values()) for row in rows.to_pylist()], from_arrow_schema(rows.schema))
