"""Connections of the tests of orders."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.harness.history import tiny_marketplace
from tests.harness.postgres import PostgresHarness


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
