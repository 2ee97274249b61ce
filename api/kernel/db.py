"""Transactions: the only module that begins and commits them.

Two engines: one for writes, and one whose sessions are read-only and autocommit, so that a single read
is one round trip. Statements are SQLAlchemy Core or text on a connection; there is no identity map and
no lazy loading, so no query is implicit.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, TypeVar

from sqlalchemy import MetaData, Row
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import Executable

from api.kernel.rows import as_models
from api.kernel.settings import Settings

T = TypeVar("T")
Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]  # Any: bind values of every SQL type

# 40001 serialization_failure and 40P01 deadlock_detected: the transaction had no effect, so it is safe to run it again.
RETRYABLE = frozenset({"40001", "40P01"})
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


class ReadTx:
    """A read-only session; the database enforces it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[Any]:  # Any: row shape varies
        return await self._connection.execute(statement, parameters)

    async def all(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row[Any]]:  # Any: row shape varies
        return (await self._connection.execute(statement, parameters)).all()

    async def first(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Row[Any] | None:  # Any: row shape varies
        return (await self._connection.execute(statement, parameters)).first()

    async def all_as(self, model: type[T], statement: Executable, parameters: Parameters | None = None) -> list[T]:
        """Every row as a `model`, a dataclass or a pydantic model whose fields are the columns.

        Raises: ColumnMismatch.
        """
        result = await self._connection.execute(statement, parameters)
        return as_models(model, result.keys(), result.all())

    async def first_as(self, model: type[T], statement: Executable, parameters: Parameters | None = None) -> T | None:
        """The first row as a `model`, None when there is none. Raises: ColumnMismatch."""
        result = await self._connection.execute(statement, parameters)
        row = result.first()
        models = as_models(model, result.keys(), () if row is None else (row,))
        return models[0] if models else None

    async def scalar(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Any:  # Any: column type varies
        return (await self._connection.execute(statement, parameters)).scalar()


class Tx(ReadTx):
    """A transaction that writes. It is open only inside `Database.transaction`; make no network call there."""


class Database:
    """The pools of one process."""

    def __init__(self, settings: Settings) -> None:
        options = (
            f"-c statement_timeout={settings.db_statement_timeout_ms} -c lock_timeout={settings.db_lock_timeout_ms} "
            f"-c idle_in_transaction_session_timeout={settings.db_idle_in_transaction_timeout_ms} -c timezone=UTC"
        )
        # Planning the statements of a checkout costs more than running them, and a plan does not depend on the values.
        self._writer = _engine(settings, options + " -c plan_cache_mode=force_generic_plan")
        self._reader = _engine(settings, options + " -c default_transaction_read_only=on", isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self, isolation: Isolation = "READ COMMITTED") -> AsyncIterator[Tx]:
        """One transaction, committed when the block ends and before anything
        is answered; rolled back when it raises."""
        async with self._writer.connect() as connection:
            if isolation != "READ COMMITTED":
                connection = await connection.execution_options(isolation_level=isolation)
            async with connection.begin():
                yield Tx(connection)

    async def run(self, work: Callable[[Tx], Awaitable[T]], isolation: Isolation = "READ COMMITTED") -> T:
        """Run `work` in a transaction, and all of it again after a serialization failure
        or deadlock, at most MAX_ATTEMPTS times.

        `work` must do nothing but database statements: it may run more than once.
        """
        return await _again(lambda: self.transaction(isolation), work)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Tx]:
        """A session in autocommit mode: a change of one statement takes one round trip."""
        async with self._writer.connect() as connection:
            yield Tx(await connection.execution_options(isolation_level="AUTOCOMMIT"))

    async def run_alone(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """As `run`, for work that is one statement: it is its own transaction,
        without the round trips of BEGIN and COMMIT."""
        return await _again(self.autocommit, work)

    async def once(self, statement: Executable, parameters: Parameters) -> Row[Any] | None:  # Any: row shape varies
        """Run one statement as one transaction; its first row."""
        return await self.run_alone(lambda tx: tx.first(statement, parameters))

    @asynccontextmanager
    async def read(self, *, consistent: bool = False) -> AsyncIterator[ReadTx]:
        """A read-only session. With `consistent`, all statements see one snapshot (two more round trips)."""
        async with self._reader.connect() as connection:
            if not consistent:
                yield ReadTx(connection)
                return
            connection = await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield ReadTx(connection)

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


async def _again(begin: Callable[[], AbstractAsyncContextManager[Tx]], work: Callable[[Tx], Awaitable[T]]) -> T:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            async with begin() as tx:
                return await work(tx)
        except DBAPIError as error:
            if sqlstate(error) not in RETRYABLE or attempt == MAX_ATTEMPTS:
                raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def sqlstate(error: DBAPIError) -> str | None:
    """The five-character SQLSTATE of a database error, None when the connection broke before the server answered."""
    return getattr(error.orig, "sqlstate", None)


def is_unavailable(error: DBAPIError | PoolTimeout) -> bool:
    """Whether the database is temporarily unavailable, so that a retry may
    succeed; False when the statement is wrong."""
    state = sqlstate(error) if isinstance(error, DBAPIError) else None
    return state is None or state.startswith(_UNAVAILABLE)


def constraint_name(error: DBAPIError) -> str | None:
    """The violated constraint of an integrity error."""
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def _engine(
    settings: Settings, options: str, isolation_level: Literal["READ COMMITTED", "AUTOCOMMIT"] = "READ COMMITTED"
) -> AsyncEngine:
    return create_async_engine(
        settings.sqlalchemy_url,
        pool_size=settings.db_pool_size,
        pool_use_lifo=True,  # what a connection has prepared is worth most on the one used last
        max_overflow=0,
        pool_timeout=settings.db_pool_timeout_seconds,
        isolation_level=isolation_level,
        connect_args={"options": options, "connect_timeout": 5, "application_name": "souk-api", "prepare_threshold": 0},
    )
