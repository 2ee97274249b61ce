"""Tax terms and tariffs of tests."""

from collections.abc import Mapping
from decimal import Decimal

from api.pricing.shipping import ShippingRates
from api.pricing.tariff import Tariff
from api.pricing.tax import TaxTerms


def terms(rate: str, *, included: bool = False, shipping: str = "0", shipping_included: bool = False) -> TaxTerms:
    """One rate for goods, another for shipping."""
    rates: Mapping[str, Decimal] = {"standard": Decimal(rate)}
    return TaxTerms(rates, Decimal(shipping), included, shipping_included, "never", "a test")


def tariff(tax: TaxTerms, fee: str = "4.99", free_from: str = "35.00") -> Tariff:
    return Tariff(tax, ShippingRates(Decimal(fee), Decimal(free_from)))


US = tariff(terms("0.08"))
