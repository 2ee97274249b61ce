"""Serves an ASGI application over HTTP with several processes, each with its own queue of connections.

Connections that wait in one queue are taken by whichever worker wakes first, as many as there are, so that most of the
clients that keep their connection end up with one worker. With SO_REUSEPORT the kernel spreads new connections over the
sockets of all workers. A worker listens when it has started, and a worker that ended gets no connections.
"""

import contextlib
import select
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from uvicorn.supervisors import multiprocess

from api.kernel.quiet_server import QuietServer, serve

GRACE_SECONDS = 10
# How often a worker is asked whether it answers. One that ends says so itself.
_ASK_SECONDS = 5.0


class AddressInUse(Exception):
    """Another program listens at the address."""


class WorkerSocket(socket.socket):
    """A bound socket with SO_REUSEPORT. Sent to another process it is bound again there, as that process's own.

    The parent's keeps the port for the user's processes; it never listens, so it gets no connections.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._place = (host, port)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.bind(self._place)

    def __reduce__(self) -> tuple[type["WorkerSocket"], tuple[str, int]]:
        return WorkerSocket, self._place


class ShopServer(QuietServer):
    """Says that it was told to end before it waits for the requests that have begun: some last until somebody ends
    them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            for call in _stopping:
                self._loop.call_soon_threadsafe(call)


_stopping: list[Callable[[], None]] = []


@contextlib.contextmanager
def when_stopping(call: Callable[[], None]) -> Iterator[None]:
    """Meanwhile, call it in this process when the server is told to end."""
    _stopping.append(call)
    try:
        yield
    finally:
        _stopping.remove(call)


class Worker(multiprocess.Process):
    """A process of `Workers`."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = ShopServer(self.config)
        return self._server


class Workers(multiprocess.Multiprocess):
    """uvicorn's processes. Signals wake the parent, also that of a worker that ended; uvicorn's own looks twice a
    second."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._wakes, woken = socket.socketpair()
        for end in (self._wakes, woken):
            end.setblocking(False)
        self._woken = woken
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        multiprocess.Process = Worker  # type: ignore[misc]  # the class that its methods make workers of
        self.init_processes()
        while not self.should_exit.is_set():
            select.select([self._woken], [], [], _ASK_SECONDS)
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)
            self.handle_signals()
            self.keep_subprocess_alive()
        self.terminate_all()
        self.join_all()


def run_workers(application: str, url: str, workers: int) -> None:
    """Serve what the factory named by `application` makes at `url`, until SIGTERM or SIGINT; requests that have begun
    are finished. A worker that ends is replaced. Raises: AddressInUse."""
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    config = uvicorn.Config(
        application,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    _require_free(host, port)
    if workers == 1:
        serve(config, ShopServer)
    else:
        Workers(config, [WorkerSocket(host, port)]).run()


def _require_free(host: str, port: int) -> None:
    """With SO_REUSEPORT alone two shops of one user would share a port, and each other's customers."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressInUse(f"{host}:{port} cannot be listened on: {error.strerror}") from error
