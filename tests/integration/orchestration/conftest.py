"""Dagster's instance, as `souk up` configures it."""

import os
from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration.runtime.dagster_home import write_dagster_home
from tests.harness.postgres import PostgresHarness


@pytest.fixture(scope="module")
def storage_url(postgres_server: PostgresHarness) -> Iterator[str]:
    name = postgres_server.fresh_database(None)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def configured(storage_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """The instance of the configuration that `souk up` writes."""
    home = tmp_path_factory.mktemp("dagster")
    write_dagster_home(home, 1)
    os.environ["DAGSTER_DATABASE_URL"] = storage_url
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance
    del os.environ["DAGSTER_DATABASE_URL"]


@pytest.fixture
def instance(configured: dg.DagsterInstance) -> dg.DagsterInstance:
    """The same, empty."""
    configured.wipe()
    return configured
