"""How late a parcel is: a pure function of what was promised and what happened."""

from datetime import date, datetime


def days_late(promised_on: date | None, delivered_at: datetime | None, now: datetime) -> int:
    """Days from the promised day to the day of arrival, or until now; 0 when it is in time, or nothing was promised."""
    if promised_on is None:
        return 0
    arrived = now if delivered_at is None else delivered_at
    return max((arrived.date() - promised_on).days, 0)
