"""A real Postgres for tests, from the product's launcher.

There is one cluster per session, and one database per module, cloned from a migrated template.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from orchestration.runtime.bootstrap import OWNER, REPLICATOR, RolePasswords, prepare_server
from orchestration.runtime.postgres import PostgresCluster
from tests.harness import prefork
from tests.harness.ports import free_port
from tests.harness.processes import Stoppable

Migrate = Callable[[str], None]
_PASSWORDS = RolePasswords(owner="owner-of-tests", replicator="replicator-of-tests")


def migrate_with_alembic(database_url: str) -> None:
    """Migrate a database as the product does, by `python -m api.operations.migrate` with DATABASE_URL."""
    done = prefork.run("api.operations.migrate", env={**os.environ, "DATABASE_URL": database_url})
    if done.returncode != 0:
        raise RuntimeError(f"python -m api.operations.migrate failed:\n{done.stdout}{done.stderr}")


_ON_MIGRATED: set[Migrate] = set()


def on_migrated(fill: Migrate) -> Migrate:
    """Marks what fills a database that has the product's schema already, so that it is not migrated once more."""
    _ON_MIGRATED.add(fill)
    return fill


class PostgresHarness(Stoppable):
    """One cluster. `fsync=True` is for tests that kill it and count the surviving rows."""

    def __init__(self, folder: Path, *, fsync: bool = False, settings: tuple[tuple[str, str], ...] = ()) -> None:
        small = (("shared_buffers", "128MB"),)
        self.cluster = PostgresCluster(
            folder / "data", free_port(), "superuser-of-tests", fsync=fsync, settings=small + settings
        )
        super().__init__(folder / "postgres.log")
        self._templates: dict[Migrate, str] = {}

    def start(self) -> None:
        """Start, also again, with the same port and data. It recovers after `kill9` or `immediate_stop`."""
        if self.process is None:
            self.process = self.cluster.start(self.log)
            prepare_server(self.cluster.url(), _PASSWORDS, databases=())

    def kill9(self) -> None:
        """kill -9 the postmaster and every backend, as a power failure would."""
        self._end(signal.SIGKILL, group=True)

    def immediate_stop(self) -> None:
        """Stop without a checkpoint (pg_ctl -m immediate); the next start replays the log."""
        self._end(signal.SIGQUIT)

    def promote(self) -> None:
        """Stop, start as a standby without a primary, and promote: the same data on a new timeline."""
        self.stop()
        (self.cluster.data_dir / "standby.signal").touch()
        self.process = self.cluster.start(self.log)
        with psycopg.connect(self.cluster.url(), autocommit=True) as admin:
            admin.execute("select pg_promote()")

    def stop(self) -> None:
        """Stop cleanly (pg_ctl -m fast). Does nothing when it is not running."""
        self._end(signal.SIGINT)

    def url(self, database: str, *, role: str = OWNER) -> str:
        """libpq URL: role `souk` (owner), `souk_cdc` (replication and read) or `postgres` (superuser)."""
        passwords = {OWNER: _PASSWORDS.owner, REPLICATOR: _PASSWORDS.replicator, "postgres": self.cluster.password}
        return self.cluster.url(database, role, passwords[role])

    def fresh_database(self, migrate: Migrate | None = migrate_with_alembic) -> str:
        """Name of a new database owned by `souk`.

        Its schema comes from `migrate`, which runs once per session on a template; None makes an empty database.
        """
        template = "template1" if migrate is None else self._template(migrate)
        name = f"test_{uuid4().hex[:12]}"
        self._create(name, template)
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database with its connections and its slots. Does nothing when the server is down."""
        if self.process is None:
            return
        with psycopg.connect(self.cluster.url(), autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(active_pid) from pg_replication_slots where database = %s and active",
                (name,),
            )
            for _ in range(100):
                if not admin.execute(
                    "select 1 from pg_replication_slots where database = %s and active", (name,)
                ).fetchone():
                    break
                admin.execute("select pg_sleep(0.02)")
            admin.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", (name,)
            )
        self._admin(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _create(self, name: str, template: str) -> None:
        names = (sql.Identifier(each) for each in (name, template, OWNER))
        self._admin(sql.SQL("create database {} template {} owner {}").format(*names))

    def _template(self, migrate: Migrate) -> str:
        if migrate not in self._templates:
            name = f"template_{uuid4().hex[:8]}"
            begun = self._template(migrate_with_alembic) if migrate in _ON_MIGRATED else "template1"
            self._create(name, begun)
            migrate(self.url(name))
            self._templates[migrate] = name
        return self._templates[migrate]

    def _admin(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.cluster.url(), autocommit=True) as admin:
            admin.execute(statement)


@contextlib.contextmanager
def running_postgres(
    folder: Path, *, fsync: bool = False, settings: tuple[tuple[str, str], ...] = ()
) -> Iterator[PostgresHarness]:
    """A started cluster, stopped at the end."""
    server = PostgresHarness(folder, fsync=fsync, settings=settings)
    server.start()
    try:
        yield server
    finally:
        server.immediate_stop()
