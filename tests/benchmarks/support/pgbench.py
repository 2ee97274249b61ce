"""The least SQL that a checkout can be, run by pgbench on the shop's own Postgres: the limit of a checkout.

The scripts in `tests/benchmarks/pgbench` buy two items: in nine round trips or as one statement, from 8,000 variants or
from two (`hot`).
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestration.runtime.postgres import postgres_bin
from tests.benchmarks.support.usage import cpu_seconds
from tests.harness.postgres import PostgresHarness

SCRIPTS = Path(__file__).resolve().parents[1] / "pgbench"
Script = Literal["checkout", "checkout_cte", "checkout_hot", "checkout_cte_hot"]


@dataclass(frozen=True)
class Bought:
    """One run of pgbench, or the sum of several: checkouts, seconds, and the processor seconds of Postgres."""

    checkouts: int
    seconds: float
    postgres: float

    @property
    def rate(self) -> float:
        """Checkouts a second."""
        return self.checkouts / self.seconds

    @property
    def postgres_ms(self) -> float:
        """Processor milliseconds of Postgres for each checkout."""
        return self.postgres * 1000 / self.checkouts

    def __add__(self, other: "Bought") -> "Bought":
        return Bought(self.checkouts + other.checkouts, self.seconds + other.seconds, self.postgres + other.postgres)


class Pgbench:
    """A database of its own on a cluster."""

    def __init__(self, server: PostgresHarness) -> None:
        self._server = server
        self._url = server.url(server.fresh_database(migrate=None))
        _run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPTS / "schema.sql"), self._url)

    def run(self, script: Script, clients: int, seconds: int) -> Bought:
        """Buy for that many seconds. Raises RuntimeError when a transaction failed."""
        before = cpu_seconds({"postgres": self._server.pid})["postgres"]
        file = str(SCRIPTS / f"{script}.sql")
        jobs = str(min(clients, os.cpu_count() or 1))
        printed = _run("pgbench", "-n", "-f", file, "-c", str(clients), "-j", jobs, "-T", str(seconds), self._url)
        used = cpu_seconds({"postgres": self._server.pid})["postgres"] - before
        checkouts, rate = parse(printed)
        return Bought(checkouts, checkouts / rate, used)


def parse(printed: str) -> tuple[int, float]:
    """(transactions, transactions a second) from what pgbench printed. Raises RuntimeError when one failed."""
    failed = re.search(r"^number of failed transactions: (\d+)", printed, re.MULTILINE)
    done = re.search(r"^number of transactions actually processed: (\d+)", printed, re.MULTILINE)
    rate = re.search(r"^tps = ([\d.]+) \(without initial connection time\)", printed, re.MULTILINE)
    if done is None or rate is None or (failed is not None and int(failed[1])):
        raise RuntimeError(f"pgbench failed:\n{printed}")
    return int(done[1]), float(rate[1])


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(postgres_bin() / program), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
