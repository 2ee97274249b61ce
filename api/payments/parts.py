"""What an amount of money pays for: goods, tax and shipping."""

from dataclasses import dataclass
from decimal import Decimal

from api.kernel.money import ZERO


@dataclass(frozen=True, slots=True)
class Parts:
    """`tax` is all of it, that on shipping too; `goods` and `shipping` are without tax."""

    goods: Decimal = ZERO
    tax: Decimal = ZERO
    shipping: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        return self.goods + self.tax + self.shipping

    def __add__(self, other: "Parts") -> "Parts":
        return Parts(self.goods + other.goods, self.tax + other.tax, self.shipping + other.shipping)

    def __sub__(self, other: "Parts") -> "Parts":
        return Parts(self.goods - other.goods, self.tax - other.tax, self.shipping - other.shipping)

    def at_most(self, limit: Decimal) -> "Parts":
        """The parts, less shipping, then tax, then goods, until they are no more than `limit`."""
        left = limit
        kept = []
        for part in (self.goods, self.tax, self.shipping):
            kept.append(min(part, left))
            left -= kept[-1]
        return Parts(*kept)
