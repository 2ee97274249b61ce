"""What an order costs, as a pure function: carts show it, the checkout charges it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from api.kernel.money import ZERO, to_cents
from api.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class PricedLine:
    """`quantity` units at `unit_price` each; both positive."""

    quantity: int
    unit_price: Decimal

    @property
    def subtotal(self) -> Decimal:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Tariff:
    """`tax_rate` is a fraction of the subtotal; `shipping_fee` is charged below `free_shipping_from`."""

    tax_rate: Decimal
    shipping_fee: Decimal
    free_shipping_from: Decimal

    @classmethod
    def of(cls, settings: Settings) -> "Tariff":
        return cls(settings.tax_rate, settings.shipping_fee, settings.free_shipping_from)


@dataclass(frozen=True, slots=True)
class Totals:
    """Two-place amounts; total = subtotal + tax + shipping - discount, always."""

    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    discount: Decimal
    total: Decimal


def totals(lines: Iterable[PricedLine], tariff: Tariff) -> Totals:
    """Add up `lines`. No lines cost nothing, shipping included. Tax is rounded once, half up, on the whole subtotal."""
    subtotal = to_cents(sum((line.subtotal for line in lines), ZERO))
    if subtotal == 0:
        return Totals(ZERO, ZERO, ZERO, ZERO, ZERO)
    tax = to_cents(subtotal * tariff.tax_rate)
    shipping = ZERO if subtotal >= tariff.free_shipping_from else to_cents(tariff.shipping_fee)
    return Totals(subtotal, tax, shipping, ZERO, subtotal + tax + shipping)
