"""The settings, pools and clients of a process of `api`: opened once at start, passed down, closed at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, cast

import aiohttp
from fastapi import Depends, Request
from redis.asyncio import Redis

from api.kernel.announcing import Announcer
from api.kernel.db import Database
from api.kernel.held import Held
from api.kernel.outbound import open_session
from api.kernel.security import Keys
from api.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by every request of a process; holds no request state."""

    settings: Settings
    db: Database
    redis: Redis
    announcer: Announcer
    http: aiohttp.ClientSession
    keys: Keys
    held: Held


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Open the pools and clients of one process. Raises: InvalidSettings when a key is missing outside tests."""
    keys = Keys.load(settings)
    database = Database(settings)
    # Redis holds only data that may be lost. The short timeout keeps requests from waiting for a Redis that hangs.
    redis: Redis = Redis.from_url(
        settings.redis_url.get_secret_value(), socket_timeout=0.5, socket_connect_timeout=0.5, decode_responses=True
    )
    announcer = Announcer(redis)
    http, held = open_session(), Held()
    try:
        yield Context(settings=settings, db=database, redis=redis, announcer=announcer, http=http, keys=keys, held=held)
    finally:
        await held.close()
        await http.close()
        await announcer.close()
        await redis.aclose()
        await database.close()


async def context_of(request: Request) -> Context:
    """The context that the application's lifespan opened."""
    return cast("Context", request.app.state.context)


Ctx = Annotated[Context, Depends(context_of)]
