"""The shop's Redis stream as a source: one partition, positions are its entry ids."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import redis
from redis.exceptions import RedisError, ResponseError

from warehouse.events.entries import Entry, Positions, SourceUnavailable, moment
from warehouse.logs import get_logger

log = get_logger(__name__)

# The shop has the same names in `api/events/stream.py`; a test compares them.
STREAM = "souk:events:behaviour"
LANDED = "souk:events:behaviour:landed"
# An entry id is milliseconds and a number within them; both fit into one Delta transaction number.
_SEQUENCE_BITS = 20
_LAST_NUMBER = (1 << _SEQUENCE_BITS) - 1
_LAST_TIME = (1 << 63 - _SEQUENCE_BITS) - 1
Answer = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]


class RedisSource:
    """XREAD after the lake's position. What is acknowledged here, the shop's worker may trim."""

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = redis.Redis.from_url(url, socket_timeout=10.0, socket_connect_timeout=2.0)
        self._last = "0-0"

    def open(self, landed: Positions) -> list[str]:
        """A stream that ends before the lake's position was emptied or restored: it is read from its beginning, and
        the ids tell what is new."""
        position, anew = landed(STREAM), list[str]()
        try:
            newest = position_of(self._newest_id())
            if position > newest:
                log.warning("the stream ends before the lake's position, it is read from its beginning", at=newest)
                position, anew = 0, [STREAM]
            self._last = id_of(position)
            self._client.set(LANDED, self._last)
        except RedisError as error:
            raise _unavailable(error) from error
        return anew

    def read(self, limit: int, wait_seconds: float) -> list[Entry]:
        try:
            answer = cast(
                "Answer",
                self._client.xread({STREAM: self._last}, count=limit, block=max(int(wait_seconds * 1000), 1)),
            )
        except RedisError as error:
            raise _unavailable(error) from error
        found = [
            Entry(STREAM, position_of(name.decode()), name.decode(), sent_at(name), fields)
            for _, entries in answer
            for name, fields in entries
        ]
        if found:
            self._last = found[-1].entry_id
        return found

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        try:
            self._client.set(LANDED, id_of(positions[STREAM]))
        except RedisError as error:
            raise _unavailable(error) from error

    def length(self) -> int | None:
        try:
            return cast("int", self._client.xlen(STREAM))
        except RedisError:
            return None

    def close(self) -> None:
        self._client.close()

    def _newest_id(self) -> str:
        try:
            described = cast("dict[str, object]", self._client.xinfo_stream(STREAM))
        except ResponseError:  # no event was ever sent
            return "0-0"
        newest = described["last-generated-id"]
        return newest.decode() if isinstance(newest, bytes) else str(newest)


def position_of(entry_id: str) -> int:
    """An entry id as one number in the same order.

    Redis numbers on within one millisecond while its clock is behind the last entry. Ids beyond the last number that
    fits have the position of that number: after a restart they are read again, and their ids tell that they landed.
    """
    time, _, number = entry_id.partition("-")
    if int(time) > _LAST_TIME:
        return _LAST_TIME << _SEQUENCE_BITS | _LAST_NUMBER
    return int(time) << _SEQUENCE_BITS | min(int(number), _LAST_NUMBER)


def sent_at(entry_id: bytes) -> datetime:
    """When Redis took the entry."""
    return moment(int(entry_id.partition(b"-")[0]))


def id_of(position: int) -> str:
    """The entry id of a position."""
    return f"{position >> _SEQUENCE_BITS}-{position & _LAST_NUMBER}"


def _unavailable(error: RedisError) -> SourceUnavailable:
    return SourceUnavailable(f"Redis: {type(error).__name__}: {error}")
