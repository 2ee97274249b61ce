"""Tax and shipping, which the shop charges in addition to the goods."""

from dataclasses import dataclass
from decimal import Decimal

from api.kernel.money import ZERO, to_cents
from api.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Tariff:
    """`tax_rate` is a fraction of the subtotal; `shipping_fee` is charged below `free_shipping_from`."""

    tax_rate: Decimal
    shipping_fee: Decimal
    free_shipping_from: Decimal

    @classmethod
    def of(cls, settings: Settings) -> "Tariff":
        return cls(settings.tax_rate, settings.shipping_fee, settings.free_shipping_from)

    def tax(self, subtotal: Decimal) -> Decimal:
        """Tax on `subtotal`, rounded once, half up."""
        return to_cents(subtotal * self.tax_rate)

    def ships_free(self, subtotal: Decimal) -> bool:
        return subtotal >= self.free_shipping_from

    def shipping(self, subtotal: Decimal) -> Decimal:
        """The fee of an order with goods for `subtotal`."""
        return ZERO if self.ships_free(subtotal) else to_cents(self.shipping_fee)
