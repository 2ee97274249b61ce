"""Waiting until other processes change files: Linux' inotify, without a poll.

What it cannot see (a folder that is not there yet, a machine without inotify) is waited for by looking again soon.
"""

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from enum import IntFlag
from pathlib import Path

from warehouse.logs import get_logger
from warehouse.stop import Stop

log = get_logger(__name__)
# How soon it looks again where it cannot see.
BLIND_SECONDS = 0.25
_LIBC = ctypes.CDLL(None, use_errno=True)
_EVENT = struct.Struct("iIII")
_GONE = 0x8000 | 0x0400 | 0x0800  # IN_IGNORED, IN_DELETE_SELF, IN_MOVE_SELF


class Kind(IntFlag):
    """What may happen to a folder, or to a file that is watched itself."""

    WRITTEN = 0x0008  # IN_CLOSE_WRITE: a file that was open for writing is closed
    PLACED = 0x0080  # IN_MOVED_TO: a file, folder or link was renamed into the folder
    MODIFIED = 0x0002  # IN_MODIFY: bytes of a file were written


class Changes:
    """`places`: folders or files, each with the kinds of change that end a wait."""

    def __init__(self, places: Mapping[Path, Kind]) -> None:
        self._places = dict(places)
        self._watched: dict[int, Path] = {}
        self._told: set[Path] = set()
        self._inotify = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._inotify < 0:
            log.warning("changes of files are polled", reason=os.strerror(ctypes.get_errno()))

    def close(self) -> None:
        """Give the kernel back what it keeps for this."""
        if self._inotify >= 0:
            os.close(self._inotify)
            self._inotify = -1

    def __del__(self) -> None:
        self.close()

    def wait(self, stop: Stop, seconds: float) -> None:
        """Until something changes that no earlier wait has seen; at most so long, and not after `stop`.

        A change that comes between a look of the caller and this call ends the wait at once. Where a place is new or
        not there, the wait is short.
        """
        if not self._watch_all():
            seconds = min(seconds, BLIND_SECONDS)
        seen = [] if self._inotify < 0 else [self._inotify]
        stop.wait(seconds, seen)
        self._forget_gone()

    def _watch_all(self) -> bool:
        """Whether every place was watched already."""
        missing = set(self._places) - set(self._watched.values())
        for place in missing if self._inotify >= 0 else ():
            number = _LIBC.inotify_add_watch(self._inotify, os.fsencode(place), int(self._places[place]) | _GONE)
            if number >= 0:
                self._watched[number] = place
            elif ctypes.get_errno() not in (errno.ENOENT, errno.ENOTDIR) and place not in self._told:
                self._told.add(place)
                log.warning("a place is polled", place=str(place), reason=os.strerror(ctypes.get_errno()))
        return not missing

    def _forget_gone(self) -> None:
        """Take in what has happened. A place that was removed or moved away is looked for again."""
        while data := self._read():
            at = 0
            while at < len(data):
                number, mask, _, size = _EVENT.unpack_from(data, at)
                at += _EVENT.size + size
                if mask & _GONE and self._watched.pop(number, None) is not None:
                    _LIBC.inotify_rm_watch(self._inotify, number)

    def _read(self) -> bytes:
        if self._inotify < 0:
            return b""
        with contextlib.suppress(BlockingIOError):
            return os.read(self._inotify, 65_536)
        return b""
