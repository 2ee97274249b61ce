"""The only place that reads the time, always as aware UTC. Leases and expiries in SQL use the database's clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, timezone-aware UTC, microsecond resolution."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds from an arbitrary origin, for deadlines and durations; never goes back."""
    return time.monotonic()
