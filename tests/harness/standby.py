"""A streaming standby of a test's Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from orchestration.runtime.postgres import PostgresCluster, postgres_bin
from orchestration.runtime.process import run_to_end
from tests.harness.ports import free_port
from tests.harness.postgres import PostgresHarness


class StandbyHarness(PostgresHarness):
    """Follows `primary` from a copy of its files. Its URLs are those of the primary with another port."""

    def __init__(self, folder: Path, primary: PostgresHarness) -> None:
        super().__init__(folder)
        self._primary = primary
        self.cluster = PostgresCluster(
            folder / "data", free_port(), primary.cluster.password, fsync=False, settings=(("shared_buffers", "128MB"),)
        )

    def start(self) -> None:
        if not self.cluster.data_dir.exists():
            base = [str(postgres_bin() / "pg_basebackup"), "-D", str(self.cluster.data_dir), "-R", "-c", "fast", "-N"]
            done = run_to_end([*base, "-d", self._primary.cluster.url()], drop_root=True, timeout=60)
            assert done.returncode == 0, done.stderr
        if self.process is None:
            self.process = self.cluster.start(self.log)

    def pause(self) -> None:
        """It receives and does not replay."""
        self._admin_run("select pg_wal_replay_pause()")

    def resume(self) -> None:
        self._admin_run("select pg_wal_replay_resume()")

    def cut_off(self) -> None:
        """It receives nothing any more, and does not know that it misses something."""
        self._follow("")

    def connect_again(self) -> None:
        self._follow(self._conninfo)

    def _follow(self, conninfo: str) -> None:
        with psycopg.connect(self.cluster.url(), autocommit=True) as admin:
            row = admin.execute("select setting from pg_settings where name = 'primary_conninfo'").fetchone()
            assert row is not None
            self._conninfo: str = row[0]
        change = sql.SQL("alter system set primary_conninfo = {}").format(sql.Literal(conninfo)).as_string()
        self._admin_run(change, "select pg_reload_conf()")

    def _admin_run(self, *statements: str) -> None:
        with psycopg.connect(self.cluster.url(), autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement.encode())


@contextmanager
def running_standby(folder: Path, primary: PostgresHarness) -> Iterator[StandbyHarness]:
    """A started standby, stopped at the end."""
    standby = StandbyHarness(folder, primary)
    standby.start()
    try:
        yield standby
    finally:
        standby.immediate_stop()
