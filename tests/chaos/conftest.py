"""What the tests that kill processes of the shop share: one server whose commits survive, and a shop per module."""

from collections.abc import Iterator

import pytest

from tests.harness.crash import World, crash_world
from tests.harness.postgres import PostgresHarness, running_postgres


@pytest.fixture(scope="session")
def durable_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresHarness]:
    with running_postgres(tmp_path_factory.mktemp("durable"), fsync=True) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, durable_postgres: PostgresHarness, redis_url: str
) -> Iterator[World]:
    with crash_world(tmp_path_factory.mktemp("crash"), durable_postgres, redis_url) as made:
        yield made
