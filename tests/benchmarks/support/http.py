"""HTTP/1.1 requests as bytes, and the file in which a benchmark hands them to its clients."""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("<BI")


class Request(NamedTuple):
    """A request of one kind, such as "list", as it goes over the wire."""

    kind: str
    raw: bytes


class Expected(NamedTuple):
    """A right answer has this status, and its body holds the text."""

    status: int
    holds: str


def get(kind: str, path: str, headers: Mapping[str, str] | None = None) -> Request:
    """A GET request without a body."""
    return Request(kind, _head("GET", path, headers) + b"\r\n")


def post(kind: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> Request:
    """A POST request with a JSON body."""
    content = json.dumps(body).encode()
    head = _head("POST", path, headers)
    return Request(
        kind, b"%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (head, len(content), content)
    )


def _head(method: str, path: str, headers: Mapping[str, str] | None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: souk",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def path_of(request: Request) -> str:
    """What it asks for: path and query."""
    return request.raw.split(b" ", 2)[1].decode()


def complete(answer: bytes) -> bool:
    """Whether the bytes hold a whole answer."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower() + b"\r\n"
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        return len(answer) >= end + 4 + int(head[at + 17 : head.index(b"\r\n", at + 2)])
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        return answer.endswith(b"\r\n0\r\n\r\n")
    return True


def header_of(answer: bytes, name: bytes) -> str:
    """The value of a header of a whole answer, by its name in small letters; empty without it."""
    head = answer[: answer.find(b"\r\n\r\n") + 2]
    at = head.lower().find(b"\r\n" + name + b":")
    return head[at + len(name) + 3 : head.find(b"\r\n", at + 2)].decode().strip() if at >= 0 else ""


def status_of(answer: bytes) -> int:
    """The status of a whole answer."""
    return int(answer[9:12])


def write_requests(path: Path, requests: Iterable[Request]) -> tuple[list[str], int]:
    """Write them; returns the kinds in the order of their numbers, and how many requests there are."""
    kinds: dict[str, int] = {}
    count = 0
    with path.open("wb") as file:
        for request in requests:
            number = kinds.setdefault(request.kind, len(kinds))
            file.write(_HEAD.pack(number, len(request.raw)) + request.raw)
            count += 1
    return list(kinds), count


def read_requests(path: Path, kinds: list[str]) -> Iterator[Request]:
    """The requests that `write_requests` wrote."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        kind, length = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        yield Request(kinds[kind], content[at : at + length])
        at += length
