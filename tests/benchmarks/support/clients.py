"""`python -m tests.benchmarks.support.clients`: HTTP clients with kept-open connections, in a process of their own.

Reads a plan as JSON from stdin and prints what they saw. One thread and epoll: a request costs some twenty
microseconds, so that two cores are left to the shop. In a closed loop each client sends its next request when the last
one is answered. In an open loop requests are sent at given times, whatever the server does; a wait counts from the time
at which the request should have been sent.
"""

import contextlib
import gc
import json
import resource
import select
import socket
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from tests.benchmarks.support.http import Request, complete, header_of, read_requests, status_of
from tests.benchmarks.support.load import arrivals

DRAIN_SECONDS = 60.0
MAX_CONNECTIONS = 256
KEPT_WRONG = 5


@dataclass(frozen=True)
class Plan:
    """`rate` 0: a closed loop of `clients` for `seconds`, or until the requests are used up. `repeat`: they are used
    again from the first one on. With a `rate`: an open loop of that many requests a second.

    `expected`: status and text of a right answer, by kind.
    """

    port: int
    requests: str
    kinds: list[str]
    expected: dict[str, tuple[int, str]]
    clients: int
    seconds: float
    rate: float = 0.0
    repeat: bool = False


@dataclass
class Outcome:
    """What the clients saw; the fields are those of `Load`."""

    seconds: float = 0.0
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    errors: int = 0
    retries: int = 0
    caches: Counter[str] = field(default_factory=Counter)
    body_bytes: int = 0
    cpu: float = 0.0


@dataclass(eq=False)
class Connection:
    """One connection; `used` when an earlier request was answered on it."""

    socket: socket.socket
    request: Request | None = None
    due: float = 0.0
    got: bytes = b""
    used: bool = False


class Clients:
    """All connections of one run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcome = Outcome()
        self.expected = {kind: (status, text.encode()) for kind, (status, text) in plan.expected.items()}
        requests = list(read_requests(Path(plan.requests), plan.kinds))
        self.requests: Iterator[Request] = cycle(requests) if plan.repeat else iter(requests)
        self.poll = select.epoll()
        self.connections: dict[int, Connection] = {}
        self.cpu_before = _cpu()

    def connect(self) -> Connection:
        made = socket.create_connection(("127.0.0.1", self.plan.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(made)
        self.connections[made.fileno()] = connection
        self.poll.register(made.fileno(), select.EPOLLIN)
        return connection

    def forget(self, connection: Connection) -> None:
        self.poll.unregister(connection.socket.fileno())
        del self.connections[connection.socket.fileno()]
        connection.socket.close()

    def send(self, connection: Connection, request: Request, due: float) -> None:
        connection.request, connection.due, connection.got = request, due, b""
        with contextlib.suppress(OSError):  # the server has closed it: epoll says so next
            connection.socket.sendall(request.raw)

    def receive(self, connection: Connection) -> Connection | None:
        """Read what has arrived. Returns the connection when it is free again: its answer is whole, or it was lost."""
        try:
            data = connection.socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        if not data:
            return self.lost(connection)
        connection.got = connection.got + data if connection.got else data
        if not complete(connection.got):
            return None
        answer, request = connection.got, connection.request
        if request is None:  # an answer that nobody asked for
            return self.lost(connection)
        self.outcome.waits[request.kind].append(round((time.perf_counter() - connection.due) * 1000, 3))
        self.outcome.body_bytes += len(answer)
        self.judge(request, answer)
        connection.request, connection.got, connection.used = None, b"", True
        if b"\r\nconnection: close" in answer[:1024].lower():
            self.forget(connection)
            return self.connect()
        return connection

    def judge(self, request: Request, answer: bytes) -> None:
        status, text = self.expected[request.kind]
        got = status_of(answer)
        self.outcome.statuses[str(got)] += 1
        self.outcome.caches[header_of(answer, b"cache-status") or "none"] += 1
        if got != status or text not in answer:
            self.outcome.errors += 1
            if len(self.outcome.wrong) < KEPT_WRONG:
                self.outcome.wrong.append(f"{request.kind}: {answer[:2000].decode(errors='replace')}")

    def lost(self, connection: Connection) -> Connection | None:
        """The server closed the connection. A kept-open one may be closed while a request is on its way: it is sent
        again once, as browsers do. None while that is on its way."""
        request, due, again = connection.request, connection.due, connection.used and not connection.got
        self.forget(connection)
        if request is None:
            return self.connect()
        if again:
            self.outcome.retries += 1
            self.send(self.connect(), request, due)
            return None
        self.outcome.errors += 1
        self.outcome.statuses["closed"] += 1
        self.outcome.waits[request.kind].append(round((time.perf_counter() - due) * 1000, 3))
        return self.connect()

    def closed_loop(self) -> None:
        began = time.perf_counter()
        deadline, waiting = began + self.plan.seconds, 0
        for connection in [self.connect() for _ in range(self.plan.clients)]:
            if self.send_next(connection, deadline):
                waiting += 1
        while waiting and time.perf_counter() < deadline + DRAIN_SECONDS:
            for number, _ in self.poll.poll(1.0):
                free = self.receive(self.connections[number])
                if free is not None and not self.send_next(free, deadline):
                    self.forget(free)
                    waiting -= 1
        self.finish(began, waiting)

    def send_next(self, connection: Connection, deadline: float) -> bool:
        """False when the time is over or the requests are used up."""
        now = time.perf_counter()
        request = next(self.requests, None) if now < deadline else None
        if request is not None:
            self.send(connection, request, now)
        return request is not None

    def open_loop(self) -> None:
        times = deque(arrivals(self.plan.rate, self.plan.seconds))
        late: deque[tuple[Request, float]] = deque()
        free: list[Connection] = []
        began = time.perf_counter()
        deadline = began + self.plan.seconds + DRAIN_SECONDS
        while (times or late or len(free) < len(self.connections)) and time.perf_counter() < deadline:
            now = time.perf_counter()
            while times and began + times[0] <= now:
                late.append((next(self.requests), began + times.popleft()))
            while late and (free or len(self.connections) < MAX_CONNECTIONS):
                self.send(free.pop() if free else self.connect(), *late.popleft())
            for number, _ in self.poll.poll(max(began + times[0] - time.perf_counter(), 0.0) if times else 0.1):
                connection = self.connections[number]
                if connection in free:  # closed by the server while idle
                    free.remove(connection)
                    self.forget(connection)
                elif (answered := self.receive(connection)) is not None:
                    free.append(answered)
        self.finish(began, len(self.connections) - len(free) + len(late))

    def finish(self, began: float, unanswered: int) -> None:
        self.outcome.seconds = time.perf_counter() - began
        self.outcome.errors += unanswered
        if unanswered:
            self.outcome.statuses["unanswered"] += unanswered
        self.outcome.cpu = _cpu() - self.cpu_before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the plan on stdin."""
    clients = Clients(Plan(**json.load(sys.stdin)))
    gc.freeze()
    gc.disable()
    if clients.plan.rate:
        clients.open_loop()
    else:
        clients.closed_loop()
    json.dump(vars(clients.outcome), sys.stdout)


if __name__ == "__main__":
    main()
