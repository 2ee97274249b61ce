"""A running shop under load: sends requests from a process of its own and says what they cost each process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.support.clients import Plan
from tests.benchmarks.support.http import Expected, Request, write_requests
from tests.benchmarks.support.load import Load
from tests.benchmarks.support.profile import Profiler, report, say
from tests.benchmarks.support.usage import busy_seconds, cpu_seconds
from tests.harness.processes import ROOT

DRAIN_SECONDS = 60.0
_COUNTERS = (
    "select xact_commit, pg_current_wal_insert_lsn() - '0/0' from pg_stat_database where datname = current_database()"
)
_UNDONE = (
    "select (select count(*) from outbox_events where published_at is null)"
    " + (select count(*) from checkouts where recovery_point not in ('completed', 'failed'))"
)


@dataclass(frozen=True)
class Counted:
    """What has been used so far."""

    at: float
    cpu: Mapping[str, float]
    busy: float
    own: float
    commits: int
    wal_bytes: int


@dataclass
class Target:
    """The port of the API, the processes whose time counts, and the database behind them.

    `profilers`: of the processes that are sampled, by name. `wrong` collects the answers that were not as expected,
    over all runs.
    """

    port: int
    roots: Mapping[str, int]
    database_url: str
    folder: Path
    profilers: Mapping[str, Profiler] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def load(
        self,
        title: str,
        requests: Iterable[Request],
        expected: Mapping[str, Expected],
        *,
        clients: int,
        seconds: float,
        rate: float = 0.0,
        repeat: bool = False,
        drain: bool = False,
    ) -> Load:
        """Run clients in a closed loop, or at a rate. `drain`: until the worker has published what was bought; its
        work counts."""
        file = self.folder / "requests"
        kinds, _ = write_requests(file, requests)
        answers = {kind: (expected[kind].status, expected[kind].holds) for kind in kinds}
        plan = Plan(self.port, str(file), kinds, answers, clients, seconds, rate, repeat)
        for profiler in self.profilers.values():
            profiler.start()
        before = self._counted()
        outcome = _run(plan, seconds)
        if drain:
            self._drain()
        after = self._counted()
        load = _load(outcome, before, after)
        self.wrong += load.wrong
        for name, profiler in self.profilers.items():
            say(report(f"{title}: {name}", profiler.stop(), load.cpu_ms(name)))
        say(f"{title}: {summary(load)}\n")
        return load

    def _counted(self) -> Counted:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            row = connection.execute(_COUNTERS).fetchone()
        assert row is not None
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return Counted(time.perf_counter(), cpu_seconds(self.roots), busy_seconds(), own, int(row[0]), int(row[1]))

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            while (row := connection.execute(_UNDONE).fetchone()) is not None and row[0]:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the worker has not finished after {DRAIN_SECONDS:.0f} s: {row[0]} left")
                time.sleep(0.1)


def summary(load: Load) -> str:
    """One line for a person who waits."""
    cpu = ", ".join(f"{name} {load.cpu_ms(name):.2f}" for name in load.cpu)
    return (
        f"{load.rate:.1f}/s, {load.spread}, {load.done} answers {dict(load.statuses)}, CPU ms each: {cpu};"
        f" others used {load.others_cores:.2f} cores"
    )


def figures(load: Load) -> dict[str, object]:
    """The fields that every result line of a load has next to its figure."""
    waits = load.spread
    return {
        "p50": waits.p50,
        "p95": waits.p95,
        "p99": waits.p99,
        "rate": round(load.rate, 1),
        "requests": load.done,
        "errors": load.errors,
        "caches": dict(load.caches),
        "cpu_ms": {name: round(load.cpu_ms(name), 3) for name in load.cpu},
        "commits": round(load.commits / load.done, 2),
        "wal_bytes": round(load.wal_bytes / load.done),
        "others_cores": round(load.others_cores, 2),
    }


def _run(plan: Plan, seconds: float) -> Mapping[str, Any]:  # Any: the fields of an Outcome
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.support.clients"],
        cwd=ROOT,
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        timeout=seconds + 180,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the clients failed:\n{done.stderr[-3000:]}")
    outcome: Mapping[str, Any] = json.loads(done.stdout)  # Any: as above
    return outcome


def _load(outcome: Mapping[str, Any], before: Counted, after: Counted) -> Load:  # Any: the fields of an Outcome
    cpu = {name: after.cpu[name] - before.cpu[name] for name in before.cpu}
    others = after.busy - before.busy - sum(cpu.values()) - (after.own - before.own)
    return Load(
        seconds=outcome["seconds"],
        waits=outcome["waits"],
        statuses=outcome["statuses"],
        wrong=tuple(outcome["wrong"]),
        errors=outcome["errors"],
        caches=outcome["caches"],
        body_bytes=outcome["body_bytes"],
        cpu={**cpu, "clients": outcome["cpu"]},
        others=max(others, 0.0),
        elapsed=after.at - before.at,
        commits=after.commits - before.commits,
        wal_bytes=after.wal_bytes - before.wal_bytes,
    )
