"""The spool's files: bounded, renamed before they are drained, never half a line."""

import errno
import json
import os
from pathlib import Path

import pytest

from api.events import spool

ROOM = 1_000_000
ENTRIES = [{"type": "view", "n": str(n)} for n in range(3)]


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_entries_are_lines_in_their_order(tmp_path: Path) -> None:
    assert spool.append(tmp_path / "new", ENTRIES[:2], ROOM) == 2
    assert spool.append(tmp_path / "new", ENTRIES[2:], ROOM) == 1

    assert lines(tmp_path / "new" / "behaviour.jsonl") == ENTRIES


def test_what_does_not_fit_under_the_bound_is_not_written(tmp_path: Path) -> None:
    one = len(json.dumps(ENTRIES[0], separators=(",", ":"))) + 1

    assert spool.append(tmp_path, ENTRIES, 2 * one) == 2
    assert spool.append(tmp_path, ENTRIES[2:], 2 * one) == 0
    assert lines(tmp_path / "behaviour.jsonl") == ENTRIES[:2]


def test_files_that_wait_to_be_drained_count_against_the_bound(tmp_path: Path) -> None:
    one = len(json.dumps(ENTRIES[0], separators=(",", ":"))) + 1
    spool.append(tmp_path, ENTRIES[:1], ROOM)
    spool.waiting(tmp_path)

    assert spool.append(tmp_path, ENTRIES[1:], 2 * one) == 1


def test_a_write_that_a_full_disk_cuts_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.append(tmp_path, ENTRIES[:1], ROOM)
    write = os.write

    def cut(descriptor: int, data: memoryview) -> int:
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) - 5])

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", cut)
        with pytest.raises(OSError, match="No space"):
            spool.append(tmp_path, ENTRIES[1:], ROOM)
    spool.append(tmp_path, ENTRIES[2:], ROOM)

    assert lines(tmp_path / "behaviour.jsonl") == [ENTRIES[0], ENTRIES[2]]


def test_the_file_that_is_written_is_renamed_first_and_a_new_one_begins(tmp_path: Path) -> None:
    assert spool.waiting(tmp_path) == []
    spool.append(tmp_path, ENTRIES[:1], ROOM)

    [first] = spool.waiting(tmp_path)
    spool.append(tmp_path, ENTRIES[1:], ROOM)

    assert not first.name.endswith(".jsonl")
    assert lines(first) == ENTRIES[:1]
    assert lines(tmp_path / "behaviour.jsonl") == ENTRIES[1:]


def test_files_come_oldest_first(tmp_path: Path) -> None:
    for entry in ENTRIES:
        spool.append(tmp_path, [entry], ROOM)
        spool.waiting(tmp_path)

    assert [lines(path) for path in spool.waiting(tmp_path)] == [[entry] for entry in ENTRIES]


class Stream:
    """What the drainer asks of Redis, kept in memory; `dies` before the batch with this number."""

    def __init__(self, dies: int | None = None) -> None:
        self.offsets: dict[str, int] = {}
        self.sent: list[dict[str, str]] = []
        self.dies = dies
        self.batches = 0
        self._staged: list[dict[str, str]] = []
        self._offset: tuple[str, int] | None = None

    async def get(self, key: str) -> int | None:
        return self.offsets.get(key)

    async def delete(self, key: str) -> None:
        del self.offsets[key]

    def pipeline(self, *, transaction: bool) -> "Stream":
        assert transaction
        self._staged, self._offset = [], None
        return self

    def xadd(self, stream: str, fields: dict[str, str], **bounds: object) -> None:
        self._staged.append(fields)

    def set(self, key: str, offset: int, **expiry: object) -> None:
        self._offset = (key, offset)

    async def execute(self) -> None:
        if self.batches == self.dies:
            raise ConnectionError("the drainer died")
        self.batches += 1
        self.sent += self._staged
        assert self._offset is not None
        self.offsets[self._offset[0]] = self._offset[1]


async def test_a_drainer_that_died_is_continued_without_gap_or_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BATCH", 2)
    many = [{"type": "view", "n": str(n)} for n in range(7)]
    spool.append(tmp_path, many, ROOM)
    [path] = spool.waiting(tmp_path)
    stream = Stream(dies=2)

    with pytest.raises(ConnectionError):
        await spool.drain(stream, path, ROOM)  # type: ignore[arg-type]  # the part of Redis that it uses
    assert stream.sent == many[:4]
    stream.dies = None
    assert await spool.drain(stream, path, ROOM) == 3  # type: ignore[arg-type]  # as above

    assert stream.sent == many
    assert not path.exists()
    assert stream.offsets == {}


async def test_a_line_that_was_cut_off_is_not_sent(tmp_path: Path) -> None:
    spool.append(tmp_path, ENTRIES[:1], ROOM)
    [path] = spool.waiting(tmp_path)
    with path.open("a") as file:
        file.write('{"type": "vi')
    stream = Stream()

    assert await spool.drain(stream, path, ROOM) == 1  # type: ignore[arg-type]  # the part of Redis that it uses
    assert stream.sent == ENTRIES[:1]


async def test_a_line_of_other_bytes_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    spool.append(tmp_path, ENTRIES[:1], ROOM)
    [path] = spool.waiting(tmp_path)
    with path.open("ab") as file:
        file.write(b"\x00\x00\x00\n" + json.dumps(ENTRIES[1]).encode() + b"\n")
    stream = Stream()

    assert await spool.drain(stream, path, ROOM) == 2  # type: ignore[arg-type]  # the part of Redis that it uses
    assert stream.sent == ENTRIES[:2]
    assert not path.exists()


async def test_only_what_the_stream_has_room_for_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BATCH", 2)
    many = [{"type": "view", "n": str(n)} for n in range(5)]
    spool.append(tmp_path, many, ROOM)
    [path] = spool.waiting(tmp_path)
    stream = Stream()

    assert await spool.drain(stream, path, 3) == 2  # type: ignore[arg-type]  # as above
    assert path.exists()
    assert await spool.drain(stream, path, 3) == 3  # type: ignore[arg-type]  # as above
    assert stream.sent == many
