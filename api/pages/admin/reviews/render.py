"""Renders the queue of reviews as HTML."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from api.kernel import clock
from api.pages.admin.entry import environment
from api.reviews.moderation.schemas import WaitingReview

CAUSES = {
    "submitted": "New", "edited": "Edited", "language": "Language", "suspected": "Suspected", "reported": "Reported",
    "administrator": "Decided", "reopened": "Reopened", "appeal": "Appeal",
}  # fmt: skip
# What a form did, as the page after it says it; the address carries only the key.
SAID = {
    "publish": "Published. Its author is told.",
    "reject": "Rejected. Its author is told why, and may appeal once.",
    "why": "Say why: the author of a rejected review is told.",
    "elsewhere": "It was decided or edited meanwhile; the list below is as it is now.",
    "released": "The votes count again.",
}
_environment = environment(Path(__file__).parent / "templates")


def queue_page(waiting: Sequence[WaitingReview], following: str | None, *, csrf: str, said: str | None) -> str:
    """The reviews that wait; `following`: the cursor of the next page."""
    return _environment.get_template("reviews.html").render(
        waiting=waiting, following=following, csrf=csrf, said=said, causes=CAUSES
    )


def ago(value: datetime) -> str:
    """How long something is ago: `3 days`, `5 hours`, `2 minutes`."""
    seconds = max(0, int((clock.now() - value).total_seconds()))
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"


def stars(value: int) -> str:
    """`★★★☆☆`"""
    return "★" * value + "☆" * (5 - value)


_environment.filters.update(ago=ago, stars=stars)
