"""Reads that may be a little old, from a standby that follows the primary closely enough.

How old a standby is cannot be asked at the standby, which does not know what it has not received. So the primary's
position in its log is noted once a second, with the time. A standby that has replayed a position shows everything that
was committed before it was noted.
"""

import asyncio
from collections import deque
from decimal import Decimal
from typing import Literal

import psycopg

from api.kernel import clock
from api.kernel.logs import get_logger
from api.kernel.plan import Call
from api.kernel.pool import Pool

log = get_logger(__name__)

Server = Literal["standby", "primary"]
CHECK_SECONDS = 1.0
_PRIMARY = Call(b"SELECT pg_current_wal_lsn() - '0/0'::pg_lsn", ())
# A server that is no standby, such as the primary itself, is never behind: null.
_STANDBY = Call(b"SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END", ())


class Standby:
    """The standby of one process; it is checked only while it is asked for."""

    def __init__(self, pool: Pool, primary: Pool, max_lag_seconds: float) -> None:
        self._pool = pool
        self._primary = primary
        self._max_lag = max_lag_seconds
        self._noted: deque[tuple[float, Decimal]] = deque()
        self._as_of = self._checked = float("-inf")
        self._checking: asyncio.Task[None] | None = None
        self._used = False

    def sources(self) -> list[tuple[Server, Pool]]:
        """Where to read, the better server first; the other one answers when the first does not."""
        if clock.monotonic() - self._checked >= CHECK_SECONDS and self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(self._check())
        standby: tuple[Server, Pool] = ("standby", self._pool)
        primary: tuple[Server, Pool] = ("primary", self._primary)
        return [standby, primary] if self._young() else [primary, standby]

    def failed(self) -> None:
        """It did not answer: not before the next check."""
        self._as_of = float("-inf")

    async def close(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])
        await self._pool.close()

    async def _check(self) -> None:
        try:
            now = clock.monotonic()
            position = await _position(self._primary, _PRIMARY)
            assert position is not None
            self._noted.append((now, position))
            replayed = await _position(self._pool, _STANDBY)
            shown = [noted for noted, position in self._noted if replayed is None or position <= replayed]
            self._as_of = max(shown, default=float("-inf"))
            # What was noted earlier cannot make the standby young enough.
            while self._noted[0][0] < now - self._max_lag:
                self._noted.popleft()
        except (psycopg.Error, OSError) as error:
            self.failed()
            log.warning("the standby cannot be checked", error=str(error).partition("\n")[0])
        finally:
            self._checked = clock.monotonic()
            self._checking = None
            self._say()

    def _young(self) -> bool:
        return clock.monotonic() - self._as_of <= self._max_lag

    def _say(self) -> None:
        if self._young() != self._used:
            self._used = not self._used
            log.info("reads that may be old go to the standby" if self._used else "the standby is not used")


async def _position(pool: Pool, call: Call) -> Decimal | None:
    async with pool.connection() as connection:
        (answer,) = await connection.send([call])
    position: Decimal | None = answer.rows[0][0]
    return position
