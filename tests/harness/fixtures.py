"""Fixtures of tests that shop over HTTP, one per module.

They are a plain shop, and a market that also takes payments and whose invariants are checked at its end.
"""

from collections.abc import Iterator

import pytest

from tests.harness.api import Server, running_api
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env, running_sandbox
from tests.harness.history import tiny_marketplace
from tests.harness.invariants import assert_invariants
from tests.harness.postgres import PostgresHarness
from tests.harness.shop import Person, Shop


@pytest.fixture(scope="module")
def marketplace_url(postgres_server: PostgresHarness) -> Iterator[str]:
    """A small loaded marketplace of the module.

    When the module's `database_url` returns it, `api_server` and `shop` run on it.
    """
    name = postgres_server.fresh_database(tiny_marketplace)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def shop(api_server: Server, database_url: str) -> Iterator[Shop]:
    """People and products over HTTP, without payments."""
    shop = Shop(api_server, database_url)
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The payment gateway with its own ledger."""
    with running_sandbox(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Server]:
    """An API that reaches the gateway, one worker process, no background worker."""
    with running_api(tmp_path_factory.mktemp("market"), database_url, redis_url, **buying_env(sandbox)) as api:
        yield api


@pytest.fixture(scope="module")
def market(server: Server, database_url: str, sandbox: Sandbox) -> Iterator[Market]:
    """A shop with payments. At its end every invariant must hold, including those on the gateway's ledger."""
    market = Market(server, database_url, sandbox)
    yield market
    market.close()
    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


@pytest.fixture(scope="module")
def seller(market: Market) -> Person:
    """A seller in the market. Modules on `shop` make their own."""
    return market.person("seller")


@pytest.fixture(scope="module")
def buyer(market: Market) -> Person:
    """A buyer in the market."""
    return market.person()
