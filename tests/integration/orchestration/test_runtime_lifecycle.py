"""`souk up` and `souk down`: once, twice, after kill -9, on leftovers. Redis stands for any service; Postgres where its
start differs."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests.harness.souk import ROOT, SoukHarness, wait_for


@pytest.fixture
def souk(tmp_path: Path) -> Iterator[SoukHarness]:
    harness = SoukHarness(tmp_path / "souk", "redis")
    yield harness
    harness.down()


def _client(souk: SoukHarness) -> redis.Redis:
    return redis.Redis.from_url(str(souk.status()["redis"]["url"]))


def test_up_twice_keeps_what_runs_and_down_twice_leaves_no_process(souk: SoukHarness) -> None:
    souk.up()
    pids = {name: souk.pid(name) for name in ("redis", "supervisor")}
    souk.up()
    assert {name: souk.pid(name) for name in ("redis", "supervisor")} == pids
    assert len(souk.living()) == 2

    souk.down()
    souk.down()

    assert souk.living() == []
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert souk.status()["redis"]["healthy"] is False


def test_up_for_more_than_what_runs_says_to_go_down_first_and_leaves_it_running(souk: SoukHarness) -> None:
    souk.up()
    done = souk.run("up", SOUK_SERVICES="redis,sandbox")
    assert done.returncode == 1
    assert "started without sandbox: run `souk down`, then `souk up`" in done.stderr
    assert souk.status()["redis"]["healthy"] is True


def test_up_that_waits_for_the_first_leaves_the_others_starting(souk: SoukHarness) -> None:
    souk.environment["SOUK_SERVICES"] = "redis,api"  # without Postgres the API never becomes healthy

    souk.up("redis")

    status = souk.status()
    assert (status["redis"]["healthy"], status["api"]["healthy"]) == (True, False)
    assert souk.pid("supervisor") > 0


def test_an_unknown_service_is_refused_by_name_and_nothing_starts(souk: SoukHarness) -> None:
    done = souk.run("up", SOUK_SERVICES="redis,postgers")
    assert done.returncode == 1
    assert "SOUK_SERVICES: there is no service postgers; there are: postgres, redis, " in done.stderr
    assert not souk.home.exists()


def test_a_killed_child_is_restarted_and_the_restart_is_reported(souk: SoukHarness) -> None:
    souk.up()
    killed = souk.kill9("redis")

    wait_for(lambda: souk.healthy("redis") and souk.pid("redis") not in {0, killed})

    assert souk.status()["redis"]["restarts"] == 1


def test_a_killed_supervisor_takes_its_children_along_and_up_continues_with_the_data(souk: SoukHarness) -> None:
    souk.up()
    with _client(souk) as client:
        client.set("kept", "yes")
    redis_pid = souk.pid("redis")
    souk.kill9("supervisor")
    wait_for(lambda: not psutil.pid_exists(redis_pid))

    souk.up()

    with _client(souk) as client:
        assert client.get("kept") == b"yes"
    assert len(souk.living()) == 2


def test_down_after_a_killed_supervisor_leaves_no_process(souk: SoukHarness) -> None:
    souk.up()
    souk.kill9("supervisor")
    souk.down()
    assert souk.living() == []


@pytest.mark.slow
def test_postgres_killed_with_everything_else_comes_back_with_committed_rows(tmp_path: Path) -> None:
    souk = SoukHarness(tmp_path / "souk", "postgres,databases")
    souk.up()
    try:
        dsn = str(souk.status()["postgres"]["dsn"])
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create table kept(x int)")
            connection.execute("insert into kept values (7)")
        os.killpg(souk.pid("postgres"), 9)
        souk.kill9("supervisor")

        souk.up()

        with psycopg.connect(str(souk.status()["postgres"]["dsn"])) as connection:
            assert connection.execute("select x from kept").fetchall() == [(7,)]
    finally:
        souk.down()
    assert souk.living() == []


def test_a_stale_record_of_a_recycled_pid_harms_nobody(souk: SoukHarness) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        for folder in (souk.layout.run, souk.layout.logs):
            folder.mkdir(parents=True)
        record = {
            "service": "redis",
            "state": "healthy",
            "pid": stranger.pid,
            "start_time": 1.0,
            "url": None,
            "restarts": 0,
            "message": "",
        }
        (souk.layout.run / "redis.json").write_text(json.dumps(record), encoding="utf-8")
        (souk.layout.run / "supervisor.json").write_text(
            json.dumps({**record, "service": "supervisor"}), encoding="utf-8"
        )
        (souk.layout.run / "api.json").write_text("{half a rec", encoding="utf-8")

        souk.up()
        assert souk.pid("redis") != stranger.pid
        souk.down()

        assert stranger.poll() is None
        stranger.kill()


def test_leftovers_that_carry_our_mark_are_ended_and_those_of_another_checkout_are_not(souk: SoukHarness) -> None:
    def sleeper(home: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["sleep", "60"], env={**os.environ, "SOUK_SUPERVISED": str(home)}, start_new_session=True
        )

    souk.layout.run.mkdir(parents=True)
    with sleeper(souk.home) as ours, sleeper(souk.home.with_name("other")) as theirs:
        souk.down()
        wait_for(lambda: ours.poll() is not None)
        assert theirs.poll() is None
        theirs.kill()


def test_a_port_taken_by_somebody_else_is_chosen_anew(souk: SoukHarness) -> None:
    souk.up()
    souk.down()
    port = json.loads(souk.layout.config.read_text(encoding="utf-8"))["ports"]["redis"]
    with socket.create_server(("127.0.0.1", port)):
        done = souk.run("up")

        assert done.returncode == 0, done.stderr
        assert "redis" in done.stderr.splitlines()[0]
        assert json.loads(souk.layout.config.read_text(encoding="utf-8"))["ports"]["redis"] != port
        assert souk.status()["redis"]["healthy"] is True


def test_a_taken_port_that_the_environment_fixes_is_refused_by_name_and_nothing_starts(souk: SoukHarness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = souk.run("up", SOUK_API_URL=f"http://127.0.0.1:{port}")

    assert done.returncode == 1
    assert f"port {port} of SOUK_API_URL is taken by" in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert souk.living() == []
    assert not souk.home.exists()


@pytest.mark.slow
def test_a_service_that_cannot_start_is_named_with_its_log_and_nothing_is_left_running(souk: SoukHarness) -> None:
    (souk.home / "redis").mkdir(parents=True)
    (souk.home / "redis" / "appendonly.aof").write_text("this is no append-only file\n", encoding="utf-8")

    done = souk.run("up")

    assert done.returncode == 1
    assert "redis is not healthy (exited with status 1)" in done.stderr
    assert "Bad file format reading the append only file" in done.stderr
    assert souk.living() == []


def test_a_damaged_config_is_refused_and_kept(souk: SoukHarness) -> None:
    souk.home.mkdir()
    souk.layout.config.write_text('{"version": 1, "ports": ', encoding="utf-8")

    done = souk.run("up")

    assert done.returncode == 1
    assert "config.json is damaged" in done.stderr
    assert "Restore a copy" in done.stderr
    assert souk.layout.config.read_text(encoding="utf-8") == '{"version": 1, "ports": '
    souk.layout.config.unlink()


def test_down_works_without_a_readable_config(souk: SoukHarness) -> None:
    souk.up()
    souk.layout.config.write_bytes(b"\xff\xfe")
    assert "config.json is damaged" in souk.run("status").stderr

    done = souk.run("down")

    assert done.returncode == 0, done.stderr
    assert souk.living() == []


def test_secrets_are_readable_by_their_owner_only(souk: SoukHarness) -> None:
    souk.up()
    for path in (
        souk.layout.config,
        souk.layout.keys / "jwt.pem",
        souk.home / "redis" / "redis.conf",
        souk.layout.log("redis"),
    ):
        assert path.stat().st_mode & 0o777 == 0o600, path
    password = json.loads(souk.layout.config.read_text(encoding="utf-8"))["redis_password"]
    shown = [" ".join(process.cmdline()) for process in souk.living()]
    assert shown
    assert not any(password in line for line in shown)


def test_status_before_the_first_start_is_json_and_exit_zero(tmp_path: Path) -> None:
    souk = SoukHarness(tmp_path / "never")
    done = souk.run("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    services = (
        *("postgres", "redis", "sandbox", "api", "worker", "cdc", "events", "marts", "online", "serving"),
        *("dagster", "mlflow", "dashboard"),
    )
    assert [name for name in status if name not in {"lake", "behaviour", "features", "alerts"}] == list(services)
    assert status["alerts"] == {"path": None, "open": []}
    assert all(status[name]["healthy"] is False and status[name]["pid"] is None for name in services)
    replication = ("state", "stoppedTables", "unknownTables", "tables", "slot", "snapshots", "tableSnapshots")
    assert [status["cdc"][key] for key in replication] == [None] * len(replication)
    assert set(status["lake"]) == {"uri", "lsn", "lagBytes", "lagSeconds"}
    assert set(status["behaviour"]) == {
        *("uri", "lagSeconds", "streamLength", "landed", "duplicates", "rejected", "late", "future", "landedAt"),
        "spoolBytes",
    }
    refreshes = {"lsn", "lagSeconds", "refreshes", "needsBuild", "oldSince", "why", "withheld", "withheldKeys"}
    assert set(status["marts"]) == {"path", "manifest", "asOf"} | refreshes | {"url", "healthy", "pid", "detail"}
    assert status["features"] == {"path": None, "lsn": None, "asOf": None}
    assert set(status["online"]) == {"lsn", "asOf", "last", "url", "healthy", "pid", "detail"}
    assert not (tmp_path / "never").exists()


@pytest.mark.slow
def test_two_state_directories_run_side_by_side(souk: SoukHarness, tmp_path: Path) -> None:
    second = SoukHarness(tmp_path / "second", "redis")
    souk.up()
    second.up()
    try:
        assert souk.status()["redis"]["url"] != second.status()["redis"]["url"]
        second.down()
        assert souk.status()["redis"]["healthy"] is True
    finally:
        second.down()


@pytest.mark.slow
def test_a_child_that_outlives_its_leader_in_the_same_group_is_killed_with_it(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys, time; from pathlib import Path;"
        "p = subprocess.Popen(['sleep', '60']); Path(sys.argv[1]).write_text(str(p.pid)); time.sleep(60)"
    )
    supervised = (
        "import sys; from pathlib import Path; from orchestration.runtime.health import alive;from"
        " orchestration.runtime.layout import Layout; from orchestration.runtime.services import Service;from"
        " orchestration.runtime.supervisor import Supervisor; home = Path(sys.argv[1]); layout = Layout(home);"
        " layout.create();service = Service('leader', (sys.executable, '-c', sys.argv[2], str(home / 'grandchild')),"
        " alive);Supervisor(layout, (service,), {}, home).run()"
    )
    grandchild = tmp_path / "grandchild"
    with subprocess.Popen(
        [sys.executable, "-c", supervised, str(tmp_path), program], env={**os.environ, "PYTHONPATH": "."}
    ) as supervisor:
        wait_for(lambda: grandchild.exists() and grandchild.read_text(encoding="ascii") != "")
        first = int(grandchild.read_text(encoding="ascii"))
        os.kill(json.loads((tmp_path / "run" / "leader.json").read_text(encoding="utf-8"))["pid"], 9)

        wait_for(lambda: not psutil.pid_exists(first))

        supervisor.terminate()
        supervisor.wait(20)


def _starting(souk: SoukHarness) -> subprocess.Popen[str]:
    """`souk up` that is still at it: the API waits for a Postgres that is not among its services."""
    souk.environment["SOUK_SERVICES"] = "redis,api"
    # Else, when the tests run in the background of a shell, the command would inherit that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "up"],
        cwd=ROOT,
        env=souk.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: souk.healthy("redis"))
    return command


def test_down_ends_an_up_that_is_still_starting(souk: SoukHarness) -> None:
    with _starting(souk) as starting:
        souk.down()
        assert starting.wait(20) == 1
        assert souk.living() == []
        assert starting.stderr is not None
        assert "stopped while it was starting: somebody ran `souk down`" in starting.stderr.read()


@pytest.mark.slow
def test_ctrl_c_in_up_leaves_nothing_running(souk: SoukHarness) -> None:
    with _starting(souk) as starting:
        starting.send_signal(signal.SIGINT)
        assert starting.wait(30) != 0
        assert starting.stderr is not None
        assert "Traceback" not in starting.stderr.read()
    assert souk.living() == []


@pytest.mark.slow
def test_two_ups_at_the_same_moment_start_one_set_of_processes(souk: SoukHarness) -> None:
    command = [sys.executable, "-m", "orchestration.cli", "up"]
    with (
        subprocess.Popen(command, cwd=ROOT, env=souk.environment) as one,
        subprocess.Popen(command, cwd=ROOT, env=souk.environment) as two,
    ):
        assert (one.wait(60), two.wait(60)) == (0, 0)
    assert len(souk.living()) == 2
    assert souk.status()["redis"]["healthy"] is True
