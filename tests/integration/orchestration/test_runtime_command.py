"""The `souk` command from outside: help, JSON on stdout only, exit statuses, the marts prompt."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest

from orchestration.cli.models import NAMES
from tests.harness.souk import ROOT, SoukHarness, wait_for


@pytest.fixture(scope="module")
def souk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoukHarness]:
    harness = SoukHarness(tmp_path_factory.mktemp("command") / "souk", "redis")
    yield harness
    harness.down()


def test_help_names_every_command(souk: SoukHarness) -> None:
    done = souk.run("--help")
    assert done.returncode == 0
    for command in (
        "up",
        "down",
        "status",
        "logs",
        "doctor",
        "demo",
        "load",
        "rates",
        "pipeline",
        "verify",
        "sql",
        "mail",
        "evaluate",
        "bench",
    ):
        assert f" {command} " in done.stdout


def test_commands_that_need_a_started_machine_say_so(souk: SoukHarness) -> None:
    done = souk.run("sql", "select 1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing was started here yet: run `souk up`" in done.stderr


def test_up_status_logs_and_sql_of_one_machine(souk: SoukHarness) -> None:
    up = souk.run("up")
    assert (up.returncode, up.stdout) == (0, "")
    assert "redis is healthy" in up.stderr

    status = json.loads(souk.run("status", "--json").stdout)
    assert status["redis"]["healthy"] is True
    assert "***" in souk.run("status").stdout

    assert "Ready to accept connections" in souk.run("logs", "redis").stdout
    unknown = souk.run("logs", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "there are: redis, supervisor" in unknown.stderr

    missing = souk.run("sql", "select 1")
    assert missing.returncode == 1
    assert "no marts yet" in missing.stderr

    _publish_marts(souk.home / "marts" / "souk.duckdb")
    rows = souk.run("sql", "--json", "select order_id, total from fct_orders order by 1")
    assert (rows.returncode, json.loads(rows.stdout)) == (
        0,
        [{"order_id": "a", "total": "12.50"}, {"order_id": "b", "total": "0.10"}],
    )
    refused = souk.run("sql", "delete from fct_orders")
    assert refused.returncode == 1
    assert "read-only" in refused.stderr
    failing = {"failures": 3, "failingSince": "2026-03-02T10:00:00+00:00", "error": "a model failed"}
    (souk.home / "marts" / "refresh.json").write_text(json.dumps(failing))
    marts = json.loads(souk.run("status", "--json").stdout)["marts"]
    as_of = "2026-03-01T12:00:00+00:00"
    assert (marts["asOf"], marts["oldSince"]) == (as_of, as_of)
    assert marts["why"] == "3 refreshes failed since 2026-03-02T10:00:00+00:00: a model failed"
    assert (marts["withheld"], marts["withheldKeys"]) == (1, ["order N7: a rule"])


def _publish_marts(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table fct_orders as select * from (values ('a', 12.50::decimal(12,2)), ('b', 0.10)) t(order_id,"
            " total)"
        )
        connection.execute("create table mart_watermark as select timestamptz '2026-03-01 12:00:00+00' as as_of")
        connection.execute(
            "create table mart_withheld as select 'order' as kind, 'o' as key, 'N7' as name, 'a rule' as rule, seller"
            " as seller_id from range(2) t(seller)"
        )


def test_an_unknown_benchmark_is_refused_and_stdout_stays_empty(souk: SoukHarness) -> None:
    done = souk.run("bench", "nothing-of-this-name")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "there are: bulk, capacity, cdc, checkout, dbt, fresh, idle, ladder, latency, load, mixed, moderation, reads,"
        " recommenders, relevance, reviews, search, semantic, spark, suggestions" in done.stderr
    )


def test_a_benchmark_runs_from_the_installed_command_in_any_folder(tmp_path: Path) -> None:
    installed = Path(sys.executable).with_name("souk")
    done = subprocess.run(
        [installed, "bench", "latency", "--no-such-option"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "No such option: --no-such-option" in done.stderr


def test_every_benchmark_can_be_named() -> None:
    programs = {
        path.stem
        for path in (ROOT / "tests" / "benchmarks").glob("*.py")
        if "@program(" in path.read_text(encoding="utf-8")
    }
    assert set(NAMES) == programs


def test_a_benchmark_keeps_stdout_for_its_json_lines() -> None:
    """Without `configure`, structlog prints the log lines of the measured code to stdout."""
    silent = [name for name in NAMES if "configure(" not in (ROOT / f"tests/benchmarks/{name}.py").read_text("utf-8")]
    assert silent == []


def test_queries_come_from_stdin_too_and_a_wrong_one_is_the_exit_status(souk: SoukHarness) -> None:
    marts = souk.home / "marts" / "souk.duckdb"
    marts.parent.mkdir(parents=True, exist_ok=True)
    if not marts.exists():
        _publish_marts(marts)
    souk.run("up")

    def ask(queries: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "orchestration.cli", "sql"]
        return subprocess.run(
            command, input=queries, cwd=ROOT, env=souk.environment, capture_output=True, text=True, check=False
        )

    good = ask("select '[red]a[/]' as markup;\nselect 41 +\n 1")
    assert good.returncode == 0, good.stderr
    assert "[red]a[/]" in good.stdout
    assert "42" in good.stdout
    wrong = ask("select nothing from nowhere;\nselect 43;\n")
    assert wrong.returncode == 1
    assert "nowhere does not exist" in wrong.stderr
    assert "43" in wrong.stdout


@pytest.mark.parametrize(
    "command", [("load", "marketplace"), ("rates", "example"), ("pipeline",), ("verify",), ("verify", "--invariants")]
)
def test_commands_that_need_postgres_say_that_it_does_not_run(souk: SoukHarness, command: tuple[str, ...]) -> None:
    souk.run("up")
    done = souk.run(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Postgres does not run in" in done.stderr


def test_a_log_position_that_is_none_is_refused(souk: SoukHarness) -> None:
    done = souk.run("verify", "--at", "yesterday")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--at yesterday is no log position" in done.stderr


def test_a_killed_command_takes_its_program_along(tmp_path: Path) -> None:
    program = (
        "import os, sys; from orchestration.cli.console import run_module; run_module('timeit', '-n', '1', '-r', '1',"
        " sys.argv[1])"
    )
    pid_file = tmp_path / "pid"
    statement = (
        f"import os, time, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, statement], env={**os.environ, "SOUK_HOME": str(tmp_path / "home")}, cwd=ROOT
    ) as command:
        wait_for(lambda: pid_file.exists() and pid_file.read_text(encoding="ascii") != "", seconds=60)
        running = int(pid_file.read_text(encoding="ascii"))
        command.kill()
        wait_for(lambda: not psutil.pid_exists(running))
