"""When an order arrives, and the promise before an address is known."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from api.pricing.tariff import Tariff

DELIVERY_DAYS = {"standard": 5, "prime_2day": 2, "prime_next_day": 1}


@dataclass(frozen=True, slots=True)
class Promise:
    """In words; `prime_delivery` is None for what Prime does not carry."""

    prime_delivery: str | None
    standard_delivery: str
    free_shipping: bool


def estimated_delivery(ordered_on: date, speed: str) -> date:
    """The day on which an order arrives that was placed on `ordered_on`."""
    return ordered_on + timedelta(days=DELIVERY_DAYS[speed])


def promise(tariff: Tariff, price: Decimal, *, prime: bool) -> Promise:
    """What one unit's buyer is told; the order's own promise comes from the warehouse."""
    return Promise("Tomorrow" if prime else None, "3-5 days", prime or tariff.ships_free(price))
