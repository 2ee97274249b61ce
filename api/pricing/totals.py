"""The totals of an order: carts show them, the checkout charges them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from api.kernel.money import ZERO, allocate, to_cents
from api.pricing.tariff import Tariff

# The class of every product until products have one of their own.
STANDARD_CLASS = "standard"


@dataclass(frozen=True, slots=True)
class PricedLine:
    """`quantity` units at `unit_price` each; both positive."""

    quantity: int
    unit_price: Decimal

    @property
    def subtotal(self) -> Decimal:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Totals:
    """Two-place amounts; total = subtotal + tax + shipping - discount, always."""

    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    discount: Decimal
    total: Decimal


def totals(lines: Iterable[PricedLine], tariff: Tariff) -> Totals:
    """Add up `lines`.

    Without lines all totals are zero, shipping included. Tax is rounded once, on the whole subtotal.
    """
    subtotal = to_cents(sum((line.subtotal for line in lines), ZERO))
    if subtotal == 0:
        return Totals(ZERO, ZERO, ZERO, ZERO, ZERO)
    tax, shipping = tariff.tax(subtotal), tariff.shipping(subtotal)
    return Totals(subtotal, tax, shipping, ZERO, subtotal + tax + shipping)


def line_taxes(tax: Decimal, lines: Sequence[PricedLine]) -> list[Decimal]:
    """Each line's part of the order's tax, in cents that add up to it."""
    return allocate(tax, [line.subtotal for line in lines])
