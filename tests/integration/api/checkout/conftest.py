"""What a process of the shop has, for tests that are one."""

from collections.abc import AsyncIterator

import pytest

from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market


@pytest.fixture
async def ctx(market: Market, server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    """Opened with the environment of the server; the market outlives it."""
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as context:
        yield context
