"""DATABASE_URL and REDIS_URL replace the embedded servers; what is wrong with them is said in words, before anything
starts."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from orchestration.runtime.ports import choose_port
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.redis import RedisHarness
from tests.harness.souk import SoukHarness


@pytest.fixture
def souk(tmp_path: Path) -> Iterator[SoukHarness]:
    harness = SoukHarness(tmp_path / "souk", "redis,databases")
    yield harness
    harness.down()


def _refused(souk: SoukHarness, **environment: str) -> str:
    done = souk.run("up", **environment)
    assert done.returncode == 1
    assert souk.living() == []
    assert not souk.home.exists()
    return done.stderr


def test_a_server_that_does_not_answer(souk: SoukHarness) -> None:
    words = _refused(souk, DATABASE_URL=f"postgresql://a:b@127.0.0.1:{choose_port()}/souk")
    assert "cannot connect to the server of DATABASE_URL" in words
    assert "Check host, port, user and password in DATABASE_URL" in words


def test_a_server_without_logical_decoding(souk: SoukHarness, tmp_path: Path) -> None:
    with running_postgres(tmp_path / "replica", settings=(("wal_level", "replica"),)) as server:
        words = _refused(souk, DATABASE_URL=server.cluster.url())
    assert "wal_level=replica, change capture needs logical" in words
    assert "alter system set wal_level = 'logical'" in words


def test_a_role_that_may_not_replicate(souk: SoukHarness, postgres_server: PostgresHarness) -> None:
    words = _refused(souk, DATABASE_URL=postgres_server.url("postgres"))
    assert "role souk may not replicate" in words
    assert "alter role souk replication" in words


def test_a_url_of_another_kind(souk: SoukHarness) -> None:
    assert "DATABASE_URL must look like postgresql://" in _refused(souk, DATABASE_URL="mysql://a:b@h/x")


def test_a_redis_that_does_not_answer(souk: SoukHarness) -> None:
    assert "REDIS_URL does not answer" in _refused(souk, REDIS_URL=f"redis://127.0.0.1:{choose_port()}/0")


def test_outside_servers_are_used_and_get_the_databases_of_the_tools(
    souk: SoukHarness, postgres_server: PostgresHarness, redis_server: RedisHarness
) -> None:
    name = postgres_server.fresh_database(migrate=None)
    url = postgres_server.url(name, role="postgres")
    outside = {"DATABASE_URL": url, "REDIS_URL": redis_server.url}
    souk.environment.update(outside)

    souk.up()

    status = souk.status()
    assert (status["postgres"]["dsn"], status["postgres"]["healthy"], status["postgres"]["pid"]) == (url, True, None)
    assert (status["redis"]["url"], status["redis"]["healthy"], status["redis"]["pid"]) == (
        redis_server.url,
        True,
        None,
    )
    with psycopg.connect(url) as connection:
        found = {row[0] for row in connection.execute("select datname from pg_database")}
    assert {"dagster", "mlflow", "feast"} <= found
    assert not (souk.home / "postgres").exists()

    for database in ("dagster", "mlflow", "feast", name):
        postgres_server.drop_database(database)
