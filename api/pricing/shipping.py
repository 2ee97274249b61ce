"""The fee of shipping: by zone, weight and speed, and when it is free."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from api.delivery.promises import Speed
from api.delivery.zones import Zone
from api.kernel.money import ZERO, to_cents
from api.kernel.settings import Settings


class Sending(NamedTuple):
    """How an order is sent. `zone` is its farthest parcel's; `member` of Prime."""

    speed: Speed = "standard"
    zone: Zone = "national"
    member: bool = False


class ShippingFee(NamedTuple):
    """`reason` says in words why it is what it is."""

    amount: Decimal
    reason: str


STANDARD_SENDING = Sending()
NOTHING = ShippingFee(ZERO, "nothing to send")


@dataclass(frozen=True, slots=True)
class ShippingRates:
    """`fee` for the standard speed, and nothing for goods of `free_from` and more or for a member's order that takes
    part in Prime as a whole, or with the promotion that `free_with` names. On top: `by_zone`, `by_speed`, and
    `kilo_fee` for each begun kilogram above `kilos`."""

    fee: Decimal
    free_from: Decimal
    by_zone: Mapping[Zone, Decimal] = field(default_factory=dict)
    by_speed: Mapping[Speed, Decimal] = field(default_factory=dict)
    kilo_fee: Decimal = ZERO
    kilos: int = 0
    free_with: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "ShippingRates":
        return cls(
            fee=settings.shipping_fee,
            free_from=settings.free_shipping_from,
            by_zone=settings.shipping_fee_by_zone,
            by_speed=settings.shipping_fee_by_speed,
            kilo_fee=settings.shipping_kilo_fee,
            kilos=settings.shipping_kilos_included,
        )

    def charge(self, goods: Decimal, grams: int, *, prime: bool, sending: Sending) -> ShippingFee:
        """The fee of an order with goods for `goods`. `prime`: all of it takes part in Prime."""
        extra = self.by_speed.get(sending.speed, ZERO)
        if sending.member and prime:
            return ShippingFee(to_cents(extra), "free with Prime" if not extra else f"the fee of {sending.speed}")
        if goods >= self.free_from:
            return ShippingFee(to_cents(extra), f"free from {to_cents(self.free_from)}")
        if self.free_with is not None:
            return ShippingFee(to_cents(extra), f"free with {self.free_with}")
        heavy = max(0, -(-grams // 1_000) - self.kilos) * self.kilo_fee
        amount = to_cents(self.fee + self.by_zone.get(sending.zone, ZERO) + heavy + extra)
        return ShippingFee(amount, f"goods are below {to_cents(self.free_from)}")
