"""Short messages to every process that listens on a Redis channel: names of what changed.

What is said within a moment goes out as one message, so that saying it costs a busy process nothing. Messages may be
lost: whoever listens must be able to make up for that.
"""

import asyncio
from collections.abc import Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.kernel.logs import get_logger

log = get_logger(__name__)

GATHER_SECONDS = 0.05


class Announcer:
    """What one process has to say."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: dict[str, set[str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def say(self, channel: str, names: Iterable[str]) -> None:
        """Send the names, which have no spaces, within GATHER_SECONDS. Call it after the commit of the change."""
        self._waiting.setdefault(channel, set()).update(names)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._send)

    async def close(self) -> None:
        """Send what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._send()
        await asyncio.gather(*self._sending)

    def _send(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        for channel, names in waiting.items():
            task = asyncio.create_task(self._publish(channel, " ".join(sorted(names))))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _publish(self, channel: str, message: str) -> None:
        try:
            await self._redis.publish(channel, message)
        except RedisError as error:
            log.info("nobody hears what changed, Redis does not answer", channel=channel, error=str(error))
