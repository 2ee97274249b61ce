"""The interface of a payment gateway. Keys derive from the checkout, so repeating a call never charges twice."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from api.kernel.outbound import Unreachable

__all__ = ["Authorised", "Declined", "Gateway", "GatewayRefused", "Unreachable", "gateway_key"]


@dataclass(frozen=True, slots=True)
class Authorised:
    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """`reason` is the gateway's code, which may be shown to the buyer: card_declined, unknown_token."""

    reason: str


class GatewayRefused(Exception):
    """A definite refusal of a capture, void or refund; `code` is the gateway's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Gateway(Protocol):
    """Each method is safe to repeat with the same key. Raises: Unreachable (ambiguous), GatewayRefused (definite)."""

    @property
    def name(self) -> str:
        """The gateway's name in `payments.gateway`."""
        ...

    async def authorise(
        self, key: str, amount: Decimal, currency: str, token: str, reference: str
    ) -> Authorised | Declined:
        """Authorise `amount` (two places) without capturing it."""
        ...

    async def capture(self, key: str, amount: Decimal) -> str:
        """Capture the amount authorised under `key`; returns the gateway's reference."""
        ...

    async def void(self, key: str) -> str:
        """Void the authorisation under `key`, or forbid a later one under it."""
        ...

    async def refund(self, key: str, refund_key: str, amount: Decimal) -> str:
        """Refund part of what was captured under `key`, once per `refund_key`."""
        ...


def gateway_key(checkout_id: UUID) -> str:
    """The authorisation's key at the gateway; capture and void append to it."""
    return f"checkout-{checkout_id}"
