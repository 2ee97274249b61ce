"""Fixtures every test may use: one Postgres and one Redis a test process, a fresh migrated database and an empty Redis
per module."""

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.harness.api import Server, running_api
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.redis import RedisHarness, running_redis

pytest_plugins = ("tests.harness.fixtures", "tests.harness.schedule")
# How fast an example is made or run says how busy the machine is, not whether a rule holds.
settings.register_profile("souk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("souk")
_OURS = ("SOUK_", "DATABASE_URL", "REPLICATION_URL", "REDIS_URL", "MLFLOW_")
_FOR_TESTS = ("SOUK_TEST_HOME",)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """To collect is to import everything, and all of that stays: to look for garbage in it, meanwhile and ever after,
    takes seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """No setting of the shell that started the run reaches a test: addresses in there would be somebody's real
    servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(_OURS) and name not in _FOR_TESTS]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresHarness]:
    """The session's cluster. A test that kills a server starts its own with `running_postgres`."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="module")
def database_name(postgres_server: PostgresHarness) -> Iterator[str]:
    """Name of this module's database: a clone of the migrated template."""
    name = postgres_server.fresh_database()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresHarness, database_name: str) -> str:
    """libpq URL of this module's database as its owner."""
    return postgres_server.url(database_name)


@pytest.fixture(scope="module")
def replication_url(postgres_server: PostgresHarness, database_name: str) -> str:
    """The same database as the role that may replicate and read everything."""
    return postgres_server.url(database_name, role="souk_cdc")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHarness]:
    """The session's Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def redis_url(redis_server: RedisHarness) -> str:
    """redis:// URL, emptied for this module."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture(scope="module")
def api_server(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The API process on this module's database and Redis, without gateway or serving."""
    with running_api(tmp_path_factory.mktemp("api"), database_url, redis_url) as server:
        yield server
