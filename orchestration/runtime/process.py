"""Start a process in its own group, with a log file, ended when its parent ends, optionally without root."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestration.runtime.errors import RuntimeProblem

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_NOBODY = 65534
_POLL_SECONDS = 0.02
_LIBC = ctypes.CDLL(None, use_errno=True)


def _enter_user_namespace() -> None:
    """Become uid 65534 of a new user namespace that maps to the caller outside.

    Postgres refuses to run as root; its files still belong to the caller.
    """
    uid, gid = os.geteuid(), os.getegid()
    if _LIBC.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER) refused")
    for name, text in (("setgroups", "deny"), ("gid_map", f"{_NOBODY} {gid} 1"), ("uid_map", f"{_NOBODY} {uid} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def _before_exec(
    *, drop_root: bool, death_signal: signal.Signals | None, parent: int, niceness: int = 0
) -> Callable[[], None]:
    def prepare() -> None:
        os.nice(niceness)
        if drop_root and os.geteuid() == 0:
            _enter_user_namespace()
        if death_signal is not None:
            # Both are inherited: from a shell's background job, or from a library that blocks signals while it works.
            signal.signal(death_signal, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {death_signal})
            # After the namespace, because a change of credentials clears it. The signal comes when the parent *thread*
            # ends, so spawn from a thread that keeps running.
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # the parent died between fork and prctl
                os._exit(1)

    return prepare


def tied_to_us() -> Callable[[], None]:
    """A `preexec_fn` for a command that this process waits for: it gets SIGTERM when this process ends."""
    return _before_exec(drop_root=False, death_signal=signal.SIGTERM, parent=os.getpid())


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    cwd: Path | None = None,
    drop_root: bool = False,
    death_signal: signal.Signals | None = signal.SIGTERM,
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """Start `argv` in its own process group (its pid is the group id), stdin closed, both outputs appended to
    `log`.

    `death_signal` reaches the child when the calling thread ends, so a killed parent leaves no children; None turns
    this off. `drop_root` runs it in a user namespace when the caller is root, and does nothing otherwise. `niceness` is
    added to the caller's.
    Raises: RuntimeProblem when user namespaces are forbidden.
    """
    output = subprocess.DEVNULL if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            list(argv),
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=_before_exec(  # noqa: PLW1509 - one thread forks
                drop_root=drop_root, death_signal=death_signal, parent=os.getpid(), niceness=niceness
            ),
        )
    except subprocess.SubprocessError as error:
        raise namespace_problem(argv[0]) from error
    finally:
        if output != subprocess.DEVNULL:
            os.close(output)


def spawn_until_ready(
    argv: Sequence[str],
    ready: Callable[[], bool],
    *,
    timeout: float,
    log: Path | None,
    drop_root: bool = False,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """`spawn`, and return once `ready` returns true.

    Raises: RuntimeProblem when it ends before or takes longer than `timeout` seconds; then it is killed.
    """
    process = spawn(argv, log=log, drop_root=drop_root, death_signal=death_signal)
    deadline = time.monotonic() + timeout
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            raise RuntimeProblem(f"{Path(argv[0]).name} did not start; its log is {log}")
        time.sleep(_POLL_SECONDS)
    return process


def run_to_end(argv: Sequence[str], *, drop_root: bool, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a short command as `spawn` would and return its output; the caller reads the exit status."""
    try:
        return subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            preexec_fn=_before_exec(drop_root=drop_root, death_signal=None, parent=os.getpid()),
        )
    except subprocess.SubprocessError as error:
        if isinstance(error, subprocess.TimeoutExpired):
            raise RuntimeProblem(f"{argv[0]} did not finish within {timeout:.0f} s") from error
        raise namespace_problem(argv[0]) from error


def namespace_problem(program: str) -> RuntimeProblem:
    """The error for machines that forbid user namespaces to root (containers with a strict seccomp profile)."""
    return RuntimeProblem(
        f"cannot start {Path(program).name} as root: Postgres refuses root and this machine forbids user namespaces."
        " Run as an ordinary user, allow unshare (docker: --security-opt seccomp=unconfined), or set DATABASE_URL to a"
        " server of yours."
    )
