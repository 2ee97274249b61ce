"""What a process holds while it runs: a status file for other programs, and a lock that keeps a second one out."""

import fcntl
import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from warehouse.files import replace_file


class AnotherConsumer(RuntimeError):
    """Another process does this work."""


@contextmanager
def only_consumer(lock: Path, work: str) -> Iterator[None]:
    """Held until the process ends, also when it is killed. `work` is what only one may do; raises AnotherConsumer."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AnotherConsumer(f"another process holds {lock}: only one may {work}") from error
        yield


# What says the same as before is written every so many beats.
_UNCHANGED_BEATS = 2


class RenewedFile(ABC):
    """One small JSON file, replaced atomically. A thread renews it between two reports: a long operation does not look
    like a dead process, and a lag grows while nothing else happens.

    No error of the disk leaves `_write`: a full disk must end neither the process nor the thread, and has space again
    later.
    """

    def __init__(self, path: Path, renew_seconds: float) -> None:
        self._path, self._renew_seconds = path, renew_seconds
        self._lock = threading.Lock()
        self._written_at = 0.0
        self._said: Mapping[str, object] | None = None

    @abstractmethod
    def _content(self) -> Mapping[str, object] | None:
        """What the file says now, or None where it must not be renewed. Called with the lock held."""

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the file while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._renew, args=(ended,), name=f"renews {self._path.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(self._renew_seconds):
            with self._lock:
                self._write(again_after=(_UNCHANGED_BEATS - 0.5) * self._renew_seconds)

    def write(self) -> None:
        """Renew the file now."""
        with self._lock:
            self._write()

    def _write(self, *, again_after: float = 0.0) -> None:
        """With the lock held. What was said so many seconds ago or later is not said again."""
        content = self._content()
        if content is None or (content == self._said and time.monotonic() - self._written_at < again_after):
            return
        document = {"pid": os.getpid(), **content, "updatedAt": datetime.now(UTC).isoformat()}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, json.dumps(document), durable=False)
            self._written_at, self._said = time.monotonic(), content


class StatusFile(RenewedFile):
    """A renewed file with what `content` returns, renewed every second."""

    def __init__(self, path: Path, content: Callable[[], Mapping[str, object]]) -> None:
        super().__init__(path, 1.0)
        self._tell = content

    def _content(self) -> Mapping[str, object]:
        return self._tell()
