"""What a process opens at its first use and closes at its end, such as a helper process or a client of a store.

The kernel's own pools are fields of the context; nouns keep theirs here.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


class Held:
    """One object of each type. Use it on the event loop."""

    def __init__(self) -> None:
        self._objects: dict[type[object], object] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def of(self, kind: type[T], make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> T:
        """The object, made when it is first asked for; `close` is awaited when the process ends."""
        found = self._objects.get(kind)
        if found is None:
            made = make()
            self._objects[kind] = made
            if close is not None:
                self._closing.append(lambda: close(made))
            return made
        return cast("T", found)

    async def close(self) -> None:
        for close in reversed(self._closing):
            await close()
        self._closing.clear()
        self._objects.clear()
