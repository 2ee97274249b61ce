"""The price of a purchase, line by line: product pages and carts show it, the checkout charges it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from api.kernel.money import ZERO, to_cents
from api.pricing.shipping import NOTHING, STANDARD_SENDING, Sending, ShippingFee
from api.pricing.tariff import Tariff
from api.pricing.tax import tax_of
from api.pricing.tax_table import STANDARD


class PricedLine(NamedTuple):
    """`quantity` units at `unit_price` and of `grams` each; `discount` off the line, at most its subtotal. `prime`: it
    takes part in Prime; `digital`: nothing of it is sent."""

    quantity: int
    unit_price: Decimal
    tax_class: str = STANDARD
    discount: Decimal = ZERO
    grams: int = 0
    prime: bool = False
    digital: bool = False

    @property
    def subtotal(self) -> Decimal:
        return self.unit_price * self.quantity


class LineTax(NamedTuple):
    """The tax of a line: `rate` a fraction, `included` when the line's price contains `amount`."""

    tax_class: str
    rate: Decimal
    amount: Decimal
    included: bool


class Totals(NamedTuple):
    """Two-place amounts: total = subtotal + tax - tax_included + shipping - discount, always.

    `tax` is the sum of `lines` and `shipping_tax`; `tax_included` the part of it that is in the prices already. `lines`
    are in the order of the lines that were priced.
    """

    subtotal: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping: Decimal
    shipping_reason: str
    shipping_tax: Decimal
    discount: Decimal
    total: Decimal
    lines: tuple[LineTax, ...]


class Freight(NamedTuple):
    """What the fee of sending lines depends on, of those that are sent: `goods` what they cost, `prime` whether all of
    them take part."""

    goods: Decimal
    grams: int
    prime: bool

    @classmethod
    def of(cls, lines: Sequence[PricedLine]) -> "Freight | None":
        """None where nothing is sent."""
        goods, grams, all_prime, nothing = ZERO, 0, True, True
        for quantity, price, _, discount, each, prime, digital in lines:
            if digital:
                continue
            nothing = False
            goods += price * quantity - discount
            grams += each * quantity
            all_prime = all_prime and prime
        return None if nothing else cls(goods, grams, all_prime)


def totals(lines: Iterable[PricedLine], tariff: Tariff, sending: Sending = STANDARD_SENDING) -> Totals:
    """Price `lines`. Without lines all totals are zero, shipping included."""
    priced = list(lines)
    return totals_with(priced, tariff, fee(Freight.of(priced), tariff, sending))


def totals_with(lines: Sequence[PricedLine], tariff: Tariff, shipping: ShippingFee) -> Totals:
    """Price `lines`, of which the fee is known. Tax is rounded once for each line."""
    terms = tariff.tax
    subtotal, discount, on_goods = ZERO, ZERO, ZERO
    taxed = []
    for quantity, price, tax_class, off, *_ in lines:
        goods = price * quantity
        subtotal += goods
        discount += off
        rate = terms.rate(tax_class)
        amount = tax_of(goods - off, rate, included=terms.included)
        on_goods += amount
        taxed.append(LineTax(tax_class, rate, amount, terms.included))
    subtotal, discount = to_cents(subtotal), to_cents(discount)
    shipping_tax = terms.on_shipping(shipping.amount)
    tax = on_goods + shipping_tax
    included = (on_goods if terms.included else ZERO) + (shipping_tax if terms.shipping_included else ZERO)
    total = subtotal + tax - included + shipping.amount - discount
    return Totals(
        subtotal, tax, included, shipping.amount, shipping.reason, shipping_tax, discount, total, tuple(taxed)
    )


def fee(freight: Freight | None, tariff: Tariff, sending: Sending) -> ShippingFee:
    """The fee of sending lines; where nothing is sent there is none."""
    if freight is None:
        return NOTHING
    return tariff.shipping.charge(freight.goods, freight.grams, prime=freight.prime, sending=sending)
