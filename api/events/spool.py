"""The spool of behaviour events while Redis is unavailable: bounded files of JSON
lines, drained into the stream exactly once.

A writer appends under a file lock and checks that the file still has its name; a drainer renames the file first and
then takes the lock. So no line is appended to a file that is being drained, and no half-written line is drained.
"""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import orjson
from redis.asyncio import Redis
from redis.typing import EncodableT

from api.events.stream import STREAM, Entry
from api.kernel.logs import get_logger

log = get_logger(__name__)

BATCH = 500
_OFFSET_SECONDS = 24 * 3600


def append(folder: Path, entries: Sequence[Entry], max_bytes: int) -> int:
    """Append the entries that fit under the bound; returns how many. Raises: OSError when the write fails.

    A write is whole or not at all, also on a disk that becomes full under it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = max_bytes - size(folder)
    lines: list[bytes] = []
    for entry in entries:
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    if lines:
        _append(folder / "behaviour.jsonl", b"".join(lines))
    return len(lines)


def size(folder: Path) -> int:
    """Bytes that wait."""
    return sum(_bytes_of(path) for path in folder.glob("behaviour*"))


def holds_events(folder: Path) -> bool:
    """Whether anything waits; renames nothing."""
    return any(folder.glob("behaviour*"))


def waiting(folder: Path) -> list[Path]:
    """The files to drain, oldest first; renames the file that is being written, if there is one."""
    active = folder / "behaviour.jsonl"
    if active.exists():
        active.rename(folder / f"behaviour-{active.stat().st_mtime_ns:020d}.draining")
    return sorted(folder.glob("behaviour-*.draining"))


async def drain(redis: Redis, path: Path, room: int) -> int:
    """Send at most `room` of a renamed file's lines, and delete it when all are sent; returns how many were sent.

    The position advances in the same Redis transaction as the entries, so a crash causes neither gaps nor repeats.
    """
    offset_key = f"souk:spool:{path.name}"
    offset, sent = int(await redis.get(offset_key) or 0), 0
    for batch in await asyncio.to_thread(_batches, path, offset):
        if sent + len(batch) > room:
            return sent
        pipeline = redis.pipeline(transaction=True)
        for line in batch:
            offset += len(line)
            if fields := _fields(line):
                pipeline.xadd(STREAM, fields)
                sent += 1
        pipeline.set(offset_key, offset, ex=_OFFSET_SECONDS)
        await pipeline.execute()
    await asyncio.to_thread(path.unlink)
    await redis.delete(offset_key)
    return sent


def _append(path: Path, data: bytes) -> None:
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                same = os.fstat(descriptor).st_ino == path.stat().st_ino
            except FileNotFoundError:
                same = False
            if same:
                _write(descriptor, data)
                return
        finally:
            os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    """All of it, or nothing: half a line would spoil the one that is appended after it."""
    before, left = os.fstat(descriptor).st_size, memoryview(data)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # drained meanwhile
        return 0


def _fields(line: bytes) -> dict[EncodableT, EncodableT]:
    """The entry of a line; nothing when a power cut left other bytes there."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        log.exception("a line of the spool is no event", line=repr(line[:200]))
        return {}
    return dict(found)


def _batches(path: Path, offset: int) -> list[list[bytes]]:
    with path.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(offset)
        lines = [line for line in handle if line.endswith(b"\n")]
    return [lines[i : i + BATCH] for i in range(0, len(lines), BATCH)]
