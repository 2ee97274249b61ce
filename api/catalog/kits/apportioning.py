"""What each component of a kit costs as a part of it: pure functions.

The kit's price is apportioned in proportion to what the components cost alone, by the largest remainder to the cent,
and the part of a component among its units, of which some may cost a cent more than the others. So the units of an
order have prices in whole cents that add up to the kit's price, and each is refunded at its own.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from api.kernel.money import CENT, allocate


class Priced(NamedTuple):
    """Units of a component in one kit, and what each of them costs there."""

    units: int
    price: Decimal


def apportioned(price: Decimal, components: Sequence[Priced]) -> list[list[Priced]]:
    """The kit's `price` among its components, of which each has the price that it costs alone: for each the units by
    what they cost as a part of the kit, at most two prices, a cent apart."""
    parts = allocate(price, [one.price * one.units for one in components])
    return [_among_units(part, one.units) for part, one in zip(parts, components, strict=True)]


def _among_units(part: Decimal, units: int) -> list[Priced]:
    each, dearer = divmod(int(part / CENT), units)
    found = [Priced(units - dearer, each * CENT), Priced(dearer, (each + 1) * CENT)]
    return [one for one in found if one.units]
