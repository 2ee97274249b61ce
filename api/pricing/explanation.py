"""A total, explained: each amount in words, so that those which are not included in another add up to the total."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from api.kernel.money import ZERO
from api.pricing.promotions import Reduction
from api.pricing.totals import PricedLine, Totals

ChargeKind = Literal["goods", "discount", "shipping", "tax"]


class Charge(NamedTuple):
    """An amount of a total. `included`: it is part of amounts before it, so it is not added; a discount is negative."""

    kind: ChargeKind
    text: str
    amount: Decimal
    included: bool = False


class Named(NamedTuple):
    """A line, what it is called, and what its discount consists of."""

    title: str
    line: PricedLine
    reductions: Sequence[Reduction] = ()


def explained(lines: Sequence[Named], sums: Totals, *, shipping_included: bool) -> list[Charge]:
    """The charges of `lines`: goods, discounts, shipping, then tax by its rate."""
    goods = [of_goods(one.title, one.line.quantity, one.line.unit_price) for one in lines]
    return goods + beyond_goods(lines, sums, shipping_included=shipping_included)


def of_goods(title: str, units: int, price: Decimal) -> Charge:
    """The charge of a line before discounts."""
    return Charge("goods", f"{units} x {title}", price * units)


def beyond_goods(lines: Sequence[Named], sums: Totals, *, shipping_included: bool) -> list[Charge]:
    """The charges after those of goods."""
    charges = [Charge("discount", f"{off.name}: {one.title}", -off.amount) for one in lines for off in one.reductions]
    if lines:
        charges.append(Charge("shipping", f"shipping: {sums.shipping_reason}", sums.shipping))
    charges += _taxes(sums)
    if sums.shipping_tax:
        charges.append(Charge("tax", "tax on shipping", sums.shipping_tax, shipping_included))
    return charges


def _taxes(sums: Totals) -> Iterator[Charge]:
    by_rate: dict[tuple[Decimal, bool], Decimal] = {}
    for line in sums.lines:
        kind = (line.rate, line.included)
        by_rate[kind] = by_rate.get(kind, ZERO) + line.amount
    for (rate, included), amount in by_rate.items():
        yield Charge("tax", _tax_text(rate), amount, included)


@lru_cache(maxsize=1_000)
def _tax_text(rate: Decimal) -> str:
    return f"tax {(rate * 100).normalize():f} %"
