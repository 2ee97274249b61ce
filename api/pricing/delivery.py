"""Estimated delivery of an order, and the promise that is shown before the address is known."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from api.pricing.tariff import Tariff

DELIVERY_DAYS = {"standard": 5, "prime_2day": 2, "prime_next_day": 1}


@dataclass(frozen=True, slots=True)
class Promise:
    """A delivery promise as text; `prime_delivery` is None for products without Prime."""

    prime_delivery: str | None
    standard_delivery: str
    free_shipping: bool


def estimated_delivery(ordered_on: date, speed: str) -> date:
    """The delivery day of an order that was placed on `ordered_on`."""
    return ordered_on + timedelta(days=DELIVERY_DAYS[speed])


def promise(tariff: Tariff, price: Decimal, *, prime: bool) -> Promise:
    """The promise for one unit; the promise of an order depends on the warehouse."""
    return Promise("Tomorrow" if prime else None, "3-5 days", prime or tariff.ships_free(price))
