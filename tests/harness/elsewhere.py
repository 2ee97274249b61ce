"""Another shop's server, which sellers name pictures of."""

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = tuple[int, Mapping[str, str], bytes]
NOTHING: Answer = (404, {}, b"secret of a private server")


@dataclass(slots=True)
class Elsewhere:
    """`answers` by path, which a test may change; others are not there. `slow`: seconds before an answer, by path."""

    answers: MutableMapping[str, Answer]
    slow: MutableMapping[str, float]
    host: str = ""
    asked: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def times(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(self.asked)

    def begun(self, path: str) -> None:
        with self._lock:
            self.asked.append(path)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        time.sleep(self.slow.get(path, 0))

    def ended(self) -> None:
        with self._lock:
            self._open -= 1


@contextmanager
def elsewhere(answers: MutableMapping[str, Answer], slow: MutableMapping[str, float]) -> Iterator[Elsewhere]:
    """A server of its own, on a free port of this machine."""
    other = Elsewhere(answers, slow)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            other.begun(self.path)
            try:
                self._answer(*other.answers.get(self.path, NOTHING))
            finally:
                other.ended()

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            endless = "Transfer-Encoding" in headers
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if not endless:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                for _ in range(400 if endless else 0):
                    self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            except OSError:  # the shop had enough
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    other.host = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield other
    finally:
        server.shutdown()
        server.server_close()
