"""Finds a carrier by its name. A label keeps the name of the carrier that it was bought from."""

from typing import assert_never

from api.kernel.context import Context
from api.kernel.outbound import OutboundClient
from api.kernel.settings import SandboxCarrierConnection
from api.shipping.carriers.interface import Carrier
from api.shipping.carriers.sandbox import SandboxCarrier


def carrier_named(ctx: Context, name: str) -> Carrier | None:
    """The carrier with this name in the settings, None when there is none."""
    connection = ctx.settings.carrier_connections.get(name)
    if connection is None:
        return None
    match connection:
        case SandboxCarrierConnection(url=url, key=key):
            secret = key.get_secret_value()
            headers = {"Authorization": f"Bearer {secret}"}
            timeout = ctx.settings.carrier_timeout_seconds
            client = OutboundClient(ctx.http, f"carrier {name}", url.rstrip("/"), headers, timeout)
            return SandboxCarrier(client, name, secret, ctx.settings.carrier_tolerance_seconds)
        case _:  # mypy names the kind that has no adapter here
            assert_never(connection)


def carrier_names(ctx: Context) -> list[str]:
    return sorted(ctx.settings.carrier_connections)
