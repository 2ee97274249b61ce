"""What is decided about a review before it is stored.

`judge` is a pure function of what was sent and of what the shop knows of it. Markup and links are refused before
(`api/reviews/texts.py`), with the place in the text.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Decision = Literal["publish", "queue", "reject"]
STATUS_OF = {"publish": "published", "queue": "queued", "reject": "rejected"}
# A text of so few words is often said twice by different people.
_COMMON_WORDS = 8
# Of a text without spaces, so many characters of one kind.
_LONGEST_RUN = 12


@dataclass(frozen=True, slots=True)
class Submission:
    """A review that is to be stored. `verified`: its author received the product. `copies`: reviews of equal words
    that are there, of anybody and any product."""

    rating: int
    title: str | None
    comment: str
    language: str | None
    verified: bool
    copies: int
    images: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score`: 0 nothing speaks against it, to 1. `reasons`: what does, in words."""

    score: float
    reasons: tuple[str, ...]
    decision: Decision


def judge(review: Submission) -> Verdict:
    """Publish, or let a person look at it."""
    reasons = []
    if review.copies and len(review.comment.split()) >= _COMMON_WORDS:
        reasons.append(f"{review.copies} reviews say the same")
    if _repeats(review.comment):
        reasons.append("repeats one character")
    return Verdict(min(1.0, 0.6 * len(reasons)), tuple(reasons), "queue" if reasons else "publish")


def _repeats(text: str) -> bool:
    run = 1
    for before, after in pairwise(text):
        run = run + 1 if after == before and not after.isspace() else 1
        if run > _LONGEST_RUN:
            return True
    return False
