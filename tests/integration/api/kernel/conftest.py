"""A context on the test database and Redis, without an API process."""

from collections.abc import AsyncIterator

import pytest

from api.kernel import outbox
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings


@pytest.fixture
async def ctx(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("SOUK_PROFILE", "test")
    async with open_context(Settings()) as context:
        await context.redis.delete(outbox.STREAM)
        yield context
