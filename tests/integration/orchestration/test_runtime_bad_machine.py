"""`souk` on machines that are not well: full, read-only and closed disks, odd paths, no user namespaces. Words, no
orphan, no lost data."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from orchestration.runtime import doctor
from orchestration.runtime.errors import RuntimeProblem
from tests.harness.souk import ROOT, SoukHarness, wait_for


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 60 MiB of our own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this user may not mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis alone needs no two gigabytes."""
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 2**20)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(2**20))
    assert shutil.disk_usage(disk).free == 0
    return filler


def test_a_full_disk_at_the_start_is_named_with_what_is_free_and_needed(disk: Path) -> None:
    souk = SoukHarness(disk / "souk", "redis")
    _fill(disk)

    done = souk.run("up")

    assert done.returncode == 1
    assert f"disk: 0 MiB free on the disk at {disk}, 2,048 MiB needed for {souk.home}" in done.stderr
    assert "Traceback" not in done.stderr
    assert souk.living() == []
    assert not souk.home.exists()


@pytest.mark.usefixtures("small_need")
def test_a_disk_that_fills_while_running_is_named_and_nothing_acknowledged_is_lost(disk: Path) -> None:
    souk = SoukHarness(disk / "souk", "redis")
    souk.up()
    try:
        with redis.Redis.from_url(str(souk.status()["redis"]["url"])) as client:
            client.set("kept", "yes")
        filler = _fill(disk)
        killed = souk.kill9("redis")

        with pytest.raises(RuntimeProblem, match=rf"disk: 0 MiB free on the disk at {disk}, 16 MiB needed .* is kept"):
            souk.up()

        assert f"on the disk at {disk}" in souk.run("status").stdout
        filler.unlink()
        souk.down()
        assert souk.living() == []
        souk.up()
        assert souk.pid("redis") != killed
        with redis.Redis.from_url(str(souk.status()["redis"]["url"])) as client:
            assert client.get("kept") == b"yes"
    finally:
        souk.down()


@pytest.mark.usefixtures("small_need")
def test_a_state_directory_that_became_read_only(disk: Path) -> None:
    souk = SoukHarness(disk / "souk", "redis")
    souk.up()
    souk.down()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    with pytest.raises(RuntimeProblem, match=rf"cannot write in {souk.home} \(Read-only file system\)"):
        souk.up()
    with pytest.raises(RuntimeProblem, match="Read-only file system"):
        souk.down()
    assert souk.status()["redis"]["detail"] == "not started"


@pytest.mark.slow
def test_a_long_path_with_spaces_quotes_and_letters_beyond_ascii(tmp_path: Path) -> None:
    home = tmp_path / "Märkte & \"Söhne\" $HOME 'n' \\ 商店" / ("x" * 120) / "souk"
    souk = SoukHarness(home, "postgres,redis,sandbox")
    try:
        souk.up()
        status = souk.status()
        assert [status[name]["detail"] for name in ("postgres", "redis", "sandbox")] == ["", "", ""]
        with redis.Redis.from_url(str(status["redis"]["url"])) as client:
            assert client.config_get("dir") == {"dir": str(home / "redis")}
    finally:
        souk.down()
    assert souk.living() == []


@pytest.mark.parametrize("command", ["up", "status"])
def test_a_file_where_the_state_directory_should_be(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    done = SoukHarness(tmp_path / "file").run(command)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"SOUK_HOME={tmp_path / 'file'} is not a folder" in done.stderr


def test_root_without_user_namespaces_is_told_how_to_mend_it(tmp_path: Path) -> None:
    souk = SoukHarness(tmp_path / "souk", "postgres")
    # Root of a namespace in which no further one may be made: what a container with a strict profile looks like.
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    inside = 'echo 0 > /proc/sys/user/max_user_namespaces || exit 77; exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "sh",
            "-c",
            inside,
            "sh",
            sys.executable,
            "-m",
            "orchestration.cli",
            "up",
        ],
        cwd=ROOT,
        env=souk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"this user may not make a user namespace: {done.stderr.strip()}")

    assert done.returncode == 1
    assert (
        "Postgres refuses root and this machine forbids user namespaces. Run as an ordinary user, allow unshare"
        in done.stderr
    )
    assert "set DATABASE_URL" in done.stderr
    assert souk.living() == []
    assert not souk.home.exists()


def test_status_tells_a_service_that_crashes_from_one_that_was_not_started(tmp_path: Path) -> None:
    souk = SoukHarness(tmp_path / "souk", "redis")
    souk.up()
    try:
        (souk.home / "redis" / "appendonly.aof").write_text("this is no append-only file\n", encoding="utf-8")
        souk.kill9("redis")
        wait_for(lambda: souk.status()["redis"]["restarts"] != 0 and not souk.healthy("redis"))
        status = souk.status()
        assert "exited with status 1" in str(status["redis"]["detail"]) or "restarting" in str(
            status["redis"]["detail"]
        )
        assert status["api"]["detail"] == "not started"
    finally:
        souk.down()
