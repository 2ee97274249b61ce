"""One connection to Postgres: statements go out together in one round trip, prepared on first use.

It is psycopg's connection in libpq's pipeline mode, in which it stays. What is sent in one round trip is one
transaction, also without BEGIN: all of it happens or nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

from api.kernel.arrays import array
from api.kernel.plan import Call, Row

# Statements that the server keeps prepared for one connection; the one that was not used for longest gives way.
PREPARED = 200
_CANCEL_SECONDS = 2.0
_WATCH_SECONDS, _LOOKS = 1.0, 200
_FORMATS = tuple([PyFormat.AUTO] * n for n in range(64))
_FORGET = Call(b"DEALLOCATE ALL", (), prepare=False)
# A statement is prepared again when it has been sent so often: a plan is kept, and one that was made while a table was
# empty goes on to read all of it. Seldom enough to cost nothing, and soon enough for a table that grows.
_AGAIN = frozenset(4**power for power in range(2, 16))
# The types of the values are part of a prepared statement's identity: null has another than a number.
_Key = tuple[bytes, tuple[int, ...]]
_Dumped = tuple[Call, Sequence[Buffer | None], tuple[int, ...], Sequence[Format] | None]


@dataclass(slots=True)
class _Prepared:
    """A statement that the server keeps; `sent`: how often it was sent."""

    name: bytes
    sent: int


class Answer:
    """What one statement answered; `rowcount`: rows returned, or changed."""

    __slots__ = ("_result", "rowcount", "rows")

    def __init__(self, result: PGresult, rows: list[Row]) -> None:
        self._result = result
        self.rows = rows
        self.rowcount = result.command_tuples or 0

    @property
    def columns(self) -> tuple[str, ...]:
        names = (self._result.fname(column) for column in range(self._result.nfields))
        return tuple((name or b"").decode() for name in names)

    @property
    def oids(self) -> tuple[int, ...]:
        """The columns' types."""
        return tuple(self._result.ftype(column) for column in range(self._result.nfields))


class Connection:
    """A connection. One task uses it at a time; when that task is cancelled in the middle, the connection is lost."""

    def __init__(self, driver: psycopg.AsyncConnection) -> None:
        self._driver = driver
        self._pg = driver.pgconn
        self._pg.enter_pipeline_mode()
        self._values = Transformer(driver)
        self._prepared: OrderedDict[_Key, _Prepared] = OrderedDict()
        self._names = 0
        self._lost: str | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # libpq closes it, and forgets its number, when the server does.
        self._socket = self._pg.socket
        # Always watched, so that a connection that the server closed is known before it is used.
        self._loop.add_reader(self._socket, self._read)

    @classmethod
    async def open(cls, url: str, options: str, name: str) -> "Connection":
        """Raises: psycopg.OperationalError when the server refuses, or does not answer within five seconds."""
        driver = await psycopg.AsyncConnection.connect(
            url, autocommit=True, options=options, connect_timeout=5, application_name=name
        )
        return cls(driver)

    @property
    def lost(self) -> bool:
        """Whether it is known that it cannot be used any more."""
        return self._lost is not None

    def answers(self) -> bool:
        """Whether the server has not closed it; looks at the socket, sends nothing."""
        for _ in range(2):  # it says that it closes, and then closes
            if self._lost is None:
                self._read()
        return self._lost is None

    @property
    def in_transaction(self) -> bool:
        return self._pg.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def in_failed_transaction(self) -> bool:
        """Whether a statement of the open transaction failed: it can only be rolled back."""
        return self._pg.transaction_status == TransactionStatus.INERROR

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        """Send the statements in one round trip; after one that fails none runs.

        Raises: psycopg.Error.
        """
        try:
            return await self._exchange(calls)
        except (FeatureNotSupported, InvalidSqlStatementName):
            # The schema changed under a prepared statement ("cached plan must not change result type"), or somebody
            # between us and the server forgot it.
            self._prepared.clear()
            if self.in_transaction:
                raise
            await self._exchange([_FORGET])
            return await self._exchange(calls)

    async def end(self) -> None:
        """Close it; a statement that still runs is cancelled."""
        self._lose("the connection is closed")
        if self._pg.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error, OSError):
                await self._driver.cancel_safe(timeout=_CANCEL_SECONDS)
        self._pg.finish()

    async def _exchange(self, calls: Sequence[Call]) -> list[Answer]:
        if self._lost is not None:
            raise psycopg.OperationalError(self._lost)
        dumped = [self._dump(call) for call in calls]
        try:
            keys = self._queue(dumped)
            self._pg.pipeline_sync()
            while self._pg.flush():
                await self._writable()
            results = await self._results(len(keys))
        except BaseException as error:
            self._lose(f"the connection was left in the middle of a statement: {type(error).__name__}")
            raise
        failed: PGresult | None = None
        answers = []
        for key, result in zip(keys, results, strict=True):
            if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
                if key is None:
                    answers.append(self._answer(result))
            else:
                failed = failed or result
                if key is not None:
                    self._prepared.pop(key, None)
        if failed is not None:
            raise error_from_result(failed)
        return answers

    def _dump(self, call: Call) -> _Dumped:
        arrays = [
            (place, written)
            for place, value in enumerate(call.values)
            if type(value) is list and (written := array(value)) is not None
        ]
        if not arrays:
            params = self._values.dump_sequence(call.values, _formats(len(call.values)))
            return call, params, self._values.types or (), self._values.formats
        others = list(call.values)
        for place, _ in arrays:
            others[place] = None
        params = list(self._values.dump_sequence(others, _formats(len(others))))
        types, formats = list(self._values.types or ()), list(self._values.formats or ())
        for place, written in arrays:
            params[place], types[place], formats[place] = written
        return call, params, tuple(types), formats

    def _queue(self, dumped: Sequence[_Dumped]) -> list[_Key | None]:
        """Queue the statements; for each expected result None, or the statement that it only prepares."""
        keys: list[_Key | None] = []
        for call, params, types, formats in dumped:
            if not call.prepare:
                self._pg.send_query_params(call.sql, params, types, formats)
            else:
                self._pg.send_query_prepared(self._named((call.sql, types), keys), params, formats)
            keys.append(None)
        return keys

    def _named(self, key: _Key, keys: list[_Key | None]) -> bytes:
        """The name under which the statement is prepared, or will be when the server gets to it."""
        known = self._prepared.get(key)
        if known is None:
            if len(self._prepared) >= PREPARED:
                self._forget(next(iter(self._prepared)), keys)
            return self._prepare(key, 1, keys)
        known.sent += 1
        if known.sent in _AGAIN:
            self._forget(key, keys)
            return self._prepare(key, known.sent, keys)
        self._prepared.move_to_end(key)
        return known.name

    def _forget(self, key: _Key, keys: list[_Key | None]) -> None:
        self._pg.send_close_prepared(self._prepared.pop(key).name)
        keys.append(key)

    def _prepare(self, key: _Key, sent: int, keys: list[_Key | None]) -> bytes:
        self._names += 1
        name = b"souk_%d" % self._names
        self._prepared[key] = _Prepared(name, sent)
        self._pg.send_prepare(name, *key)
        keys.append(key)
        return name

    def _answer(self, result: PGresult) -> Answer:
        count = result.ntuples
        if not count:
            return Answer(result, [])
        self._values.set_pgresult(result)
        rows = self._values.load_rows(0, count, tuple)
        self._values.set_pgresult(None)  # it would keep the result until the next
        return Answer(result, rows)

    async def _results(self, count: int) -> list[PGresult]:
        """The results of `count` statements: each is followed by a null, and the last by the sync point."""
        results: list[PGresult] = []
        expected = 2 * count + 1
        while expected:
            if self._pg.is_busy():
                if self._lost is not None:
                    break
                await self._readable()
                continue
            result = self._pg.get_result()
            expected -= 1
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
        raise _closing(results) or psycopg.OperationalError(self._lost or "the server's answers have no end")

    async def _readable(self) -> None:
        self._waiting = self._loop.create_future()
        if self._watch is None:
            self._watch = self._loop.call_later(_WATCH_SECONDS, self._look_again)
        try:
            await self._waiting
        finally:
            self._waiting = None

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(self._socket, _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        """Called when the socket has something: an answer, or the server's end of the connection."""
        try:
            self._pg.consume_input()
            busy = bool(self._pg.is_busy())
        except psycopg.Error as error:
            self._lose(str(error))
            busy = False
        if not busy and self._waiting is not None:
            _wake(self._waiting)

    def _look_again(self) -> None:
        """uvloop calls once for a socket that was reset, also when there is more to read before the error."""
        self._watch = None
        if self._waiting is not None:
            self._watch = self._loop.call_later(_WATCH_SECONDS, self._look_again)
            for _ in range(_LOOKS):
                if not self._waiting.done():
                    self._read()

    def _lose(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
            self._loop.remove_reader(self._socket)
            if self._watch is not None:
                self._watch.cancel()


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _formats(count: int) -> list[PyFormat]:
    return _FORMATS[count] if count < len(_FORMATS) else [PyFormat.AUTO] * count


def _closing(results: Sequence[PGresult]) -> psycopg.Error | None:
    """The error with which the server said that it closes the connection, None when it said nothing."""
    errors = (error_from_result(result) for result in results if result.status == ExecStatus.FATAL_ERROR)
    return next((error for error in errors if error.sqlstate is not None), None)
