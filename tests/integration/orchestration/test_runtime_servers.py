"""The embedded servers as the product and the harness start them."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestration.runtime.config import Config
from orchestration.runtime.doctor import check_publication
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import Machine
from orchestration.settings import Settings
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.redis import RedisHarness, running_redis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresHarness]:
    with running_postgres(tmp_path_factory.mktemp("own"), fsync=True) as started:
        yield started


def _setting(server: PostgresHarness, name: str) -> str:
    with psycopg.connect(server.cluster.url()) as connection:
        row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wal_level", "logical"),
        ("fsync", "on"),
        ("password_encryption", "scram-sha-256"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("max_slot_wal_keep_size", "4GB"),
        ("max_connections", "200"),
    ],
)
def test_postgres_runs_with_the_settings_the_product_promises(server: PostgresHarness, name: str, value: str) -> None:
    assert _setting(server, name) == value


def test_postgres_is_version_18(server: PostgresHarness) -> None:
    assert _setting(server, "server_version_num").startswith("18")


def test_a_wrong_password_is_refused(server: PostgresHarness) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.cluster.url(password="wrong"))


def test_the_replication_role_reads_everything_and_writes_nothing(server: PostgresHarness) -> None:
    name = server.fresh_database(migrate=None)
    with psycopg.connect(server.url(name), autocommit=True) as owner:
        owner.execute("create table t(x int)")
        owner.execute("insert into t values (7)")

    with psycopg.connect(server.url(name, role="souk_cdc"), autocommit=True) as reader:
        assert reader.execute("select x from t").fetchall() == [(7,)]
        reader.execute("select pg_create_logical_replication_slot('probe', 'pgoutput')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("insert into t values (8)")

    server.drop_database(name)


def test_committed_rows_survive_kill_nine_and_immediate_stop(server: PostgresHarness) -> None:
    name = server.fresh_database(migrate=None)
    with psycopg.connect(server.url(name), autocommit=True) as owner:
        owner.execute("create table t(x int)")

    for value, end in ((1, server.kill9), (2, server.immediate_stop)):
        with psycopg.connect(server.url(name), autocommit=True) as owner:
            owner.execute("insert into t values (%s)", (value,))
        end()
        assert not server.cluster.ready()
        server.start()

    with psycopg.connect(server.url(name)) as owner:
        assert owner.execute("select x from t order by x").fetchall() == [(1,), (2,)]


def test_a_template_is_migrated_once_and_clones_are_independent(server: PostgresHarness) -> None:
    calls: list[str] = []

    def migrate(url: str) -> None:
        calls.append(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table t(x int)")

    first, second = server.fresh_database(migrate), server.fresh_database(migrate)
    with psycopg.connect(server.url(first), autocommit=True) as connection:
        connection.execute("insert into t values (1)")

    with psycopg.connect(server.url(second)) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (0,)
    assert len(calls) == 1


def test_a_stale_postmaster_pid_of_another_process_is_removed(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as server:
        server.kill9()
        # The pid of a live process that is not Postgres: what a recycled pid looks like.
        (server.cluster.data_dir / "postmaster.pid").write_text("1\n", encoding="ascii")
        server.start()
        assert server.cluster.ready()


def test_redis_keeps_acknowledged_writes_over_a_clean_restart_and_needs_its_password(tmp_path: Path) -> None:
    with running_redis(tmp_path, durable=True) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("k", "v")
        server.stop()
        server.start()

        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            assert client.get("k") == "v"
            assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        with (
            redis.Redis(port=server.server.port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_the_session_redis_is_flushed_for_a_module(redis_server: RedisHarness, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


@pytest.mark.slow
def test_the_doctor_names_a_table_whose_updates_postgres_refuses(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table orders replica identity nothing")
    layout = Layout(tmp_path)
    layout.create()
    config, _ = Config().with_free_ports()
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings = Settings.model_validate({"SOUK_HOME": str(tmp_path), "DATABASE_URL": database_url})
    finding = check_publication(Machine(settings, layout, config))
    assert (finding.ok, finding.essential) == (False, True)
    assert finding.detail.startswith("table orders is published with REPLICA IDENTITY NOTHING: Postgres refuses")
