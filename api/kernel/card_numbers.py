"""Detection of card numbers: free text that could be one is refused before it is stored or logged."""

import re
from typing import Annotated

from pydantic import AfterValidator

_CANDIDATE = re.compile(r"(?<!\d)\d(?:[ .-]?\d){12,18}(?!\d)")


def luhn(digits: str) -> bool:
    """Whether the check digit of `digits` (decimal digits only) is right, ISO/IEC 7812-1 annex B."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def holds_card_number(value: str) -> bool:
    """Whether 13 to 19 digits in a row (spaces, dots, dashes between them allowed) pass the Luhn check."""
    return any(luhn(re.sub(r"\D", "", match.group())) for match in _CANDIDATE.finditer(value))


def refuse_card_number(value: str) -> str:
    if holds_card_number(value):
        raise ValueError("looks like a card number; send the payment provider's token instead")
    return value


CardFree = Annotated[str, AfterValidator(refuse_card_number)]
