"""Errors that belong to one table: its rows or its files cannot be processed, however often it is tried."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError

from warehouse.cdc.columns import ValueRefused
from warehouse.lake.catalog import TypeChanged

TRIES = 3
_IN_A_ROW_SECONDS = 300.0
_OF_THE_DATA = (ValueError, TypeError, LookupError, ArithmeticError, pa.ArrowException, DeltaError, duckdb.Error)
_OF_THE_MACHINE = (MemoryError, duckdb.OutOfMemoryException, duckdb.IOException)


class TableFailed(RuntimeError):
    """Work on one table failed, for a reason that is not the server's, the disk's or the memory's."""

    def __init__(self, table: str, error: Exception) -> None:
        first_line = str(error).strip().partition("\n")[0]  # Rust's errors end in a backtrace
        super().__init__(f"table {table}: {type(error).__name__}: {first_line}")
        self.table = table


@contextmanager
def work_on(table: str) -> Iterator[None]:
    """Errors inside the block become TableFailed, except a refused value and a full disk or memory."""
    try:
        yield
    except (ValueRefused, TypeChanged, *_OF_THE_MACHINE):
        raise
    except _OF_THE_DATA as error:
        if "os error" in str(error):  # as Rust prints an error of the operating system
            raise
        raise TableFailed(table, error) from error


class Suspects:
    """Which tables failed in a row. At the third failure a table is left out, so that the others go on."""

    def __init__(self) -> None:
        self.left_out: dict[str, str] = {}
        self._failures: Counter[str] = Counter()

    def failed(self, failure: TableFailed, *, streamed_seconds: float = 0.0) -> bool:
        """Whether the table is left out from now on.

        `streamed_seconds`: how long the session had streamed with all tables; failures before a long time do not count.
        """
        if streamed_seconds >= _IN_A_ROW_SECONDS:
            self._failures.clear()
        self._failures[failure.table] += 1
        if self._failures[failure.table] < TRIES:
            return False
        self.left_out[failure.table] = str(failure)
        return True

    def try_again(self, table: str | None = None) -> None:
        """Take a table, or all of them, in once more; the next failure leaves it out again."""
        for name in [table] if table is not None else [*self.left_out]:
            self.left_out.pop(name, None)
            self._failures[name] = TRIES - 1
