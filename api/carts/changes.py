"""Streams of a cart's changes: whoever looks at a cart hears within a moment that another device changed it.

Whoever has committed a change says whose cart it was (`announce`); what is said within a moment goes to Redis in one
message. A process that has streams open listens, reads the carts of its streams that were named, all in one statement,
and each stream sends the version. So an open stream costs Postgres nothing until its cart changes. A message that is
lost, with Redis or with the process that was to send it, is made up for when the process hears of Redis again, and by
the client, who names the last event that it has seen.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from dataclasses import dataclass, field

import orjson
import psycopg
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from api.carts.errors import TooManyStreams
from api.carts.queries import NO_CART, CartState, states_of
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.logs import get_logger

log = get_logger(__name__)

CHANNEL = "souk:carts"
RECONNECT_SECONDS = 0.5
LISTEN_SECONDS = 5.0
HEARTBEAT_SECONDS = 15.0
# A stream ends after this long; the client connects again, with what it may then still see.
STREAM_SECONDS = 300.0
# How long a new stream waits for Redis before it begins without.
JOIN_SECONDS = 1.0
STREAMS_OF_ONE = 10


def name_of(actor: Actor) -> str:
    """What stands for the actor in messages: a session id is a secret."""
    return hashlib.blake2b(actor.key.encode(), digest_size=12).hexdigest()


def announce(ctx: Context, names: Iterable[str]) -> None:
    """Say that the carts of these names, or with these ids, changed. Call it after the commit."""
    ctx.announcer.say(CHANNEL, names)


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream. `state`: the cart as it was last read, None before; `seen`: the id of the last event that the
    client has."""

    actor: Actor
    seen: str | None
    state: CartState | None = None
    open: bool = True
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The open streams of one process, at most `most`."""

    def __init__(self, ctx: Context, most: int) -> None:
        self._ctx = ctx
        self._most = most
        self._by_name: dict[str, set[Stream]] = {}
        self._by_cart: dict[str, set[Stream]] = {}
        self._count = 0
        self._listener: asyncio.Task[None] | None = None
        self._hearing = asyncio.Event()
        self._due: set[Stream] = set()
        self._closed = False

    @contextlib.contextmanager
    def joined(self, stream: Stream) -> Iterator[None]:
        """Count the stream as open. Raises: TooManyStreams."""
        name = name_of(stream.actor)
        if self._closed or self._count >= self._most or len(self._by_name.get(name, ())) >= STREAMS_OF_ONE:
            raise TooManyStreams("Close another stream of the cart, or read the cart now and then.", retry_after=30)
        self._count += 1
        self._by_name.setdefault(name, set()).add(stream)
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            self._count -= 1
            stream.open = False
            self._due.discard(stream)
            _discard(self._by_name, name, stream)
            self._forget_cart(stream)
            if not self._count:
                self._stop()

    def close(self) -> None:
        """End every stream: the process is stopping."""
        self._closed = True
        for stream in self._all():
            stream.changed.set()

    async def events(self, stream: Stream) -> AsyncIterator[bytes]:
        """What is sent on a stream that is open, until it ends."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + STREAM_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hearing.wait(), JOIN_SECONDS)
        await self._read([stream])
        yield b"retry: 2000\n" + self._begins(stream)
        while not self._closed and (left := ends - loop.time()) > 0:
            try:
                await asyncio.wait_for(stream.changed.wait(), min(HEARTBEAT_SECONDS, left))
            except TimeoutError:
                yield b":\n\n"
                continue
            stream.changed.clear()
            state = stream.state or NO_CART
            if state.event_id != stream.seen:
                stream.seen = state.event_id
                yield _event(state)

    def _begins(self, stream: Stream) -> bytes:
        """What was missed since the event that the client names; otherwise only the id to name."""
        state = stream.state or NO_CART
        missed = stream.seen is not None and stream.seen != state.event_id
        stream.seen = state.event_id
        stream.changed.clear()
        return _event(state) if missed else f"id: {state.event_id}\n\n".encode()

    async def _listen(self) -> None:
        this = asyncio.current_task()
        assert this is not None
        # Redis' client may lose a cancellation that comes while a connection breaks.
        while not this.cancelling():
            with contextlib.suppress(RedisError, OSError):
                async with self._ctx.redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    # What was said before the subscription is heard of by reading every cart again.
                    self._due |= self._all()
                    while not this.cancelling():
                        await self._hear(subscription)
                        await self._read_due()
            self._hearing.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self, subscription: PubSub) -> None:
        """The next message, with all that have come by then."""
        message = await subscription.get_message(timeout=LISTEN_SECONDS)
        while message is not None:
            if message["type"] == "subscribe":
                self._hearing.set()
            else:
                for name in message["data"].split():
                    self._due |= self._by_name.get(name, set()) | self._by_cart.get(name, set())
            message = await subscription.get_message(timeout=0.0)

    async def _read_due(self) -> None:
        """Read the carts that were named; they stay due while the database does not answer."""
        due = list(self._due)
        try:
            await self._read(due)
        except psycopg.Error as error:
            log.warning("streams of carts wait for the database", error=str(error))
            return
        self._due.difference_update(due)

    async def _read(self, streams: Collection[Stream]) -> None:
        """Read the carts of the streams, and wake those whose cart is another."""
        if not streams:
            return
        async with self._ctx.db.read() as tx:
            states = await states_of(tx, [stream.actor for stream in streams])
        for stream in streams:
            state = states.get(stream.actor.key, NO_CART)
            if state != stream.state and stream.open:
                self._forget_cart(stream)
                stream.state = state
                self._by_cart.setdefault(str(state.cart_id), set()).add(stream)
                stream.changed.set()

    def _forget_cart(self, stream: Stream) -> None:
        if stream.state is not None:
            _discard(self._by_cart, str(stream.state.cart_id), stream)

    def _all(self) -> set[Stream]:
        return {stream for streams in self._by_name.values() for stream in streams}

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            self._listener = None
            self._hearing.clear()
            self._due.clear()


def _discard(of: dict[str, set[Stream]], name: str, stream: Stream) -> None:
    streams = of.get(name, set())
    streams.discard(stream)
    if not streams:
        of.pop(name, None)


def _event(state: CartState) -> bytes:
    data = {"cartId": state.cart_id, "version": state.version, "itemCount": state.units}
    return b"event: cart\nid: %b\ndata: %b\n\n" % (state.event_id.encode(), orjson.dumps(data))
