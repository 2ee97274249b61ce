"""How a change in the database reaches the kept pages of every process.

A page depends on *tags*, such as `product:ID`. Whoever follows a *feed* of changes (the outbox relay, the search
indexer) drops the tags that a change puts out of date: it deletes their versions in Redis, so that no page kept there
counts any longer, and tells every process, which drops its own copies. When it has done so for everything that was
committed, it says that too: a process uses kept pages of a feed only while it hears this.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.kernel import clock
from api.kernel.logs import get_logger

log = get_logger(__name__)

CHANNEL = "souk:drops"
# A process that has heard nothing of a feed for this long uses no page of it: it may have missed a drop.
TRUST_SECONDS = 3.0
RECONNECT_SECONDS = 0.5


def version_key(tag: str) -> str:
    """The Redis key of a tag's version."""
    return f"souk:tag:{tag}"


async def announce(redis: Redis, tags: Collection[str], feed: str | None = None) -> None:
    """Drop the pages of `tags`; with `feed`, also say that every change of it that was committed has been dropped.

    Call it after the commit of the change. Raises: RedisError.
    """
    message = orjson.dumps({"tags": sorted(tags), "feed": feed})
    pipeline = redis.pipeline(transaction=bool(tags))
    if tags:
        pipeline.unlink(*(version_key(tag) for tag in tags))
    if tags or feed is not None:
        pipeline.publish(CHANNEL, message)
        await pipeline.execute()


async def announce_soon(redis: Redis, tags: Collection[str]) -> None:
    """Drop the pages of `tags` before the feed does, for the person who made the change. The feed drops them anyway."""
    try:
        await announce(redis, tags)
    except RedisError as error:
        log.info("pages are dropped later, Redis does not answer", error=str(error))


class Feeds:
    """When this process last heard that nothing of a feed was left to drop."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}

    def hear(self, feed: str) -> None:
        self._heard[feed] = clock.monotonic()

    def distrust(self) -> None:
        """Messages may be lost: no page counts until its feed is heard again."""
        self._heard.clear()

    def trusted(self, feed: str) -> bool:
        return clock.monotonic() < self._heard.get(feed, float("-inf")) + TRUST_SECONDS


async def listen(
    redis: Redis, feeds: Feeds, drop: Callable[[Collection[str]], None], forget: Callable[[], None]
) -> None:
    """Hear drops until cancelled. `drop` gets the tags; `forget` is called when drops may have been missed."""
    this = asyncio.current_task()
    assert this is not None
    # Redis' client may lose a cancellation that comes while a connection breaks.
    while not this.cancelling():
        with contextlib.suppress(RedisError, OSError):
            async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(CHANNEL)
                while not this.cancelling():
                    message = await subscription.get_message(timeout=TRUST_SECONDS)
                    if message is not None:
                        said = orjson.loads(message["data"])
                        drop(said["tags"])
                        if said["feed"] is not None:
                            feeds.hear(said["feed"])
        feeds.distrust()
        forget()
        await asyncio.sleep(RECONNECT_SECONDS)
