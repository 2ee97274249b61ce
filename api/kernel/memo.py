"""Values that a process keeps for seconds, each until its tag is dropped; as pages of the process level are."""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from api.kernel import clock
from api.kernel.feeds import Feeds

V = TypeVar("V")
SECONDS = 5.0


class Memo(Generic[V]):
    """At most `most` values by tag, those used least lately leave first; nothing while the feed is not heard."""

    def __init__(self, feeds: Feeds, feed: str, most: int) -> None:
        self._feeds = feeds
        self._feed = feed
        self._most = most
        self._values: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._readings: list[set[str]] = []
        self._forgotten = 0

    def known(self, tags: Collection[str]) -> dict[str, V]:
        """The values that are kept of these."""
        if not self._feeds.trusted(self._feed):
            return {}
        found, now = {}, clock.monotonic()
        for tag in tags:
            kept = self._values.get(tag)
            if kept is not None and kept[0] > now:
                self._values.move_to_end(tag)
                found[tag] = kept[1]
        return found

    @contextmanager
    def reading(self) -> Iterator[dict[str, V]]:
        """Put into the dictionary what was read inside the block; what was dropped meanwhile is not kept."""
        read: dict[str, V] = {}
        dropped: set[str] = set()
        self._readings.append(dropped)
        forgotten = self._forgotten
        try:
            yield read
        finally:
            self._readings = [other for other in self._readings if other is not dropped]
        if forgotten == self._forgotten:
            self._keep({tag: value for tag, value in read.items() if tag not in dropped})

    def drop(self, tags: Collection[str]) -> None:
        for tag in tags:
            self._values.pop(tag, None)
        for dropped in self._readings:
            dropped.update(tags)

    def forget(self) -> None:
        self._values.clear()
        self._forgotten += 1

    def _keep(self, values: Mapping[str, V]) -> None:
        until = clock.monotonic() + SECONDS
        for tag, value in values.items():
            self._values[tag] = (until, value)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
