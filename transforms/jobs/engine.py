"""The engines behind one interface, and which of them runs: by the number of order lines, or as the settings say."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from transforms.errors import SparkFailed
from transforms.jobs.duckdb_engine import DuckdbEngine
from transforms.jobs.lake import count_lines
from transforms.jobs.rules import Dialect
from transforms.settings import TransformSettings
from warehouse.lake.read import Watermark


class Engine(Dialect, Protocol):
    """An engine on the lake at one watermark. Its queries may read `order_lines`."""

    @property
    def name(self) -> str: ...

    def write(self, query: str, folder: Path) -> None:
        """The query's rows as Parquet files `part-*.parquet` in a new folder."""
        ...


OpenEngine = Callable[[TransformSettings, Watermark], AbstractContextManager[Engine]]


def engine_for(settings: TransformSettings, watermark: Watermark) -> OpenEngine:
    """The engine that the settings name; `auto`: Spark from `spark_from_lines` order lines on, DuckDB below.

    Opening Spark raises SparkFailed without a Java.
    """
    if settings.jobs_engine == "duckdb":
        return DuckdbEngine.open
    if settings.jobs_engine == "spark":
        return _open_spark
    lines = count_lines(settings.lake_uri, watermark)
    return DuckdbEngine.open if lines < settings.spark_from_lines else _spark_because_of(lines)


@contextmanager
def _open_spark(settings: TransformSettings, watermark: Watermark) -> Iterator[Engine]:
    from transforms.spark.engine import spark_engine  # imports pyspark; only a run of Spark needs it

    with spark_engine(settings, watermark) as engine:
        yield engine


def _spark_because_of(lines: int) -> OpenEngine:
    @contextmanager
    def opened(settings: TransformSettings, watermark: Watermark) -> Iterator[Engine]:
        with ExitStack() as stack:
            try:
                engine = stack.enter_context(_open_spark(settings, watermark))
            except SparkFailed as error:
                raise SparkFailed(
                    f"{lines:,} order lines are Spark's to compute, because SOUK_SPARK_FROM_LINES is"
                    f" {settings.spark_from_lines:,}; but Spark does not start: {error} SOUK_JOBS_ENGINE=duckdb"
                    " computes them without Spark."
                ) from error
            yield engine

    return opened
