"""Append behaviour events to the stream, or to the spool while Redis does not answer or the stream is full.

The stream is full when its consumers have fallen so far behind that it holds `events_stream_limit` entries. Then events
wait in the spool, and when that is full too they are refused: `accepted` says so to the client, an error to the log and
`souk_behaviour_events_total{outcome="refused"}` to the operator. Nothing is dropped silently.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.exceptions import RedisError

from api.events import spool, stream
from api.events.schemas import BehaviourEvent
from api.events.stream import STREAM, Entry
from api.kernel import clock, metrics
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
        self._full = False

    async def record(self, actor: Actor, events: Sequence[BehaviourEvent], *, bot: bool = False) -> int:
        """Store the events; returns how many were kept: all, unless neither the stream nor the spool takes them."""
        received = clock.now()
        entries = [stream.entry_of(event, actor, self._ctx.keys, received, bot=bot) for event in events]
        return await self.send(entries, self._recent(actor, events))

    async def send(self, entries: Sequence[Entry], recent: dict[str, list[str]]) -> int:
        """Store entries, and the latest products of owners; returns how many entries were kept."""
        if await self._publish(entries, recent):
            metrics.BEHAVIOUR_EVENTS.labels("streamed").inc(len(entries))
            return len(entries)
        kept = await self._spool(entries)
        metrics.BEHAVIOUR_EVENTS.labels("spooled").inc(kept)
        if kept < len(entries):
            metrics.BEHAVIOUR_EVENTS.labels("refused").inc(len(entries) - kept)
            log.error("behaviour events are refused: the stream and the spool are full", count=len(entries) - kept)
        return kept

    async def _publish(self, entries: Sequence[Entry], recent: dict[str, list[str]]) -> bool:
        if clock.monotonic() < self._resting_until:
            return False
        limit = self._ctx.settings.events_stream_limit
        try:
            if self._full and await self._ctx.redis.xlen(STREAM) >= limit:
                self._rest("the behaviour stream is full, events are spooled: is `warehouse.events` at work?")
                return False
            self._full = await stream.publish(self._ctx.redis, entries, recent) >= limit
        except RedisError as error:
            self._rest("the behaviour stream does not answer, events are spooled", error=type(error).__name__)
            return False
        return True

    def _rest(self, why: str, **details: str) -> None:
        self._resting_until = clock.monotonic() + REST_SECONDS
        log.warning(why, **details)

    async def _spool(self, entries: Sequence[Entry]) -> int:
        try:
            return await asyncio.to_thread(spool.append, self._folder, entries, self._ctx.settings.events_spool_bytes)
        except OSError:
            log.exception("the spool of behaviour events cannot be written", count=len(entries))
            return 0

    @staticmethod
    def _recent(actor: Actor, events: Sequence[BehaviourEvent]) -> dict[str, list[str]]:
        """Products of interest by owner: the account or guest session of the
        request, else the session named in the events."""
        if actor.signed_in or (actor.session_id and not actor.new_session):
            products = stream.interest_of(events)
            return {actor.key: products} if products else {}
        by_session: dict[str, list[str]] = {}
        for event in events:
            session = event.session_id or actor.session_id
            if session is not None:
                by_session.setdefault(f"session:{session}", []).extend(stream.interest_of([event]))
        return {owner: products for owner, products in by_session.items() if products}
