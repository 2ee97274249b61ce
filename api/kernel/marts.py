"""The published DuckDB marts, read-only.

The file is replaced by an atomic rename, so an open reader keeps its own version until it reopens.
"""

import asyncio
import threading
from pathlib import Path

import duckdb

# By position, or by name.
Parameters = tuple[object, ...] | dict[str, object]


class PublishedMarts:
    """One warm connection, reopened when the published file changes.

    Queries run in a thread, one at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._identity: tuple[int, int] | None = None

    async def rows(self, query: str, parameters: Parameters) -> list[tuple]:  # type: ignore[type-arg]  # rows of any shape
        """No rows when nothing is published yet. Raises: duckdb.Error."""
        return await asyncio.to_thread(self._run, query, parameters)

    async def rows_if_there(self, query: str, parameters: Parameters) -> list[tuple]:  # type: ignore[type-arg]  # rows of any shape
        """No rows when the file is of an earlier release without the mart or a column, until the next build."""
        try:
            return await self.rows(query, parameters)
        except (duckdb.CatalogException, duckdb.BinderException):
            return []

    def _run(self, query: str, parameters: Parameters) -> list[tuple]:  # type: ignore[type-arg]  # rows of any shape
        with self._lock:
            connection = self._open()
            return connection.execute(query, parameters).fetchall() if connection else []

    def _open(self) -> duckdb.DuckDBPyConnection | None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        identity = (stat.st_ino, stat.st_mtime_ns)
        if self._connection is None or identity != self._identity:
            if self._connection is not None:
                self._connection.close()
            # UTC, so that timestamps are the same on every machine. One thread, because the queries are
            # small and the cores serve other requests.
            self._connection = duckdb.connect(
                str(self._path), read_only=True, config={"threads": 1, "autoinstall_known_extensions": False}
            )
            self._connection.execute("SET TimeZone = 'UTC'")
            self._identity = identity
        return self._connection
