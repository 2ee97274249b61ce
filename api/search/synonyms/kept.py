"""The accepted synonyms as a process keeps them."""

import asyncio
from typing import cast

import psycopg
from fastapi import Request

from api.kernel import clock
from api.kernel.cache import PageCache
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.logs import get_logger
from api.kernel.memo import Memo
from api.kernel.outbox import FEED
from api.search.engine.synonyms import Current, SynonymTable
from api.search.synonyms.queries import accepted

log = get_logger(__name__)

SYNONYMS = "search-synonyms"
# After a failure the database is not asked for this long.
REST_SECONDS = 5.0
PAUSE_SECONDS = 0.5
# Searches more often than this never wait for the database.
IDLE_SECONDS = 8.0
WAIT_SECONDS = 0.05


class KeptSynonyms:
    """One per process: `current` is what queries are read with. A search looks whether it is still the newest, and goes
    on with what there is; the table is read again when a change is told, and after some seconds, for changes that
    nobody tells."""

    def __init__(self, ctx: Context, cache: PageCache, current: Current) -> None:
        self._ctx, self.current = ctx, current
        self._memo: Memo[bool] = cache.memo(FEED, 1)
        self._reading: asyncio.Task[None] | None = None
        self._resting_until = self._read_at = float("-inf")

    async def look(self) -> None:
        """Begin to read the table again when it may be old. Who comes after nobody has searched for a while waits for
        it, `WAIT_SECONDS` at most; others go on at once."""
        now = clock.monotonic()
        if self._reading is None and now >= self._resting_until and not self._memo.known((SYNONYMS,)):
            self._reading = asyncio.get_running_loop().create_task(self._read())
            if now >= self._read_at + IDLE_SECONDS:
                await asyncio.wait({self._reading}, timeout=WAIT_SECONDS)

    async def _read(self) -> None:
        try:
            # Not from a standby: it may not have the change yet that made the last table forgotten.
            with self._memo.reading() as read:
                async with self._ctx.db.read() as tx:
                    self.current.table = SynonymTable(await accepted(tx), self._ctx.settings.languages.own)
                read[SYNONYMS] = True
            self._read_at = clock.monotonic()
        except (Problem, psycopg.Error, OSError) as error:
            log.info("the last synonyms stay in use, the database does not answer", error=type(error).__name__)
            self._resting_until = clock.monotonic() + REST_SECONDS
        finally:
            self._reading = None
            # While nobody says what has changed, nothing is kept: each search would read again.
            self._resting_until = max(self._resting_until, clock.monotonic() + PAUSE_SECONDS)


def synonyms_of(request: Request) -> KeptSynonyms:
    """The application's synonyms."""
    return cast("KeptSynonyms", request.app.state.synonyms)
