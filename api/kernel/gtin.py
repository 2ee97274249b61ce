"""Global Trade Item Numbers: EAN, UPC, ISBN-13 and ITF-14, as one number of 14 digits."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

LENGTHS = (8, 12, 13, 14)
# Of 14 digits: those whose prefix (02, 04, 2, and 0 or 2 of eight digits) every company gives out for itself, for goods
# that are weighed or used within it, so the same number of two sellers says nothing.
RESTRICTED = "^.(02|04|2)|^000000[02]"
_BETWEEN = re.compile(r"[\s-]")


def check_digit(digits: str) -> int:
    """The last digit of a number whose other digits these are: from the right they weigh 3, 1, 3, 1, ..."""
    return -sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))) % 10


def _written_plainly(value: object) -> object:
    """Without the spaces and hyphens that people write between the digits."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", value)) if isinstance(value, str) else value


def _canonical(value: str) -> str:
    if not (value.isascii() and value.isdigit()) or len(value) not in LENGTHS:
        raise ValueError("must be 8, 12, 13 or 14 digits")
    last = check_digit(value[:-1])
    if last != int(value[-1]):
        raise ValueError(f"its last digit would be {last}: a digit is wrong or missing, or two are swapped")
    if not value.strip("0"):
        raise ValueError("must not be zeros only: leave it out where there is none")
    return value.zfill(14)


# The same article has the same text, however long the number was that somebody sent.
Gtin = Annotated[
    str,
    BeforeValidator(_written_plainly),
    AfterValidator(_canonical),
    Field(max_length=14, examples=["4006381333931"], description="8, 12, 13 or 14 digits; kept and shown as 14"),
]
