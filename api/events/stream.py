"""The stream of behaviour events (flat text fields, one entry per event) and
the list of each shopper's latest products."""

from collections.abc import Sequence
from datetime import datetime

from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import EncodableT

from api.events.schemas import BehaviourEvent
from api.kernel.actor import Actor
from api.kernel.ids import new_id
from api.kernel.security import Keys

STREAM = "souk:events:behaviour"
STREAM_MAXLEN = 1_000_000
RECENT_LENGTH = 50
RECENT_SECONDS = 30 * 24 * 3600
# Event types that show interest in a product; an impression only shows that it was on the page.
_INTEREST = frozenset({"view", "click", "addToCart", "purchase"})

Entry = dict[str, str]


def entry_of(event: BehaviourEvent, actor: Actor, keys: Keys, received: datetime) -> Entry:
    """The stream's fields; absent ones are left out. An event with a time in the future gets the time of receipt.

    A session id gives access to a guest's cart, so the stream has `sessionKey` instead, a keyed
    hash that is the same for the same session.
    """
    occurred = min(event.occurred_at or received, received)
    session = actor.session_id or event.session_id
    fields = {
        "eventId": str(event.event_id or new_id()),
        "type": event.type,
        "productId": _text(event.product_id),
        "query": event.query,
        "userId": _text(actor.user_id),
        "sessionKey": session_key(keys, session) if session else None,
        "source": event.source,
        "campaign": event.campaign,
        "position": _text(event.position),
        "quantity": _text(event.quantity),
        "orderId": _text(event.order_id),
        "occurredAt": occurred.isoformat(),
        "receivedAt": received.isoformat(),
    }
    return {name: value for name, value in fields.items() if value is not None}


def session_key(keys: Keys, session_id: str) -> str:
    """32 hex digits that identify a session but give no access to it."""
    return keys.sign("session", session_id.encode()).hex()


def interest_of(events: Sequence[BehaviourEvent]) -> list[str]:
    """Product ids the shopper showed interest in, in the order sent."""
    return [str(event.product_id) for event in events if event.type in _INTEREST and event.product_id is not None]


def recent_key(owner: str) -> str:
    """The Redis key of the latest products of `user:ID` or `session:ID`, newest first."""
    return f"souk:recent:{owner}"


async def publish(redis: Redis, entries: Sequence[Entry], recent: dict[str, list[str]]) -> None:
    """Append the entries and update each shopper's latest products, in one round trip. Raises: RedisError."""
    pipeline = redis.pipeline(transaction=False)
    for entry in entries:
        fields: dict[EncodableT, EncodableT] = dict(entry.items())
        pipeline.xadd(STREAM, fields, maxlen=STREAM_MAXLEN, approximate=True)
    for owner, products in recent.items():
        key = recent_key(owner)
        pipeline.lpush(key, *products[-RECENT_LENGTH:])
        pipeline.ltrim(key, 0, RECENT_LENGTH - 1)
        pipeline.expire(key, RECENT_SECONDS)
    await pipeline.execute()


async def recent_products(redis: Redis, actor: Actor) -> list[str]:
    """Product ids the actor showed interest in, oldest first, each once; empty when Redis is unavailable."""
    owners = [actor.key] if actor.signed_in or actor.session_id else []
    if actor.signed_in and actor.session_id:
        owners.append(f"session:{actor.session_id}")
    if not owners:
        return []
    try:
        pipeline = redis.pipeline(transaction=False)
        for owner in owners:
            pipeline.lrange(recent_key(owner), 0, RECENT_LENGTH - 1)
        newest_first = [product for found in await pipeline.execute() for product in found]
    except RedisError:
        return []
    return list(reversed(dict.fromkeys(newest_first)))


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
