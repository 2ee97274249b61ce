"""The only place that reads the time. Aware UTC always; leases and expiries in SQL use the database's clock instead."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, timezone-aware UTC, microsecond resolution."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds from an arbitrary origin, for deadlines and durations; never goes back."""
    return time.monotonic()
