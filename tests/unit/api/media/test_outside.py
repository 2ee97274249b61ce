"""Which addresses are public, and that a name leads where it led when it was checked."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.kernel.context import Context
from api.kernel.held import Held
from api.media import outside
from api.media.outside import fetched, is_public, require_public
from api.media.press.formats import Refused

PRIVATE = (
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "0.1.2.3", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:53aa:64c::1", "fec0::1"),
    *("not an address", ""),
)
PUBLIC = (
    "1.1.1.1",
    "93.184.216.34",
    "172.15.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        *(
            (f"http://{host}/a.jpg", "must be a public address")
            for host in (
                *("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "localhost", "LOCALHOST."),
                *("a.localhost", "printer.local", "metadata.google.internal", "2130706433", "0x7f.1", "127.1", "0"),
                "\uff11\uff12\uff17.0.0.1",
            )
        ),
        ("http://a.example:8080/a.jpg", "must be at port 80 or 443"),
        ("http://a.example:x/a.jpg", "must be an address"),
        ("ftp://a.example/a.jpg", "must be an http or https address without a user"),
        ("http://user@a.example/a.jpg", "must be an http or https address without a user"),
        ("a.jpg", "must be an http or https address without a user"),
    ],
)
def test_an_address_that_is_only_shown_is_judged_by_what_it_says(url: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        require_public(url)


def test_a_public_address_and_a_trusted_one_may_be_shown() -> None:
    for url in ("http://a.example/1.jpg", "https://1.1.1.1:443/a", "HTTPS://[2606:4700::1111]/a", "http://internal/a"):
        require_public(url)
    require_public("http://10.0.0.7:8080/a.jpg", {"10.0.0.7:8080"})


def context(*trusted: str) -> Context:
    settings = SimpleNamespace(
        media_fetch_seconds=2.0, media_picture_bytes=1_000, media_trusted_hosts=frozenset(trusted)
    )
    return cast("Context", SimpleNamespace(settings=settings, held=Held()))


async def serve(answers: list[bytes]) -> tuple[asyncio.Server, int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """The name resolves to each of these in turn; returns what was asked for."""
    asked: list[str] = []
    rest = list(answers)

    async def getaddrinfo(self: object, host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (rest.pop(0), port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_is_resolved_once_and_the_connection_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bytes] = []
    server, port = await serve(answers)
    asked = resolving(monkeypatch, "127.0.0.1", "127.0.0.2")

    async with server:
        content = await fetched(context(f"pictures.example:{port}"), f"http://pictures.example:{port}/a?b=c")

    assert content == b"hello"
    assert asked == ["pictures.example"]
    assert answers[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: pictures.example")


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "10.1.2.3")

    with pytest.raises(Refused, match="must be a public address"):
        await fetched(context(), "http://pictures.example/a")


async def test_a_client_that_would_go_elsewhere_gets_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another parser makes of an address: the socket is for what was checked."""
    answers: list[bytes] = []
    server, port = await serve(answers)
    resolving(monkeypatch, "93.184.216.34")
    monkeypatch.setattr(outside, "urlsplit", lambda url: SimpleNamespace(
        scheme="http", hostname="pictures.example", username=None, password=None, port=80
    ))  # fmt: skip

    async with server:
        with pytest.raises(Refused, match="could not be fetched"):
            await fetched(context(), f"http://127.0.0.1:{port}/")

    assert answers == []
