"""Detection of card numbers: free text that could be one is refused before it is stored or logged.

A card number begins as an issuer's numbers begin, has one of that issuer's lengths, and its check digit is right. So
the numbers of devices, parcels and orders pass that have a check digit of the same kind.
"""

import re
from collections.abc import Iterator

_RUN = re.compile(r"\d(?:[ .-]?\d){12,}")
_DIGITS = re.compile(r"\d+")
SHORTEST, LONGEST = 13, 19

# (first and last prefix, lengths): ISO/IEC 7812 ranges as the networks publish them.
_ISSUERS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({13, 16, 18, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),  # Mastercard
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),  # American Express
    ("300", "305", frozenset(range(14, 20))),  # Diners Club
    ("3095", "3095", frozenset(range(14, 20))),  # Diners Club
    ("36", "36", frozenset(range(14, 20))),  # Diners Club
    ("38", "39", frozenset(range(14, 20))),  # Diners Club
    ("3528", "3589", frozenset(range(16, 20))),  # JCB
    ("6011", "6011", frozenset(range(16, 20))),  # Discover
    ("644", "65", frozenset(range(16, 20))),  # Discover, RuPay
    ("60", "60", frozenset({16})),  # RuPay, Hipercard
    ("62", "62", frozenset(range(16, 20))),  # UnionPay
    ("81", "82", frozenset(range(16, 20))),  # UnionPay, RuPay
    ("2200", "2204", frozenset(range(16, 20))),  # Mir
    ("508", "508", frozenset({16})),  # RuPay
    ("5018", "5018", frozenset(range(13, 20))),  # Maestro
    ("5019", "5020", frozenset(range(13, 20))),  # Dankort, Maestro
    ("5038", "5038", frozenset(range(13, 20))),  # Maestro
    ("5893", "5893", frozenset(range(13, 20))),  # Maestro
    ("6304", "6304", frozenset(range(13, 20))),  # Maestro
    ("6759", "6763", frozenset(range(13, 20))),  # Maestro
    ("9792", "9792", frozenset({16})),  # Troy
)


def luhn(digits: str) -> bool:
    """Whether the check digit of `digits` (decimal digits only) is right, ISO/IEC 7812-1 annex B."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """Whether some issuer's cards have such numbers."""
    return any(
        first <= digits[: len(first)] and digits[: len(last)] <= last and len(digits) in lengths
        for first, last, lengths in _ISSUERS
    ) and luhn(digits)


def holds_card_number(value: str) -> bool:
    """Whether a card number stands in the text; spaces, dots and dashes between its digits are allowed."""
    return any(is_card_number(digits) for run in _RUN.finditer(value) for digits in _candidates(run.group()))


def refuse_card_number(value: str) -> str:
    if holds_card_number(value):
        raise ValueError("looks like a card number; send the payment provider's token instead")
    return value


def _candidates(run: str) -> Iterator[str]:
    """Every row of whole groups of digits that is as long as a card number: what stands before it and after it, with a
    space between, does not hide it."""
    groups = _DIGITS.findall(run)
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group if group.isascii() else "".join(str(int(digit)) for digit in group)
            if len(digits) > LONGEST:
                break
            if len(digits) >= SHORTEST:
                yield digits
