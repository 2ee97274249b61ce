"""Money: Decimal with two places and a currency; arithmetic never uses float."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
MAX_AMOUNT = Decimal("9999999999.99")

# On the wire an amount is a JSON number, as the seed writes it; two-decimal values up to
# 10^10 are printed exactly from a double.
Amount = Annotated[
    Decimal,
    Field(strict=False, max_digits=12, decimal_places=2),
    PlainSerializer(float, return_type=float, when_used="json"),
]
# A rate of tax or the like: 0.08 is 8 per cent.
Share = Annotated[
    Decimal,
    Field(strict=False, ge=0, lt=1),
    PlainSerializer(float, return_type=float, when_used="json"),
]
Price = Annotated[Amount, Field(gt=0)]
# A sum that is not checked against the limit of an order: a cart may exceed it.
Sum = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


def to_cents(value: Decimal) -> Decimal:
    """`value` rounded half up to two places, the rule for tax and percentages."""
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def minor_units(value: Decimal) -> int:
    """An amount in cents, as protocols with whole numbers write it."""
    return int(value.quantize(CENT) * 100)


def share(total: Decimal, before: Decimal, up_to: Decimal, whole: Decimal) -> Decimal:
    """The cents of `total` that belong to what lies from `before` to `up_to` of `whole`: adjoining shares add up.

    Of three units, the third one's share of 1.00 is `share(1.00, 2, 3, 3)`: 1.00 less what two are worth.
    """
    return to_cents(total * up_to / whole) - to_cents(total * before / whole)


def allocate(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split `total` in proportion to `weights` by the largest remainder, so that the parts add up to
    `total`. The result has the length of `weights`.

    Raises: ValueError when weights are empty, negative or all zero.
    """
    weight_sum = sum(weights, Decimal(0))
    if not weights or weight_sum <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all zero")
    cents_total = int(total / CENT)
    exact = [cents_total * weight / weight_sum for weight in weights]
    cents = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (cents[i] - exact[i], i))
    for i in by_remainder[: cents_total - sum(cents)]:
        cents[i] += 1
    return [cent * CENT for cent in cents]
