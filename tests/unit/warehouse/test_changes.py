"""A wait ends when another process changes a file, and sees what came before it."""

import ctypes
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse import changes
from warehouse.changes import BLIND_SECONDS, Changes, Kind
from warehouse.stop import Stop

LONG = 60.0


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Changes]:
    """A folder that is watched already."""
    found = Changes({tmp_path: Kind.WRITTEN | Kind.PLACED})
    found.wait(Stop(), 0)
    yield found
    found.close()


def waited(seen: Changes, seconds: float, stop: Stop | None = None) -> bool:
    """Whether the wait ended before its time."""
    began = time.monotonic()
    seen.wait(stop or Stop(), seconds)
    return time.monotonic() - began < seconds


def test_a_file_that_is_written_ends_the_wait(watched: Changes, tmp_path: Path) -> None:
    writer = threading.Timer(0.1, (tmp_path / "a").write_text, ["x"])
    writer.start()

    assert waited(watched, LONG)
    writer.join()


@pytest.mark.parametrize("make", ["write", "rename", "link"])
def test_what_came_before_the_wait_is_seen_once(watched: Changes, tmp_path: Path, make: str) -> None:
    outside = tmp_path.with_name("outside")
    if make == "write":
        (tmp_path / "a").write_text("x")
    elif make == "rename":
        outside.write_text("x")
        outside.rename(tmp_path / "a")
    else:
        outside.symlink_to("x")
        outside.rename(tmp_path / "a")

    assert waited(watched, LONG)
    assert not waited(watched, 0.1)


def test_reading_and_writing_without_end_do_not_end_it(watched: Changes, tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb", buffering=0) as file:
        watched.wait(Stop(), 0)
        file.write(b"x")  # not closed yet, so not durable yet
        (tmp_path / "a").read_bytes()

        assert not waited(watched, 0.1)
    assert waited(watched, LONG)


def test_a_file_itself_is_watched(tmp_path: Path) -> None:
    (tmp_path / "wanted").touch()
    seen = Changes({tmp_path / "wanted": Kind.MODIFIED})
    seen.wait(Stop(), 0)
    with (tmp_path / "wanted").open("rb+") as file:
        os.pwrite(file.fileno(), b".", 0)

        assert waited(seen, LONG)
    seen.close()


def test_a_place_that_is_not_there_is_looked_for_and_then_watched(tmp_path: Path) -> None:
    seen = Changes({tmp_path / "later": Kind.PLACED})

    assert waited(seen, LONG), f"at most {BLIND_SECONDS} s"
    (tmp_path / "later").mkdir()
    assert waited(seen, LONG)
    assert not waited(seen, 2 * BLIND_SECONDS), "now it is watched"
    seen.close()


def test_a_place_that_is_removed_ends_the_wait_and_is_looked_for(watched: Changes, tmp_path: Path) -> None:
    tmp_path.rmdir()
    assert waited(watched, LONG)
    tmp_path.mkdir()
    assert waited(watched, LONG)

    (tmp_path / "a").write_text("x")

    assert waited(watched, LONG)


def test_a_stop_ends_it(watched: Changes) -> None:
    stop = Stop()
    stop.ask()

    assert waited(watched, LONG, stop)


def test_without_inotify_it_looks_again_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def inotify_init1(self, _: int) -> int:
            ctypes.set_errno(24)
            return -1

    monkeypatch.setattr(changes, "_LIBC", Without())
    seen = Changes({tmp_path: Kind.WRITTEN})

    assert waited(seen, LONG)
