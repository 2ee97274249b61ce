"""A picture from an address that a seller named: fetched once, from a public server only.

The name is resolved once, every address that it has is checked, and the connection goes to one of those: a name that
resolves differently a moment later leads nowhere else. The socket is checked again when it is made, whatever the
client's parser has made of the address. Redirects are not followed, because they could name a private server.
"""

import asyncio
import ipaddress
import socket
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from api.kernel.context import Context
from api.kernel.settings import Settings
from api.media.press.formats import Refused

AT_ONCE = 8
# What a server says that cannot answer now; others of its refusals are final.
_LATER = frozenset({408, 425, 429})
_PORTS = {"http": 80, "https": 443}
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "souk"}
# Networks that carry an address of version 4 in one of version 6: prefix -> first byte of it.
_CARRIERS = {
    ipaddress.ip_network("64:ff9b::/96"): 12,
    ipaddress.ip_network("64:ff9b:1::/48"): 12,
    ipaddress.ip_network("2002::/16"): 2,
    ipaddress.ip_network("::/96"): 12,
}
_LOCAL_NAMES = (".localhost", ".local", ".internal")
_TEREDO = ipaddress.ip_network("2001::/32")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unreachable(Refused):
    """The picture could not be fetched now; at another time it may be."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet: not private, loopback, link-local (where clouds keep their
    metadata), shared, multicast or reserved; nor an address of version 6 that means one of those."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _TEREDO:
            return False
        else:
            for network, start in _CARRIERS.items():
                if address in network:
                    address = ipaddress.IPv4Address(address.packed[start : start + 4])
                    break
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (
        address.is_private or address.is_multicast or address.is_reserved or address.is_unspecified
    )


def require_public(url: str, trusted: Collection[str] = ()) -> str:
    """Judge an address that is fetched later, by what it says itself: nothing is resolved. `trusted`: HOST:PORT of
    servers of one's own. Returns its HOST:PORT.

    Raises: Refused.
    """
    try:
        host, port = _judged(url, trusted)
    except ValueError:
        raise Refused("must be an address") from None
    if f"{host}:{port}" not in trusted and _is_local(host):
        raise Refused("must be a public address")
    return f"{host}:{port}"


async def fetched(ctx: Context, url: str) -> bytes:
    """The content at the address.

    Raises: Refused, Unreachable among them, whose words tell nothing of a private server: none is asked.
    """
    async with ctx.held.of(_Fetching, _Fetching).turns:
        try:
            async with asyncio.timeout(ctx.settings.media_fetch_seconds):
                return await _fetch(ctx.settings, url)
        except TimeoutError:
            raise Unreachable("could not be fetched: its server does not answer in time") from None
        except ValueError:
            raise Refused("could not be fetched: it is no address") from None
        except (aiohttp.ClientError, OSError):
            raise Unreachable("could not be fetched: its server does not answer") from None


class _Fetching:
    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(AT_ONCE)


async def _fetch(settings: Settings, url: str) -> bytes:
    host, port = _judged(url, settings.media_trusted_hosts)
    trusted = f"{host}:{port}" in settings.media_trusted_hosts
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not trusted and not all(map(is_public, addresses)):
        raise Refused("must be a public address")
    pinned = _Pinned([(entry[0], str(entry[4][0])) for entry in found], port)
    connector = aiohttp.TCPConnector(resolver=pinned, socket_factory=pinned.socket_of, use_dns_cache=False)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers=_HEADERS,
        ) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if 300 <= answer.status < 400:
            raise Refused("leads to another address; name that one")
        if answer.status != 200:
            kind = Unreachable if answer.status >= 500 or answer.status in _LATER else Refused
            raise kind(f"could not be fetched: its server answers {answer.status}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused("could not be fetched: its server packs it")
        return await _body(answer, settings.media_picture_bytes)


def _judged(url: str, trusted: Collection[str]) -> tuple[str, int]:
    """Host and port. Raises: Refused; ValueError."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in _PORTS or not host or parts.username is not None or parts.password is not None or "\\" in url:
        raise Refused("must be an http or https address without a user")
    port = parts.port or _PORTS[scheme]
    if port not in _PORTS.values() and f"{host}:{port}" not in trusted:
        raise Refused("must be at port 80 or 443")
    return host, port


def _is_local(host: str) -> bool:
    """Whether a host says of itself that it is none of the internet, also by a number that browsers take for one."""
    name = unicodedata.normalize("NFKC", host).rstrip(".").lower()
    if name == "localhost" or name.endswith(_LOCAL_NAMES):
        return True
    try:
        number = str(ipaddress.IPv4Address(socket.inet_aton(name)))
    except (OSError, ValueError):
        number = name
    return (":" in number or number.replace(".", "").isdigit()) and not is_public(number)


async def _body(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """Raises: Refused when it is longer; the rest is not read."""
    received = bytearray()
    if (answer.content_length or 0) <= limit:
        async for chunk in answer.content.iter_any():
            received += chunk
            if len(received) > limit:
                break
        else:
            return bytes(received)
    raise Refused(f"is longer than {limit:,} bytes")


class _Pinned(AbstractResolver):
    """Knows the addresses of one name, which were checked."""

    def __init__(self, addresses: Sequence[tuple[int, str]], port: int) -> None:
        self._addresses = addresses
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in self._addresses
        ]

    async def close(self) -> None:
        return None

    def socket_of(self, info: tuple[Any, ...]) -> socket.socket:  # Any: of getaddrinfo
        """The last look: a socket to nothing but what was checked."""
        family, kind, protocol, _, where = info
        if (str(where[0]), where[1]) not in {(address, self._port) for _, address in self._addresses}:
            raise OSError("not the address that was checked")
        return socket.socket(family=family, type=kind, proto=protocol)
