"""The shop's own access to Postgres, without a process of the shop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.kernel.db import Database
from api.kernel.settings import Settings


def settings_of(url: str, **changed: object) -> Settings:
    """Settings of a process that needs only Postgres; `changed` by variable."""
    return Settings.model_validate({"DATABASE_URL": url, "SOUK_PROFILE": "test", **changed})


@asynccontextmanager
async def opened(url: str, **changed: object) -> AsyncIterator[Database]:
    """The pools, closed at the end."""
    database = Database(settings_of(url, **changed))
    try:
        yield database
    finally:
        await database.close()
