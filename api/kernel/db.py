"""Transactions: the only module that begins and commits them.

Two pools: one for writes, and one whose sessions are read-only. Statements are SQLAlchemy Core or text; psycopg sends
them prepared, and `batch` several in one round trip. A single statement is its own transaction, without BEGIN and
COMMIT. There is no identity map and no lazy loading, so no query is implicit.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

import psycopg
from prometheus_client import Counter
from sqlalchemy import MetaData, func, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import Executable

from api.kernel import metrics
from api.kernel.connection import Answer, Connection
from api.kernel.plan import Call, Plan, Row, Values, bind
from api.kernel.pool import Pool
from api.kernel.rows import as_models
from api.kernel.settings import Settings
from api.kernel.standby import Server, Standby

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

# 40001 serialization_failure and 40P01 deadlock_detected: the transaction had no effect, so it is safe to run it again.
RETRYABLE = frozenset({"40001", "40P01"})
# 0A000 and 26000: the same, because a prepared statement no longer fits the schema, or is gone.
_STALE = frozenset({"0A000", "26000"})
MAX_ATTEMPTS = 5
# SQLSTATE classes of an unavailable server, as opposed to a wrong statement: 08 connection, 53 resources, 57 operator
# intervention; 55P03 and 40* are contention after the last retry; 25P03 is an idle timeout.
_UNAVAILABLE = ("08", "53", "57", "40", "55P03", "25P03")


class Base(DeclarativeBase):
    """Predictable constraint names, so that a violated one can be turned into a problem by name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


_BEGIN: dict[Isolation, Call] = {
    "READ COMMITTED": Call(b"BEGIN", ()),
    "REPEATABLE READ": Call(b"BEGIN ISOLATION LEVEL REPEATABLE READ", ()),
    "SERIALIZABLE": Call(b"BEGIN ISOLATION LEVEL SERIALIZABLE", ()),
}
_READS: dict[Server, Counter] = {"standby": metrics.READS.labels("standby"), "primary": metrics.READS.labels("primary")}
_COMMIT, _ROLLBACK = Call(b"COMMIT", ()), Call(b"ROLLBACK", ())
_SAVEPOINT, _FORGET_SAVEPOINT = Call(b"SAVEPOINT block", ()), Call(b"RELEASE SAVEPOINT block", ())
_BACK_TO_SAVEPOINT = Call(b"ROLLBACK TO SAVEPOINT block", ())


class Result(NamedTuple):
    """What a statement answered; `rowcount`: rows returned, or changed."""

    columns: tuple[str, ...]
    rows: list[Row]
    rowcount: int


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A statement with its values, for `fetch` or `batch`; `shape` makes of its result what the caller wants."""

    statement: Executable
    values: Values | None
    shape: Callable[[Result], T]


_BY_INDEX = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}


def done(statement: Executable, values: Values | None = None) -> Query[None]:
    """The query of a statement whose result nobody reads, such as one that locks rows."""
    return Query(statement, values, lambda _: None)


def _planned(**settings: str) -> Query[None]:
    return done(select(*(func.set_config(name, value, True) for name, value in settings.items())))


# First in a batch: the statements after it keep one plan, whatever their values are, and are not planned again for each
# call. For those that are read in the order of an index, and whose planning costs as much as running them. Of a LIMIT
# that it does not know Postgres expects a tenth of all rows, for which it would rather read and sort all of them.
PLANNED_ONCE = _planned(plan_cache_mode="force_generic_plan", enable_bitmapscan="off", enable_sort="off", **_BY_INDEX)
# The same for those that sort what they find, also within an aggregate: without a sort, Postgres would read a whole
# table in the order that is asked for.
PLANNED_ONCE_WITH_SORTS = _planned(plan_cache_mode="force_generic_plan", **_BY_INDEX)
# The same for those whose best index depends on the values, and that sort what they find. For a few thousand rows
# Postgres would read a whole table to join it, as if no page of an index were in memory.
PLANNED_EACH_TIME = _planned(plan_cache_mode="force_custom_plan", **_BY_INDEX)


def all_as(model: type[T], statement: Executable, values: Values | None = None) -> Query[list[T]]:
    """The query of `ReadTx.all_as`."""
    return Query(statement, values, partial(_all_as, model))


def first_as(model: type[T], statement: Executable, values: Values | None = None) -> Query[T | None]:
    """The query of `ReadTx.first_as`."""
    return Query(statement, values, partial(_first_as, model))


class ReadTx:
    """A read-only session; the database enforces it."""

    def __init__(self, connection: Connection, begin: Call | None = None, commit: Call | None = None) -> None:
        """`begin` goes out with the first statement, and `commit` with it when it is the only one."""
        self._connection = connection
        self._begin = begin
        self._commit = commit

    async def execute(self, statement: Executable, values: Values | None = None) -> Result:
        bound = bind(statement)
        (answer,) = await self._send([bound.call(values)])
        return _result(bound.plan, answer)

    async def all(self, statement: Executable, values: Values | None = None) -> list[Row]:
        return (await self.execute(statement, values)).rows

    async def first(self, statement: Executable, values: Values | None = None) -> Row | None:
        return next(iter((await self.execute(statement, values)).rows), None)

    async def all_as(self, model: type[T], statement: Executable, values: Values | None = None) -> list[T]:
        """Every row as a `model`, a dataclass or a pydantic model whose fields are the columns.

        Raises: ColumnMismatch.
        """
        return _all_as(model, await self.execute(statement, values))

    async def first_as(self, model: type[T], statement: Executable, values: Values | None = None) -> T | None:
        """The first row as a `model`, None when there is none. Raises: ColumnMismatch."""
        return _first_as(model, await self.execute(statement, values))

    async def scalar(self, statement: Executable, values: Values | None = None) -> Any:  # Any: column type varies
        """The first column of the first row, None when there is none."""
        row = await self.first(statement, values)
        return None if row is None else row[0]

    async def fetch(self, query: Query[T]) -> T:
        """One query alone. Raises: ColumnMismatch."""
        return query.shape(await self.execute(query.statement, query.values))

    @overload
    async def batch(self, one: Query[T1], two: Query[T2], /) -> tuple[T1, T2]: ...
    @overload
    async def batch(self, one: Query[T1], two: Query[T2], three: Query[T3], /) -> tuple[T1, T2, T3]: ...
    @overload
    async def batch(
        self, one: Query[T1], two: Query[T2], three: Query[T3], four: Query[T4], /
    ) -> tuple[T1, T2, T3, T4]: ...
    @overload
    async def batch(
        self, one: Query[T1], two: Query[T2], three: Query[T3], four: Query[T4], five: Query[T5], /
    ) -> tuple[T1, T2, T3, T4, T5]: ...
    @overload
    async def batch(
        self, one: Query[T1], two: Query[T2], three: Query[T3], four: Query[T4], five: Query[T5], six: Query[T6], /
    ) -> tuple[T1, T2, T3, T4, T5, T6]: ...

    async def batch(self, *queries: Query[Any]) -> tuple[Any, ...]:  # Any: what the overloads say
        """Several statements in one round trip; each sees what the ones before it did, and when one fails none counts.

        Raises: ColumnMismatch.
        """
        bound = [bind(query.statement) for query in queries]
        answers = await self._send([one.call(query.values) for one, query in zip(bound, queries, strict=True)])
        return tuple(
            query.shape(_result(one.plan, answer)) for query, one, answer in zip(queries, bound, answers, strict=True)
        )

    async def _send(self, calls: list[Call]) -> list[Answer]:
        begin, commit = self._begin, self._commit
        if begin is None:
            if commit is not None:
                raise AssertionError("work that runs alone is one statement or one batch")
            return await self._connection.send(calls)
        self._begin = None
        if commit is None:
            return (await self._connection.send([begin, *calls]))[1:]
        return (await self._connection.send([begin, *calls, commit]))[1:-1]


class _EitherTx(ReadTx):
    """Each statement is sent to the first server that answers."""

    def __init__(self, standby: Standby, stack: AsyncExitStack) -> None:
        self._standby = standby
        self._stack = stack
        self._sources = standby.sources()
        self._opened: Connection | None = None

    async def _send(self, calls: list[Call]) -> list[Answer]:
        while True:
            server, pool = self._sources[0]
            try:
                if self._opened is None:
                    self._opened = await self._stack.enter_async_context(pool.connection())
                answers = await self._opened.send(calls)
            except psycopg.Error as error:
                if len(self._sources) == 1 or not is_unavailable(error):
                    raise
                if server == "standby":
                    self._standby.failed()
                self._sources.pop(0)
                self._opened = None
            else:
                _READS[server].inc()
                return answers


class Tx(ReadTx):
    """A transaction that writes. It is open only inside `Database.transaction`; make no network call there."""

    @asynccontextmanager
    async def undone_when_it_fails(self) -> AsyncIterator[None]:
        """What the block did is undone when it raises, and the transaction goes on: a savepoint. Not one in another."""
        await self._send([_SAVEPOINT])
        try:
            yield
        except BaseException:
            if self._connection.in_transaction and not self._connection.lost:
                await self._connection.send([_BACK_TO_SAVEPOINT])
            raise
        await self._send([_FORGET_SAVEPOINT])


class Database:
    """The pools of one process."""

    def __init__(self, settings: Settings) -> None:
        options = (
            f"-c statement_timeout={settings.db_statement_timeout_ms} -c lock_timeout={settings.db_lock_timeout_ms} "
            f"-c idle_in_transaction_session_timeout={settings.db_idle_in_transaction_timeout_ms} -c timezone=UTC"
        )
        reads = options + " -c default_transaction_read_only=on"
        # Planning the statements of a checkout costs more than running them, and a plan does not depend on the values.
        # It is kept while the table grows: one that was made while the table was empty would read all of it each time.
        kept = " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
        self._writer = _pool(settings, settings.postgres_url, options + kept)
        self._reader = _pool(settings, settings.postgres_url, reads)
        self._standby: Standby | None = None
        if settings.standby_url is not None:
            pool = _pool(settings, settings.standby_url, reads)
            self._standby = Standby(pool, self._reader, settings.database_read_max_lag_seconds)

    @asynccontextmanager
    async def transaction(self, isolation: Isolation = "READ COMMITTED") -> AsyncIterator[Tx]:
        """One transaction, committed when the block ends and before anything
        is answered; rolled back when it raises. BEGIN goes out with the first statement."""
        async with self._writer.connection() as connection, _committed(connection):
            yield Tx(connection, _BEGIN[isolation])

    async def run(self, work: Callable[[Tx], Awaitable[T]], isolation: Isolation = "READ COMMITTED") -> T:
        """Run `work` in a transaction, and all of it again after a serialization failure
        or deadlock, at most MAX_ATTEMPTS times.

        `work` must do nothing but database statements: it may run more than once.
        """
        return await _again(lambda: self.transaction(isolation), work)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Tx]:
        """A session in autocommit mode: a change of one statement takes one round trip."""
        async with self._writer.connection() as connection:
            yield Tx(connection)

    @asynccontextmanager
    async def alone(self, isolation: Isolation) -> AsyncIterator[Tx]:
        """For one statement or one batch as a transaction, in one round trip at every isolation; it is committed when
        it returns."""
        async with self._writer.connection() as connection:
            if isolation == "READ COMMITTED":
                yield Tx(connection)
                return
            async with _rolled_back(connection):
                yield Tx(connection, _BEGIN[isolation], _COMMIT)

    async def run_alone(self, work: Callable[[Tx], Awaitable[T]], isolation: Isolation = "READ COMMITTED") -> T:
        """As `run`, for work that is one statement, or one batch: one round trip at every isolation."""
        return await _again(lambda: self.alone(isolation), work)

    async def once(
        self, statement: Executable, values: Values | None = None, isolation: Isolation = "READ COMMITTED"
    ) -> Row | None:
        """Run one statement as one transaction; its first row."""
        return await self.run_alone(lambda tx: tx.first(statement, values), isolation)

    @asynccontextmanager
    async def read(self, *, consistent: bool = False, may_lag: bool = False) -> AsyncIterator[ReadTx]:
        """A read-only session. With `consistent`, all statements see one snapshot (one more round trip).

        With `may_lag`, a statement may see the data of `SOUK_DATABASE_READ_MAX_LAG_SECONDS` ago: the standby answers it
        if there is one. Not for whoever may have just changed what is read.
        """
        if may_lag and self._standby is not None:
            async with AsyncExitStack() as stack:
                yield _EitherTx(self._standby, stack)
            return
        async with self._reader.connection() as connection:
            if not consistent:
                yield ReadTx(connection)
                return
            try:
                yield ReadTx(connection, _BEGIN["REPEATABLE READ"])
            finally:
                if connection.in_transaction:
                    await connection.send([_COMMIT])

    async def close(self) -> None:
        if self._standby is not None:
            await self._standby.close()
        await self._writer.close()
        await self._reader.close()


@asynccontextmanager
async def _committed(connection: Connection) -> AsyncIterator[None]:
    """Commit what the block began, or roll it back when the block raises. Raises: psycopg.Error when it is not
    committed, also because the connection was lost since its last statement."""
    async with _rolled_back(connection):
        yield
        if connection.in_failed_transaction:
            raise psycopg.errors.InFailedSqlTransaction("a statement failed, so its transaction cannot be committed")
        if connection.in_transaction or connection.lost:
            await connection.send([_COMMIT])


@asynccontextmanager
async def _rolled_back(connection: Connection) -> AsyncIterator[None]:
    """Roll back what the block began when it raises."""
    try:
        yield
    except BaseException:
        if connection.in_transaction and not connection.lost:
            await connection.send([_ROLLBACK])
        raise


async def _again(begin: Callable[[], AbstractAsyncContextManager[Tx]], work: Callable[[Tx], Awaitable[T]]) -> T:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            async with begin() as tx:
                return await work(tx)
        except psycopg.Error as error:
            if error.sqlstate not in RETRYABLE | _STALE or attempt == MAX_ATTEMPTS:
                raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def is_unavailable(error: psycopg.Error) -> bool:
    """Whether the database is temporarily unavailable, so that a retry may
    succeed; False when the statement is wrong."""
    return error.sqlstate is None or error.sqlstate in _STALE or error.sqlstate.startswith(_UNAVAILABLE)


def _result(plan: Plan, answer: Answer) -> Result:
    if not plan.columns:
        plan.describe(answer.columns, answer.oids)
    return Result(plan.columns, plan.convert(answer.rows), answer.rowcount)


def _all_as(model: type[T], result: Result) -> list[T]:
    return as_models(model, result.columns, result.rows)


def _first_as(model: type[T], result: Result) -> T | None:
    models = as_models(model, result.columns, result.rows[:1])
    return models[0] if models else None


def _pool(settings: Settings, url: str, options: str) -> Pool:
    connect = partial(Connection.open, url, options, "souk-api")
    return Pool(connect, settings.db_pool_size, settings.db_pool_timeout_seconds)
