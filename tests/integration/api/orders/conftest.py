"""Connections of the tests of orders, and what their worker and their carrier do."""

from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

from api import nouns
from api.kernel import failpoints
from api.kernel.context import Context
from tests.harness.buying import SANDBOX_KEY, Market
from tests.harness.carriers import Carriage
from tests.harness.history import tiny_marketplace
from tests.harness.mailing import mailing_context
from tests.harness.postgres import PostgresHarness
from tests.harness.shop import Person


@pytest.fixture(scope="module")
def history(postgres_server: PostgresHarness) -> Iterator[psycopg.Connection]:
    """A small history, as the role of the shop."""
    name = postgres_server.fresh_database(tiny_marketplace)
    with psycopg.connect(postgres_server.url(name)) as connection:
        yield connection
    postgres_server.drop_database(name)


@pytest.fixture
def sql(history: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The same; what the test changes is undone."""
    yield history
    history.rollback()


@pytest.fixture(scope="module")
async def ctx(tmp_path_factory: pytest.TempPathFactory, market: Market, redis_url: str) -> AsyncIterator[Context]:
    """What the worker has."""
    env = {"SOUK_SANDBOX_URL": market.sandbox.url, "SOUK_SANDBOX_KEY": SANDBOX_KEY}
    async with mailing_context(market.database_url, redis_url, tmp_path_factory.mktemp("worker"), **env) as context:
        yield context


@pytest.fixture(scope="module")
def carriage(market: Market, seller: Person, buyer: Person) -> Carriage:
    return Carriage(market, seller, buyer)


@pytest.fixture
def armed() -> Iterator[Callable[[str], None]]:
    """Arms a point of this process."""
    yield lambda point: failpoints.arm(f"{point}=error", nouns.failpoints())
    failpoints.arm("", nouns.failpoints())
