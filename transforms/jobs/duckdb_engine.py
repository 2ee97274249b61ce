"""The jobs in DuckDB, in this process: no JVM to start, and faster on what fits one machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from transforms.jobs.lake import files_of
from transforms.jobs.rules import COLUMNS, ORDER_LINES
from transforms.settings import TransformSettings
from warehouse.lake.read import Watermark, connect, copy_hot, literal, state_sql


@dataclass(frozen=True)
class DuckdbEngine:
    """A private in-memory database with views of the lake; what does not fit memory spills into a temporary folder."""

    con: duckdb.DuckDBPyConnection
    name: str = "duckdb"

    @classmethod
    @contextmanager
    def open(cls, settings: TransformSettings, watermark: Watermark) -> Iterator["DuckdbEngine"]:
        """Views of `orders` and `order_items` at the watermark. Raises LakeNotReady."""
        with connect(settings.lake_uri) as con, TemporaryDirectory(prefix="souk-jobs-") as spill:
            con.execute(f"SET temp_directory = {literal(spill)}")
            con.execute("SET preserve_insertion_order = false")
            for table, columns in COLUMNS.items():
                files = copy_hot(con, files_of(settings.lake_uri, table, watermark), "hot", table)
                con.execute(f"CREATE VIEW {table} AS SELECT {', '.join(columns)} FROM ({state_sql(files)})")
            con.execute(f"CREATE VIEW order_lines AS {ORDER_LINES}")
            yield cls(con)

    def in_order(self, value: str, place: str) -> str:
        return f"list_transform(list_sort(list({{place: {place}, value: {value}}})), lambda one: one.value)"

    def write(self, query: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        file = folder / "part-00000.parquet"
        self.con.execute(f"COPY ({query}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)")
