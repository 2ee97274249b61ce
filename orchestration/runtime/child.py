"""One supervised process, as a state machine that the supervisor's loop advances."""

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

from orchestration.runtime.health import Health
from orchestration.runtime.layout import Layout
from orchestration.runtime.process import spawn
from orchestration.runtime.services import NICENESS, Service
from orchestration.runtime.state import Record, start_time_of, write_record

# A process that starts is asked after half of the time that it has taken so far: a fast one is seen at once, a slow one
# is not slowed by being asked. A healthy one is asked seldom: that it ends is heard at once, and whether it works is
# also what `status` asks.
_SOONEST_CHECK_SECONDS, _FIRST_CHECKS_SECONDS, _LATER_CHECKS_SECONDS = 0.05, 0.4, 20.0
_LONGEST_BACKOFF_SECONDS = 30.0
_CALM_SECONDS = 60.0  # after this long healthy, earlier crashes do not count
_ONCE_ATTEMPTS = 3  # a migration may lose a lock; a third failure is final


class Child:
    """Only the supervisor's main thread calls these methods: a child ends with the thread that started it."""

    def __init__(
        self,
        service: Service,
        layout: Layout,
        environment: dict[str, str],
        cwd: Path,
        pool: Executor,
        *,
        answered: Callable[[object], None],
    ) -> None:
        """`answered` is called from the pool's threads when a tick has something to see."""
        self.service, self._layout, self._cwd, self._pool, self._answered = service, layout, cwd, pool, answered
        self._environment = {**environment, **service.env}
        self.state, self.message = "waiting", ""
        self.restarts = 0
        self.was_healthy = False
        self._process: subprocess.Popen[bytes] | None = None
        self._preparing: Future[None] | None = None
        self._checking: Future[Health] | None = None
        self._failures = 0
        self._not_before = self._next_check = self._since = 0.0
        self._kill_at: float | None = None
        self._written: Record | None = None
        self._write_again = math.inf

    @property
    def running(self) -> bool:
        """Whether a process exists that has not been reaped."""
        return self._process is not None

    @property
    def satisfied(self) -> bool:
        """Whether services after this one may start."""
        return self.was_healthy

    def tick(self, now: float, *, may_start: bool) -> None:
        """Advance one step: reap, prepare, start or check. Never blocks."""
        if self._process is not None:
            if self._ended(self._process):
                self._after_exit(now, self._process.wait())
            else:
                self._check(now)
        elif self.state in {"waiting", "restarting"} and may_start and now >= self._not_before:
            self._prepare_then_start(now)
        self.publish()

    def due(self, *, may_start: bool) -> float:
        """When the next tick has something to do, if no process ends and nothing answers before."""
        if self._process is not None and not self.service.once and self._checking is None:
            return min(self._next_check, self._write_again)
        if self._process is None and self.state in {"waiting", "restarting"} and may_start and self._preparing is None:
            return min(self._not_before, self._write_again)
        return self._write_again

    def _prepare_then_start(self, now: float) -> None:
        if self.service.prepare is not None:
            if self._preparing is None:
                self._preparing = self._pool.submit(self.service.prepare)
                self._preparing.add_done_callback(self._answered)
            if not self._preparing.done():
                return
            problem, self._preparing = self._preparing.exception(), None
            if problem is not None:
                self._fail(now, str(problem))
                return
        try:
            self._process = spawn(
                self.service.argv,
                env=self._environment,
                log=self._layout.log(self.service.name),
                cwd=self._cwd,
                drop_root=self.service.drop_root,
                death_signal=self.service.stop_signal,
                niceness=NICENESS.get(self.service.name, 0),
            )
        except Exception as problem:  # noqa: BLE001 - a service that cannot start must not end the supervisor
            self._fail(now, str(problem))
            return
        self.state, self.message = "starting", ""
        self._since, self._next_check = now, now

    def _fail(self, now: float, why: str) -> None:
        self._failures += 1
        self.restarts += 1
        self.message = why
        self._not_before = now + min(_LONGEST_BACKOFF_SECONDS, 0.5 * 2 ** (self._failures - 1))
        self.state = "failed" if self.service.once and self._failures >= _ONCE_ATTEMPTS else "restarting"

    def _ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it exited. Kills its group before it is reaped.

        Until the leader is reaped, no other process can get the group's number.
        """
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return True

    def _after_exit(self, now: float, status: int) -> None:
        self._process, self._checking = None, None
        if self._kill_at is not None:
            self.state, self.message = "stopped", ""
        elif self.service.once and status == 0:
            self.state, self.message, self.was_healthy = "done", "", True
        else:
            if self.was_healthy and now - self._since > _CALM_SECONDS:
                self._failures = 0
            self._fail(
                now, f"killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
            )

    def _check(self, now: float) -> None:
        if self.service.once or self._process is None:
            return
        if self._checking is None:
            if now >= self._next_check:
                self._checking = self._pool.submit(self.service.check, self._process.pid)
                self._checking.add_done_callback(self._answered)
            return
        if not self._checking.done():
            return
        health, self._checking = self._checking.result(), None
        if health.ok:
            self.state, self.message, self.was_healthy = "healthy", "", True
        elif self.was_healthy and self.state != "starting":
            self.state, self.message = "unhealthy", health.detail
        else:
            late = now - self._since > self.service.start_seconds
            self.state, self.message = "failed" if late else "starting", health.detail
        soon = min(max((now - self._since) / 2, _SOONEST_CHECK_SECONDS), _FIRST_CHECKS_SECONDS)
        self._next_check = now + (_LATER_CHECKS_SECONDS if health.ok else soon)

    def ask_to_stop(self, now: float) -> None:
        """Signal it once; `enforce_stop` kills it after the grace period."""
        if self._process is None:
            self.state = "stopped"
        elif self._kill_at is None:
            self._kill_at = now + self.service.grace_seconds
            self.state = "stopping"
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self.service.stop_signal)
        self.publish()

    def enforce_stop(self, now: float) -> None:
        """Reap it if it ended; kill its group if the grace period is over."""
        if self._process is None:
            return
        if not self._ended(self._process) and self._kill_at is not None and now > self._kill_at:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._kill_at = now + 5.0
        if self._ended(self._process):
            self._after_exit(now, self._process.wait())
            self.publish()

    def publish(self) -> None:
        """Write run/<service>.json when something changed. A full disk does not stop the supervisor."""
        pid = None if self._process is None else self._process.pid
        if self._written is not None and (
            self._written.pid,
            self._written.state,
            self._written.message,
            self._written.restarts,
        ) == (*(pid, self.state, self.message, self.restarts),):
            return
        started = None if pid is None else start_time_of(pid)
        record = Record(self.service.name, self.state, pid, started, self.service.url, self.restarts, self.message)
        self._write_again = now() + _LONGEST_BACKOFF_SECONDS
        with contextlib.suppress(OSError):
            write_record(self._layout, record)
            self._written, self._write_again = record, math.inf


def now() -> float:
    """Seconds on the monotonic clock."""
    return time.monotonic()
