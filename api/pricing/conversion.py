"""Amounts of several currencies as one number: only by rates that were loaded, never without."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from api.kernel.money import to_cents


@dataclass(frozen=True, slots=True)
class Rate:
    """From `day` until the next day of the pair, one unit of `from_currency` is worth `rate` of `to_currency`."""

    from_currency: str
    to_currency: str
    day: date
    rate: Decimal
    source: str


class Rates:
    """Known rates. The marts convert by the same rule: the newest rate on the day or before it."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._pairs: dict[tuple[str, str], list[Rate]] = defaultdict(list)
        for rate in sorted(rates, key=lambda rate: rate.day):
            self._pairs[rate.from_currency, rate.to_currency].append(rate)

    def on(self, day: date, currency: str, target: str) -> Rate | None:
        """The rate that holds on `day`; None when none is known."""
        known = self._pairs.get((currency, target), [])
        index = bisect_right(known, day, key=lambda rate: rate.day)
        return known[index - 1] if index else None

    def convert(self, amount: Decimal, currency: str, target: str, day: date) -> Decimal | None:
        """`amount` in `target` to the cent; None without a rate."""
        if currency == target:
            return amount
        rate = self.on(day, currency, target)
        return None if rate is None else to_cents(amount * rate.rate)
