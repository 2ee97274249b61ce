"""A shop whose feeds are made when a test says so, and who sells in it."""

from collections.abc import AsyncIterator

import pytest

from api.kernel.context import Context
from tests.harness.api import Server
from tests.harness.bulk import reading_context
from tests.harness.shop import Person, Shop


@pytest.fixture
async def context(api_server: Server, database_url: str, redis_url: str) -> AsyncIterator[Context]:
    async with reading_context(
        database_url, redis_url, api_server.log.parent, SOUK_API_URL=api_server.url, SOUK_FEEDS_SECONDS=3_600
    ) as context:
        yield context


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")
