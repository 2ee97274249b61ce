"""Codes as buyers type them. `Summer-10`, `SUMMER-10` and full-width letters are one code."""

import re
import unicodedata
from collections.abc import Iterable

# In an order or a cart.
MOST_CODES = 5
_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,39}")


def normalised(code: str) -> str | None:
    """The code as it is stored; None when no code of the shop is written like that."""
    plain = unicodedata.normalize("NFKC", code).strip().upper()
    return plain if _CODE.fullmatch(plain) else None


def joined(codes: Iterable[str]) -> str | None:
    """Several codes in one column, None for none; a code holds no space."""
    return " ".join(codes) or None


def split(codes: str | None) -> list[str]:
    return codes.split() if codes else []
