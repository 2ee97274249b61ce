"""Where a review or a vote comes from, so that equal places are seen and nothing else is.

Addresses and browsers are kept as digests under the shop's key: who reads the table or the lake cannot tell which
address it was, only that it was the same. An IPv6 address counts by its network of 64 bits, which one household has. An
address that is not public (of the machine, of a private network) names nobody, and is kept as none.
"""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.kernel.context import Ctx
from api.kernel.security import Keys

LONGEST_HEADER = 500


@dataclass(frozen=True, slots=True)
class Trace:
    """Digests of 32 hexadecimal digits; None: nothing is known. A device is a browser at an address."""

    address: str | None = None
    device: str | None = None


UNKNOWN = Trace()


def trace(keys: Keys, client: str | None, browser: str) -> Trace:
    """Of a client's address and what its browser says of itself."""
    network = _network(client)
    if network is None:
        return UNKNOWN
    address = keys.sign("review-address", network.encode()).hex()
    return Trace(address, keys.sign("review-device", f"{network}\n{browser}".encode()).hex() if browser else None)


async def trace_of(request: Request, ctx: Ctx) -> Trace:
    """Of a request."""
    browser = "\n".join(request.headers.get(name, "")[:LONGEST_HEADER] for name in ("user-agent", "accept-language"))
    return trace(ctx.keys, request.client.host if request.client else None, browser.strip())


From = Annotated[Trace, Depends(trace_of)]


def _network(client: str | None) -> str | None:
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global:
        return None
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
