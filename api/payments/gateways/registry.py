"""Finds a gateway by its name.

A payment keeps the name of the gateway that authorised it. Capture, void and refund go to that gateway; the setting
`SOUK_PAYMENT_GATEWAY` only applies to new payments.
"""

from typing import assert_never

from api.kernel.context import Context
from api.kernel.outbound import OutboundClient, Unreachable
from api.kernel.settings import SandboxConnection
from api.payments.gateways.interface import Gateway
from api.payments.gateways.sandbox import SandboxGateway


class UnknownGateway(Unreachable):
    """A payment names a gateway that is not configured."""


def gateway_named(ctx: Context, name: str) -> Gateway:
    """The gateway with this name in `payments.gateway`. Raises: UnknownGateway."""
    connection = ctx.settings.gateways.get(name)
    if connection is None:
        known = ", ".join(sorted(ctx.settings.gateways))
        raise UnknownGateway(f"no payment gateway is configured under the name {name!r}; known names: {known}")
    match connection:
        case SandboxConnection(url=url, key=key):
            headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
            timeout = ctx.settings.gateway_timeout_seconds
            return SandboxGateway(OutboundClient(ctx.http, name, url.rstrip("/"), headers, timeout), name)
        case _:  # mypy names the kind that has no adapter here
            assert_never(connection)
