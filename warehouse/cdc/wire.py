"""The server's replication protocol on libpq: what the server sends, and confirmations exactly when the caller says so.

A driver that confirms keep-alives by itself moves the slot past the lake as soon as another database of the cluster
writes, and the next start finds a gap where there is none. Here the slot moves by `confirm` only.
Source of the layouts: PostgreSQL documentation, "Streaming Replication Protocol".
"""

import select
import struct
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from warehouse.cdc.pgoutput import ProtocolError, timestamp
from warehouse.lake.lsn import format_lsn

SESSION = (
    # Without row_security=off a policy would silently hide rows from the snapshot; with it Postgres refuses to read.
    "-c row_security=off -c TimeZone=UTC -c DateStyle=ISO,YMD -c client_encoding=UTF8 -c statement_timeout=0 -c"
    " idle_in_transaction_session_timeout=0"
)
_DATA, _KEEP_ALIVE = ord("w"), ord("k")
_DATA_HEADER = 25
_EPOCH_SECONDS = 946_684_800  # 2000-01-01 UTC
_FLUSH_SECONDS = 10.0
_ANSWER_SECONDS = 0.1


class HasFileno(Protocol):
    """What `select` can wait for."""

    def fileno(self) -> int: ...


class Cancelled(Exception):
    """A command was cancelled before the server had answered."""


def always() -> bool:
    """Wait without a limit."""
    return True


class Replication:
    """A walsender connection; a context manager that closes it.

    `wal_end`: the server has sent everything for us up to this position; `sent_at` is its clock then. `answer_due`: the
    server asks for a confirmation now, as it does before it shuts down.
    """

    def __init__(self, url: str) -> None:
        # Any connection setting of `url` holds; autocommit, so that psycopg sends nothing of its own.
        self._connection = psycopg.connect(
            url,
            autocommit=True,
            replication="database",
            options=SESSION,
            application_name="souk cdc stream",
            connect_timeout=10,
        )
        self._libpq = self._connection.pgconn
        self.wal_end = 0
        self.sent_at = datetime.now(UTC)
        self.answer_due = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def execute(self, command: str, waiting: Callable[[], bool] = always) -> tuple[str, ...]:
        """One replication command; returns the first row of its answer, () when it has none.

        `waiting` is asked several times a second: when it says no, the command is cancelled and Cancelled raised. The
        connection is of no further use then.
        """
        self._libpq.send_query(command.encode())
        while self._libpq.is_busy():
            if not waiting():
                self._libpq.get_cancel().cancel()
                raise Cancelled(command)
            self.wait(_ANSWER_SECONDS)
            self._libpq.consume_input()
        result = self._libpq.get_result()
        while self._libpq.get_result() is not None:
            pass
        if result is None:
            raise psycopg.OperationalError("the server gave no answer")
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.OperationalError(result.get_error_message())
        if not result.ntuples:
            return ()
        return tuple((result.get_value(0, column) or b"").decode() for column in range(result.nfields))

    def start(self, slot: str, lsn: int, publication: str) -> None:
        """Begin the stream of a slot: transactions that end after `lsn`."""
        names = sql.Literal(sql.Identifier(publication).as_string()).as_string()
        command = (
            f"START_REPLICATION SLOT {sql.Identifier(slot).as_string()} LOGICAL {format_lsn(lsn)}"
            f" (proto_version '1', publication_names {names}, messages 'true')"
        )
        result = self._libpq.exec_(command.encode())
        if result.status != ExecStatus.COPY_BOTH:
            raise psycopg.OperationalError(result.get_error_message())

    def read(self) -> bytes | None:
        """The next message of the output plugin, None when none has arrived. Never blocks."""
        while True:
            size, data = self._libpq.get_copy_data(1)
            if size == 0:
                self._libpq.consume_input()
                size, data = self._libpq.get_copy_data(1)
                if size == 0:
                    return None
            if size < 0:
                raise psycopg.OperationalError(self._ending())
            kind = data[0]
            if kind == _DATA:
                return bytes(data[_DATA_HEADER:])
            if kind != _KEEP_ALIVE:
                raise ProtocolError(f"unknown replication message {bytes(data[:1])!r}")
            self.wal_end, micros, asked = struct.unpack_from(">QqB", data, 1)
            self.sent_at = timestamp(micros)
            self.answer_due = self.answer_due or bool(asked)

    def wait(self, seconds: float, others: Sequence[HasFileno] = ()) -> None:
        """Until something arrives, or one of `others` can be read; at most `seconds`."""
        select.select([self._libpq.socket, *others], [], [], seconds)

    def confirm(self, lsn: int) -> None:
        """Tell the server that everything up to `lsn` is durable here."""
        micros = int((time.time() - _EPOCH_SECONDS) * 1e6)
        self._libpq.put_copy_data(struct.pack(">cQQQqB", b"r", lsn, lsn, lsn, micros, 0))
        deadline = time.monotonic() + _FLUSH_SECONDS
        while self._libpq.flush():
            if time.monotonic() > deadline:
                raise psycopg.OperationalError("the server takes no confirmation")
            select.select([], [self._libpq.socket], [], 0.1)
        self.answer_due = False

    def _ending(self) -> str:
        """Why the server ended the stream."""
        while (result := self._libpq.get_result()) is not None:
            if result.status == ExecStatus.FATAL_ERROR:
                return result.get_error_message()
            if result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_BOTH):
                break
        return "the server ended the stream"
