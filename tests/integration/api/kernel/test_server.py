"""Several workers at one address: connections are spread, a worker that ends is replaced, requests are finished."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.harness.api import PLAIN, ROOT
from tests.harness.ports import free_port

CONNECTIONS = 200
# The kernel chooses by a hash of the addresses, so a worker's share is that of a coin: these are six deviations.
LEAST, MOST = 0.29, 0.71
SERVE = "from api.kernel.server import run_workers; run_workers('tests.harness.who:create_app', {url!r}, {workers})"


class Served:
    """A server in processes of its own."""

    def __init__(self, workers: int, folder: Path, code: str = SERVE, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code.format(url=self.url, workers=workers, port=self.port)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=PLAIN, trust_env=False, timeout=20)

    def ask(self, client: httpx.Client, path: str = "/who") -> int:
        return int(client.get(path).raise_for_status().text)

    def answering(self) -> set[int]:
        """The processes that answer new connections now."""
        seen = set()
        for _ in range(20):
            with self.client() as client, contextlib.suppress(httpx.TransportError):
                seen.add(self.ask(client))
        return seen

    def wait_for(self, workers: int, without: int = 0) -> set[int]:
        """Until that many processes answer and the given one does not."""
        deadline = time.monotonic() + 60
        while len(seen := self.answering()) != workers or without in seen:
            assert time.monotonic() < deadline, f"{seen} answer\n{self.log.read_text()}"
            time.sleep(0.05)
        return seen


@contextlib.contextmanager
def served(workers: int, folder: Path, code: str = SERVE) -> Iterator[Served]:
    server = Served(workers, folder, code)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)


def wait_for_listeners(port: int, count: int) -> None:
    """Until that many sockets listen at the port: the kernel closes those of a killed process after a moment."""
    deadline = time.monotonic() + 10
    while (found := listeners(port)) != count:
        assert time.monotonic() < deadline, f"{found} sockets listen"
        time.sleep(0.01)


def listeners(port: int) -> int:
    """Sockets that listen at the port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A")


def shares(server: Served) -> Counter[int]:
    """Of kept connections, how many each process has: each is asked twice, the second time when all are open."""
    with contextlib.ExitStack() as stack:
        # No httpx: two hundred of its clients take longer than a server keeps an idle connection.
        made = [HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(CONNECTIONS)]
        connections = [stack.enter_context(contextlib.closing(connection)) for connection in made]
        first = [who(connection) for connection in connections]
        assert [who(connection) for connection in connections] == first, "a connection stays with its process"
    return Counter(first)


def who(connection: HTTPConnection) -> int:
    """The process that answers."""
    connection.request("GET", "/who")
    answer = connection.getresponse()
    assert answer.status == 200
    return int(answer.read())


def spread(found: Counter[int]) -> bool:
    """Whether two processes share the connections."""
    return len(found) == 2 and all(LEAST <= count / CONNECTIONS <= MOST for count in found.values())


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(2, tmp_path_factory.mktemp("two")) as server:
        server.wait_for(2)
        yield server


def test_kept_connections_are_spread_over_the_workers(two: Served) -> None:
    found = shares(two)
    assert spread(found), found


@pytest.mark.parametrize("workers", [1, 2])
def test_an_address_that_is_taken_is_not_shared(two: Served, workers: int, tmp_path: Path) -> None:
    other = Served(workers, tmp_path, port=two.port)
    assert other.process.wait(30) == 1
    assert f"AddressInUse: 127.0.0.1:{two.port} cannot be listened on" in other.log.read_text()


def test_a_worker_that_ends_gets_no_connections_and_is_replaced(two: Served) -> None:
    first, second = two.wait_for(2)
    os.kill(first, signal.SIGKILL)
    wait_for_listeners(two.port, 1)
    with two.client() as client:
        assert two.ask(client) == second
    assert second in two.wait_for(2, without=first)


@pytest.mark.parametrize(
    ("workers", "sent"),
    [
        (2, signal.SIGTERM),
        (1, signal.SIGINT),
        pytest.param(1, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_stop_finishes_the_requests_that_have_begun(workers: int, sent: signal.Signals, tmp_path: Path) -> None:
    with served(workers, tmp_path) as server, ThreadPoolExecutor(8) as threads:
        pids = server.wait_for(workers)
        assert spread(shares(server)) == (workers == 2), "one worker that answers everything is no spread"
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.client()) for _ in range(8)]
            for client in clients:
                server.ask(client)
            slow = [threads.submit(server.ask, client, "/slow") for client in clients]
            time.sleep(0.2)
            server.process.send_signal(sent)
            assert {future.result() for future in slow} <= pids
        server.process.wait(10)
        with server.client() as client, pytest.raises(httpx.ConnectError):
            server.ask(client)
