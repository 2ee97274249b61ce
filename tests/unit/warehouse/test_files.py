"""Replacing a file: the old content or the new one, never half of it, and nothing left behind."""

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from warehouse import files
from warehouse.files import move_into_place, read_json, replace_file


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced and renamed, in order."""
    made: list[str] = []
    rename = Path.replace

    def sync(path: Path) -> None:
        assert path.exists()
        made.append(f"sync {'folder' if path.is_dir() else 'file'}")

    def replace(source: Path, target: Path) -> Path:
        assert source.parent == target.parent
        made.append("rename")
        return rename(source, target)

    monkeypatch.setattr(files, "sync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    return made


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_content_is_durable_before_the_name_and_the_name_after_it(tmp_path: Path, calls: list[str]) -> None:
    path = tmp_path / "config.json"
    replace_file(path, "ü")
    assert path.read_bytes() == b"\xc3\xbc"
    assert calls == ["sync file", "rename", "sync folder"]
    replace_file(path, b"two", durable=False)
    assert path.read_bytes() == b"two"
    assert calls[3:] == ["rename"]
    assert _names(tmp_path) == ["config.json"]


def test_sync_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    path = tmp_path / "a"
    replace_file(path, "x")
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]


def test_the_mode_is_set_before_there_is_content(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "secret", "s", mode=0o600)
        replace_file(tmp_path / "open", "o")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("secret", "open")] == [0o600, 0o644]


@pytest.mark.parametrize("step", ["write", "sync file", "rename"])
def test_a_failure_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def open_on_full_disk(handle: int, mode: str) -> BinaryIO:
        os.close(handle)
        return Path("/dev/full").open("wb", buffering=0)

    if step == "write":
        monkeypatch.setattr(os, "fdopen", open_on_full_disk)
    elif step == "sync file":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["state.json"]


def test_an_interruption_leaves_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a", "x")
    assert _names(tmp_path) == []


def test_what_another_library_wrote_is_moved_the_same_way(tmp_path: Path, calls: list[str]) -> None:
    finished = tmp_path / "marts.part"
    finished.write_text("new")
    move_into_place(finished, tmp_path / "marts")
    assert calls == ["sync file", "rename", "sync folder"]
    assert (tmp_path / "marts").read_text() == "new"


@pytest.mark.parametrize(
    ("content", "found"), [(b'{"a": 1}', {"a": 1}), (b"[1]", {}), (b'{"a"', {}), (b"\xff", {}), (None, {})]
)
def test_a_report_that_cannot_be_read_is_empty(content: bytes | None, found: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)

    assert read_json(path) == found
