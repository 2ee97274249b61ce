"""The whole product at a small size: `souk demo` of a small marketplace, every process running, models trained."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import psycopg
from psycopg import sql

from orchestration.runtime.machine import Machine, load_machine
from orchestration.settings import load_settings
from tests.harness.souk import ROOT, SoukHarness, wait_for

SIZE = "--products 240 --shoppers 400 --orders 5000"
"""Enough test cases that a model beats popularity whatever the hour: with a third of the orders it is a coin's toss."""
_SECONDS = 1800.0


class Platform(SoukHarness):
    """A separate state directory with a marketplace of 240 products, 400 shoppers and 5,000 orders.

    Training uses the smallest recipe.
    """

    def __init__(self, home: Path, services: str = "") -> None:
        # long deadlines, so that a busy machine fails no test; other tests check the deadlines
        patient = {f"SOUK_SERVING_{part}_MS": "3000" for part in ("ONLINE", "SEQUENTIAL", "RANK")}
        super().__init__(home, services, SOUK_PROFILE="test", **patient)

    def demo(self) -> str:
        """`souk demo`, the code path of `make demo`; it must succeed. Returns its output."""
        return _must("orchestration.cli", "demo", f"--size={SIZE}", env=self.environment)

    def module(self, name: str, *arguments: str) -> str:
        """`python -m name` as the command line starts it; it must succeed. Returns its output."""
        return _must(name, *arguments, env=self.machine_environment())

    @property
    def machine(self) -> Machine:
        """Addresses and passwords."""
        with patch.dict(os.environ, self.environment, clear=True):
            machine = load_machine(load_settings())
        assert machine is not None
        return machine

    def machine_environment(self) -> dict[str, str]:
        """The environment of every process of this state directory."""
        machine = self.machine
        with patch.dict(os.environ, self.environment, clear=True):
            return machine.environment()

    def url(self, service: str) -> str:
        """Base URL of api, sandbox, serving, dagster or mlflow."""
        return self.machine.address(service)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection to the shop's database as its owner, as psql would open it."""
        return psycopg.connect(self.machine.database_url)

    def count(self, table: str) -> int:
        """The number of rows of a table of the shop."""
        with self.connect() as connection:
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        return int(str(row[0]))

    def wait_healthy(self, service: str, other_than: int | None = None, seconds: float = 120.0) -> None:
        """Wait until the supervisor reports it healthy, as a process other than `other_than`."""
        wait_for(lambda: self.healthy(service) and self.pid(service) != other_than, seconds)


def _must(module: str, *arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
