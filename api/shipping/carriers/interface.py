"""What a carrier can do; one implementation per kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from api.kernel.outbound import Unreachable
from api.shipping.scans import Scan

__all__ = ["Carrier", "CarrierRefused", "Label", "Offer", "Pace", "Packed", "Place", "Unreachable"]
Pace = Literal["economy", "standard", "express"]


class CarrierRefused(Exception):
    """A definite refusal; `code` is the carrier's. A repeat would be refused too."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parcel comes from or goes to."""

    name: str
    street: str
    city: str
    state: str
    zip_code: str
    country: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A parcel as a carrier gets it. `reference` is the shop's own name for it."""

    reference: str
    sender: Place
    recipient: Place
    weight_grams: int
    currency: str


@dataclass(frozen=True, slots=True)
class Offer:
    """`service` is the carrier's name for it; `arrives_on`: when it arrives if it is handed over today."""

    service: str
    speed: Pace
    price: Decimal
    arrives_on: date


@dataclass(frozen=True, slots=True)
class Label:
    """A label that was bought."""

    tracking_number: str
    price: Decimal
    arrives_on: date


class Carrier(Protocol):
    """Every call that changes something has a key of its own, so it may be repeated: a second label is never bought."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    async def rates(self, parcel: Packed) -> list[Offer]:
        """What it takes to send the parcel, the slowest first. Raises: Unreachable, CarrierRefused."""
        ...

    async def buy(self, key: str, parcel: Packed, service: str, price: Decimal) -> Label:
        """Buy a label, at this price or less. Raises: Unreachable (it may have been bought), CarrierRefused."""
        ...

    async def cancel(self, key: str) -> None:
        """Give the label of this key back. Raises: Unreachable, CarrierRefused once the parcel was scanned."""
        ...

    def scans(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Scan]:
        """What a message says, after its signature was checked. Raises: WebhookRefused, ValidationFailed."""
        ...
