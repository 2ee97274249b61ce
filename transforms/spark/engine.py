"""The jobs in Spark, on this machine or on a cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from transforms.errors import SparkFailed
from transforms.jobs.lake import files_of
from transforms.jobs.rules import COLUMNS, ORDER_LINES
from transforms.settings import TransformSettings
from transforms.spark.lake import current_state
from transforms.spark.session import spark_session
from warehouse.lake.read import Watermark

_FILES = 4


@dataclass(frozen=True)
class SparkEngine:
    """A session with views of the lake."""

    session: SparkSession
    name: str = "spark"

    def in_order(self, value: str, place: str) -> str:
        return f"sort_array(array_agg(struct({place} AS place, {value} AS value))).value"

    def write(self, query: str, folder: Path) -> None:
        frame = self.session.sql(query).coalesce(_FILES)
        frame.write.option("compression", "zstd").parquet(str(folder))


@contextmanager
def spark_engine(
    settings: TransformSettings, watermark: Watermark, session: SparkSession | None = None
) -> Iterator[SparkEngine]:
    """Starts a session unless one is given. Raises LakeNotReady, SparkFailed without a Java or for an object store."""
    if "://" in settings.lake_uri:
        raise SparkFailed(
            "Spark reads a lake in a folder that all its hosts see, because pyspark's wheel holds no client for object"
            f" stores; SOUK_LAKE_URI is {settings.lake_uri}."
        )
    with ExitStack() as stack:
        spark = session or stack.enter_context(spark_session(settings))
        for table, columns in COLUMNS.items():
            files = files_of(settings.lake_uri, table, watermark)
            current_state(spark, files, list(columns)).createOrReplaceTempView(table)
        lines = spark.sql(ORDER_LINES).persist()
        stack.callback(lines.unpersist)
        lines.createOrReplaceTempView("order_lines")
        yield SparkEngine(spark)
