"""The one interface to whoever moves money. Keys derive from the checkout, so repeating a call can never charge
twice."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from api.kernel.context import Context
from api.kernel.outbound import Answer, OutboundClient, Unreachable

__all__ = [
    "Authorised",
    "Declined",
    "Gateway",
    "GatewayRefused",
    "SandboxGateway",
    "Unreachable",
    "gateway_key",
    "gateway_of",
]


@dataclass(frozen=True, slots=True)
class Authorised:
    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """`reason` is the gateway's word, fit to be shown: card_declined, unknown_token."""

    reason: str


class GatewayRefused(Exception):
    """A definite no to a capture, void or refund; `code` is the gateway's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Gateway(Protocol):
    """Each method is safe to repeat with the same key. Raises: Unreachable (ambiguous), GatewayRefused (definite)."""

    @property
    def name(self) -> str:
        """What `payments.gateway` calls it."""
        ...

    async def authorise(
        self, key: str, amount: Decimal, currency: str, token: str, reference: str
    ) -> Authorised | Declined:
        """Hold `amount` (two places) without taking it."""
        ...

    async def capture(self, key: str, amount: Decimal) -> str:
        """Take what `key` holds; returns the gateway's reference."""
        ...

    async def void(self, key: str) -> str:
        """Let go of what `key` holds, or make sure that it never will hold anything."""
        ...

    async def refund(self, key: str, refund_key: str, amount: Decimal) -> str:
        """Give back part of what was captured under `key`, once per `refund_key`."""
        ...


def gateway_key(checkout_id: UUID) -> str:
    """The authorisation's key at the gateway; capture and void append to it."""
    return f"checkout-{checkout_id}"


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    """The gateway of `python -m api.sandbox`."""

    client: OutboundClient
    name: str = "sandbox"

    async def authorise(
        self, key: str, amount: Decimal, currency: str, token: str, reference: str
    ) -> Authorised | Declined:
        body: dict[str, object] = {
            "key": key,
            "amount": str(amount),
            "currency": currency,
            "token": token,
            "reference": reference,
        }
        answer = await self.client.post("/v1/authorisations", body)
        if answer.status == 422:
            return Declined(str(answer.body.get("error", "refused")))
        if answer.status >= 400:
            raise GatewayRefused(str(answer.body.get("error", answer.status)))
        if answer.body.get("status") == "authorised":
            return Authorised(str(answer.body["gatewayReference"]))
        return Declined(str(answer.body.get("reason", "declined")))

    async def capture(self, key: str, amount: Decimal) -> str:
        return _reference(
            await self.client.post(
                "/v1/captures", {"key": f"{key}:capture", "authorisationKey": key, "amount": str(amount)}
            )
        )

    async def void(self, key: str) -> str:
        return _reference(await self.client.post("/v1/voids", {"key": f"{key}:void", "authorisationKey": key}))

    async def refund(self, key: str, refund_key: str, amount: Decimal) -> str:
        return _reference(
            await self.client.post("/v1/refunds", {"key": refund_key, "authorisationKey": key, "amount": str(amount)})
        )


def gateway_of(ctx: Context) -> Gateway:
    """The configured gateway."""
    settings = ctx.settings
    headers = {"Authorization": f"Bearer {settings.sandbox_key.get_secret_value()}"}
    return SandboxGateway(
        OutboundClient(ctx.http, "sandbox", settings.sandbox_url.rstrip("/"), headers, settings.gateway_timeout_seconds)
    )


def _reference(answer: Answer) -> str:
    if answer.status >= 400:
        raise GatewayRefused(str(answer.body.get("error", answer.status)))
    return str(answer.body["gatewayReference"])
