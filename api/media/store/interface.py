"""What a store of objects does. Every method may take long: call it in a thread, with no transaction open."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class StoreFailed(Exception):
    """The store did not do it, or did not answer."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object and when it was last put."""

    key: str
    put_at: datetime


class ObjectStore(Protocol):
    """Keys are paths of ASCII letters, digits, dots, dashes and slashes. Every method raises StoreFailed."""

    def put(self, key: str, content: bytes) -> None:
        """Once it returns, a crash does not undo it. An object that is there is replaced whole."""
        ...

    def get(self, key: str) -> bytes | None:
        """None when there is no such object."""
        ...

    def delete(self, keys: Collection[str]) -> None:
        """What is not there is deleted already."""
        ...

    def listed(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key begins with the prefix, which ends with a slash, in no order."""
        ...
