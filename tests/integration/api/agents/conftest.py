"""A shop with partners whose agents may buy in it."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.harness.agents.calling import PARTNERS, Agent
from tests.harness.api import Server, running_api
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, Worker, buying_env, running_sandbox
from tests.harness.invariants import assert_invariants
from tests.harness.shop import Person


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("gateway"), stall_seconds=3) as started:
        yield started


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, database_url: str, redis_url: str
) -> Iterator[Server]:
    env = buying_env(
        sandbox,
        SOUK_AGENT_PARTNERS=orjson.dumps(PARTNERS).decode(),
        SOUK_GATEWAY_TIMEOUT_SECONDS="1",
        SOUK_CHECKOUT_LEASE_SECONDS="5",
    )
    folder = tmp_path_factory.mktemp("agents")
    worker = Worker(folder, {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **env})
    with running_api(Path(folder), database_url, redis_url, **env) as started:
        worker.start()
        yield started
        worker.stop()


@pytest.fixture(scope="module")
def market(server: Server, sandbox: Sandbox, database_url: str) -> Iterator[Market]:
    shop = Market(server, database_url, sandbox)
    yield shop
    shop.wait_until_settled()
    shop.close()
    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


@pytest.fixture(scope="module")
def seller(market: Market) -> Person:
    return market.person("seller")


@pytest.fixture(scope="module")
def agent(market: Market) -> Agent:
    return Agent(market)
