"""The stream of behaviour events (flat text fields, one entry per event), and each shopper's latest products.

An entry stays in the stream until every consumer has it durably: the counters of `consumers.py`, whose positions are in
Postgres, and the lake, which writes its position to `LANDED`. Nothing else shortens the stream; how long it may become
is decided where events are sent (`commands.py`, `jobs.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.events.contacts import without_contacts
from api.events.schemas import BehaviourEvent
from api.kernel.actor import Actor
from api.kernel.ids import new_id
from api.kernel.security import Keys

STREAM = "souk:events:behaviour"
# The last entry that is in the lake, written by `warehouse/events/redis_source.py`; a test compares the names.
LANDED = "souk:events:behaviour:landed"
RECENT_LENGTH = 50
RECENT_SECONDS = 30 * 24 * 3600
# Event types that show interest in a product; an impression only shows that it was on the page.
_INTEREST = frozenset({"view", "click", "addToCart", "purchase"})

Entry = dict[str, str]
# KEYS: the stream. ARGV: entries as JSON, each a list of names and values in turn. To write a command for each entry
# takes this process twenty times as long.
_APPEND = """
for _, entry in ipairs(cjson.decode(ARGV[1])) do redis.call('XADD', KEYS[1], '*', unpack(entry)) end
return redis.call('XLEN', KEYS[1])
"""
# Redis does nothing else while it appends so many.
_APPENDED = 100
# KEYS: an owner's latest products, and whether none are kept. ARGV: how many, for how long, and the products.
_KEEP = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('LPUSH', KEYS[1], unpack(ARGV, 3))
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


def entry_of(event: BehaviourEvent, actor: Actor, keys: Keys, received: datetime, *, bot: bool = False) -> Entry:
    """The stream's fields; absent ones are left out. An event with a time in the future gets the time of receipt.

    `timeSource` says so, and also when the client gave no time.

    A session id gives access to a guest's cart, so the stream has `sessionKey` instead, a keyed
    hash that is the same for the same session.
    """
    occurred = min(event.occurred_at or received, received)
    future = event.occurred_at is not None and event.occurred_at > received
    # A client that has a session of its own names it until it has taken ours.
    named = event.session_id
    session = (named if actor.new_session else None) or actor.session_id or named
    fields = {
        "eventId": str(event.event_id or new_id()),
        "type": event.type,
        "productId": _text(event.product_id),
        "query": None if event.query is None else without_contacts(event.query),
        "userId": _text(actor.user_id),
        "sessionKey": session_key(keys, session) if session else None,
        "source": event.source,
        "campaign": event.campaign,
        "position": _text(event.position),
        "quantity": _text(event.quantity),
        "orderId": _text(event.order_id),
        "resultCount": _text(event.result_count),
        "searchId": _text(event.search_id),
        "bot": "1" if bot else None,
        "timeSource": "future" if future else None if event.occurred_at else "server",
        "occurredAt": occurred.isoformat(),
        "receivedAt": received.isoformat(),
    }
    return {name: value for name, value in fields.items() if value is not None}


def forgetting_of(user: UUID, asked: datetime) -> Entry:
    """The shop's word that an account wants what it searched for until now erased; the lake does it."""
    moment = asked.isoformat()
    return {
        "eventId": str(new_id()),
        "origin": "server",
        "type": "forgetSearches",
        "userId": str(user),
        "timeSource": "server",
        "occurredAt": moment,
        "receivedAt": moment,
    }


def purchase_of(
    keys: Keys,
    *,
    line: UUID,
    order: UUID,
    product: UUID,
    quantity: int,
    user: UUID | None,
    guest_session: str | None,
    placed: datetime,
    received: datetime,
) -> Entry:
    """The purchase of one order line, said by the shop itself. Its id is the line's, so it is the same each time.

    No client can take that id: an id belongs to the origin that the entry names.
    """
    fields = {
        "eventId": str(line),
        "origin": "server",
        "type": "purchase",
        "productId": str(product),
        "userId": _text(user),
        "sessionKey": session_key(keys, guest_session) if guest_session else None,
        "quantity": str(quantity),
        "orderId": str(order),
        "timeSource": "server",
        "occurredAt": placed.isoformat(),
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


def unwatched_key(owner: str) -> str:
    """The Redis key that says that no products of this owner are kept."""
    return f"souk:unwatched:{owner}"


async def publish(redis: Redis, entries: Sequence[Entry], recent: dict[str, list[str]]) -> int:
    """Append the entries and update each shopper's latest products, in one round trip; returns the stream's length.

    Raises: RedisError.
    """
    pipeline = redis.pipeline(transaction=False)
    for owner, products in recent.items():
        keys = (recent_key(owner), unwatched_key(owner))
        pipeline.eval(_KEEP, len(keys), *keys, RECENT_LENGTH, RECENT_SECONDS, *products[-RECENT_LENGTH:])
    for start in range(0, len(entries), _APPENDED):
        flat = [list(chain.from_iterable(entry.items())) for entry in entries[start : start + _APPENDED]]
        pipeline.eval(_APPEND, 1, STREAM, orjson.dumps(flat))
    return int((await pipeline.execute())[-1])


async def trim(redis: Redis, counted: Sequence[str]) -> int:
    """Delete the entries that the lake and every counter have; returns how many. `counted`: the counters' positions.

    Nothing before the lake has reported: a stream without its reader keeps everything. Raises: RedisError.
    """
    landed = await redis.get(LANDED)
    if landed is None or not counted:
        return 0
    slowest = min((landed, *counted), key=_order)
    moment, number = _order(slowest)
    return int(await redis.xtrim(STREAM, minid=f"{moment}-{number + 1}", approximate=False))


async def hand_over(redis: Redis, session_id: str, user_id: UUID) -> None:
    """Make the latest products of a guest's session the account's. Without Redis they are lost."""
    guest, member = recent_key(f"session:{session_id}"), recent_key(f"user:{user_id}")
    try:
        pipeline = redis.pipeline(transaction=False)
        pipeline.lrange(guest, 0, RECENT_LENGTH - 1)
        (products,) = await pipeline.execute()
        if not products:
            return
        keys = (member, unwatched_key(f"user:{user_id}"))
        pipeline.eval(_KEEP, len(keys), *keys, RECENT_LENGTH, RECENT_SECONDS, *reversed(products))
        pipeline.delete(guest)
        await pipeline.execute()
    except RedisError:
        return


async def recent_products(redis: Redis, actor: Actor) -> list[str]:
    """Product ids the actor showed interest in, oldest first, each once; empty when Redis is unavailable."""
    owners = _owners(actor)
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


async def forget_recent(redis: Redis, actor: Actor) -> None:
    """Forget the products that the actor showed interest in. Raises: RedisError."""
    if owners := _owners(actor):
        await redis.delete(*map(recent_key, owners))


async def keep_recent(redis: Redis, actor: Actor, *, keep: bool) -> None:
    """Keep the actor's latest products from now on, or none. Raises: RedisError."""
    pipeline = redis.pipeline()
    for owner in _owners(actor):
        if keep:
            pipeline.delete(unwatched_key(owner))
        else:
            pipeline.delete(recent_key(owner))
            # A guest's choice ends with the list that it is about; a member's is kept elsewhere too.
            pipeline.set(unwatched_key(owner), "1", ex=None if owner == f"user:{actor.user_id}" else RECENT_SECONDS)
    await pipeline.execute()


async def keeps_recent(redis: Redis, actor: Actor) -> bool:
    """Whether the actor's latest products are kept, as far as Redis knows."""
    owners = _owners(actor)
    try:
        return not owners or not await redis.exists(*map(unwatched_key, owners))
    except RedisError:
        return True


def _owners(actor: Actor) -> list[str]:
    """Under whose names the actor's products are kept: the account's, and the session's."""
    owners = [actor.key] if actor.signed_in or actor.session_id else []
    if actor.signed_in and actor.session_id:
        owners.append(f"session:{actor.session_id}")
    return owners


def _order(entry_id: str) -> tuple[int, int]:
    moment, _, number = entry_id.partition("-")
    return int(moment), int(number)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
