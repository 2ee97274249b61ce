"""What the filters of lists become in a statement."""

from datetime import UTC, date, datetime, time, timedelta


def day_bounds(since: date | None, until: date | None) -> dict[str, datetime | None]:
    """The binds `since` (at or after) and `until` (before) of a period of days in UTC, both of which count."""
    return {
        "since": None if since is None else datetime.combine(since, time(), UTC),
        "until": None if until is None else datetime.combine(until + timedelta(days=1), time(), UTC),
    }


def literal(text: str) -> str:
    """Text in a pattern of LIKE, where none of its characters means more than itself."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
