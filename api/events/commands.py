"""Append behaviour events to the stream, or to the spool while Redis does not answer."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.exceptions import RedisError

from api.events import spool, stream
from api.events.schemas import BehaviourEvent
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.logs import get_logger

log = get_logger(__name__)

# After a failure the stream is not tried for this long, so that an outage costs one
# timeout a second and not one per request.
REST_SECONDS = 1.0


class EventSink:
    """One per process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._folder: Path = ctx.settings.home / "spool"
        self._resting_until = 0.0

    async def record(self, actor: Actor, events: Sequence[BehaviourEvent]) -> int:
        """Store the events; returns how many were kept.

        All are, unless Redis is unavailable and the spool is full or unwritable.
        """
        received = clock.now()
        entries = [stream.entry_of(event, actor, self._ctx.keys, received) for event in events]
        if clock.monotonic() >= self._resting_until:
            try:
                await stream.publish(self._ctx.redis, entries, self._recent(actor, events))
                return len(entries)
            except RedisError as error:
                self._resting_until = clock.monotonic() + REST_SECONDS
                log.warning("the behaviour stream does not answer, events are spooled", error=type(error).__name__)
        try:
            return await asyncio.to_thread(spool.append, self._folder, entries)
        except OSError:
            log.exception("behaviour events are lost: the spool cannot be written", count=len(entries))
            return 0

    @staticmethod
    def _recent(actor: Actor, events: Sequence[BehaviourEvent]) -> dict[str, list[str]]:
        """Products of interest by owner: the account or guest session of the
        request, else the session named in the events."""
        if actor.signed_in or actor.session_id:
            products = stream.interest_of(events)
            return {actor.key: products} if products else {}
        by_session: dict[str, list[str]] = {}
        for event in events:
            if event.session_id is not None:
                by_session.setdefault(f"session:{event.session_id}", []).extend(stream.interest_of([event]))
        return {owner: products for owner, products in by_session.items() if products}
