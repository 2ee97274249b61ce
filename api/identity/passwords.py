"""The password rules: NIST SP 800-63B-4, section 3.1.1.2, without composition rules.

The standard asks for 15 characters where the password is the only factor and 8 where it is one of two. The
shop requires 8, because the second factor is optional and shoppers leave a shop that refuses passwords which
other shops accept. The list of common passwords and the context words below refuse easy guesses, and Argon2id
makes offline guessing expensive. All characters are allowed, spaces included; up to 128 characters are used
without truncation; passwords do not expire.
"""

import unicodedata
from functools import cache
from importlib.resources import files
from itertools import pairwise

from api.kernel.errors import FieldError, ValidationFailed

MIN_LENGTH = 8
MAX_LENGTH = 128
CONTEXT_WORDS = frozenset({"souk", "password", "marketplace"})
# A context word with fewer other characters than this is easy to guess: "souk2026", "anna1234".
FREE_CHARACTERS = 7


def require_acceptable(password: str, *, email: str, name: str) -> None:
    """Raises: ValidationFailed naming the reason. The password itself is never repeated, logged or stored."""
    reason = _refusal(password, email, name)
    if reason is not None:
        raise ValidationFailed("Choose another password.", errors=[FieldError(pointer="/password", message=reason)])


def normalised(password: str) -> str:
    """NFKC, as the standard asks, so that the same keys pressed on two systems give the same bytes."""
    return unicodedata.normalize("NFKC", password)


def _refusal(password: str, email: str, name: str) -> str | None:
    if len(password) < MIN_LENGTH:
        return f"at least {MIN_LENGTH} characters"
    if len(password) > MAX_LENGTH:
        return f"at most {MAX_LENGTH} characters"
    folded = password.casefold()
    if folded in _common():
        return "this password is among the most common ones"
    if len(set(folded)) <= 2 or _is_run(folded):
        return "repeated or consecutive characters are guessed first"
    words = CONTEXT_WORDS | {email.partition("@")[0].casefold(), *name.casefold().split()}
    if any(len(word) >= 4 and word in folded and len(folded) - len(word) < FREE_CHARACTERS for word in words):
        return "too close to your name, your e-mail address or the name of the shop"
    return None


def _is_run(folded: str) -> bool:
    """12345678, abcdefgh, 87654321: every step the same, one up or one down."""
    steps = {ord(after) - ord(before) for before, after in pairwise(folded)}
    return len(steps) == 1 and abs(steps.pop()) <= 1


@cache
def _common() -> frozenset[str]:
    """The shipped list, casefolded, one a line."""
    text = files("api.identity").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.strip().casefold() for line in text.splitlines() if line.strip() and not line.startswith("#"))
