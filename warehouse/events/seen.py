"""The ids that landed within the horizon, as 64-bit hashes: eight bytes each, so that a month of a busy shop fits.

A hash that is not here is certainly new. One that is here is probably a repeat; the lake's rows decide.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from hashlib import md5

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
# The same number in DuckDB, which reads millions of ids at the start.
HASH_SQL = "md5_number_lower(origin || ':' || event_id)"


def hash_of(origin: str, event_id: str) -> int:
    """The 64-bit hash of one id."""
    digest = md5(f"{origin}:{event_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


class SeenIds:
    """A sorted array for each day of receipt; days older than the horizon are forgotten."""

    def __init__(self, horizon: timedelta) -> None:
        self._horizon = horizon
        self._days: dict[date, Hashes] = {}

    def __len__(self) -> int:
        return sum(len(hashes) for hashes in self._days.values())

    def add(self, day: date, hashes: Iterable[int] | Hashes) -> None:
        """Remember ids that were received on `day`."""
        fresh = np.sort(np.fromiter(hashes, np.uint64) if not isinstance(hashes, np.ndarray) else hashes)
        held = self._days.get(day)
        self._days[day] = fresh if held is None else np.insert(held, np.searchsorted(held, fresh), fresh)

    def probable(self, hashes: Sequence[int]) -> list[bool]:
        """For each hash whether it was added."""
        wanted = np.array(hashes, np.uint64)
        found = np.zeros(len(wanted), bool)
        for held in self._days.values():
            places = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
            found |= held[places] == wanted
        return [bool(one) for one in found]

    def expire(self, today: date) -> None:
        """Forget the days before the horizon."""
        for day in [day for day in self._days if day < today - self._horizon - timedelta(days=1)]:
            del self._days[day]
