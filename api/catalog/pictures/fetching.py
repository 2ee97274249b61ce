"""Fetches pictures of which only the address is known; the rows that say so are the queue.

A row is claimed by one statement, for as long as a fetch may take: who dies leaves it to be claimed again after that.
Several servers are asked at once, in turn, each with few requests; one that does not answer rests. What arrives is
shown by a commit of its own, which changes the product as any save does: with its version, its event and its judgement.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Integer,
    Interval,
    String,
    all_,
    bindparam,
    cast,
    delete,
    func,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased

from api.catalog.commands.change import lock_own
from api.catalog.commands.images import shown_by
from api.catalog.commands.keeping import Change
from api.catalog.errors import ProductNotFound
from api.catalog.models import AwaitedImage, Product, ProductImage
from api.catalog.pages import product_tag
from api.catalog.pictures.commands import kept, save_shown
from api.kernel import clock, failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import ValidationFailed
from api.kernel.feeds import announce_soon
from api.kernel.logs import get_logger
from api.media.commands import Taken, show, take_in_address
from api.media.errors import StoreSilent
from api.media.outside import Unreachable
from api.media.press.formats import Refused
from api.media.press.parent import press_of

log = get_logger(__name__)

# Pictures that one process fetches at a time, and those of them that one server is asked for.
AT_ONCE, AT_ONCE_OF_HOST = 8, 2
# A picture that could not be fetched so often is given up.
MOST_TRIES = 5
# In times of SOUK_MEDIA_FETCH_SECONDS: how long a claim holds; the wait after the first try, of which each further one
# is a multiple; and the rest of a server that does not answer, doubled by each failure up to the longest.
CLAIM, WAIT, LONGER, LONGEST_REST = 6, 3, 6, 60
# What a seller named for another product is not fetched again for so long.
SAME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this process works on."""

    image_id: UUID
    product_id: UUID
    seller_id: UUID
    source: str
    host: str
    tries: int


class Turn:
    """Whose turn it is to fetch an address for a seller. What the first one was told is told to the others too."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.taken: Taken | None = None
        # Not the exception: it would hold its frames, and they the turn.
        self.refused: tuple[type[Refused], str] | None = None


class Fetching:
    """What this process fetches now, and the servers that it leaves alone."""

    def __init__(self) -> None:
        self.after = ""
        self.turns: WeakValueDictionary[tuple[UUID, str], Turn] = WeakValueDictionary()
        self._running: set[asyncio.Task[None]] = set()
        self._asked: Counter[str] = Counter()
        # Host -> how often it failed since it last answered, and until when it rests.
        self._failed: dict[str, tuple[int, float]] = {}

    @property
    def running(self) -> int:
        """How many pictures are fetched now."""
        return len(self._running)

    @property
    def has_room(self) -> bool:
        return self.running < AT_ONCE

    def avoided(self) -> list[str]:
        """Servers that are not asked for more just now."""
        now = clock.monotonic()
        busy = [host for host, requests in self._asked.items() if requests >= AT_ONCE_OF_HOST]
        return [*busy, *(host for host, (_, until) in self._failed.items() if until > now)]

    def seconds_of_rest(self) -> float | None:
        """How long it is until the next server has rested; None when none rests."""
        now = clock.monotonic()
        return min((until - now for _, until in self._failed.values() if until > now), default=None)

    def answered(self, host: str) -> None:
        self._failed.pop(host, None)

    def rests(self, host: str, seconds: float) -> None:
        """It did not answer; `seconds` is the unit of its rest."""
        now = clock.monotonic()
        forgotten = now - LONGEST_REST * seconds
        self._failed = {one: state for one, state in self._failed.items() if state[1] > forgotten}
        failures = self._failed.get(host, (0, now))[0] + 1
        self._failed[host] = (failures, now + seconds * min(WAIT * 2 ** (failures - 1), LONGEST_REST))

    def begin(self, ctx: Context, one: Claimed, ended: Callable[[], None]) -> None:
        self._asked[one.host] += 1
        task = asyncio.create_task(_fetch(ctx, self, one), name="awaited picture")
        self._running.add(task)

        def end(done: asyncio.Task[None]) -> None:
            self._running.discard(done)
            self._asked -= Counter({one.host: 1})
            error = None if done.cancelled() else done.exception()
            if error is not None:
                log.error("a picture was not fetched, it is tried again", image_id=str(one.image_id), exc_info=error)
            ended()

        task.add_done_callback(end)

    async def close(self) -> None:
        for task in (running := [*self._running]):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def fetch_due(ctx: Context, ended: Callable[[], None]) -> int:
    """Begin to fetch what is due, as far as there is room; how many pictures. `ended` is called after each, when there
    may be room for others."""
    fetching, begun = fetching_of(ctx), 0
    while fetching.has_room and (one := await _claimed(ctx, fetching)) is not None:
        fetching.begin(ctx, one, ended)
        begun += 1
    return begun


async def seconds_left(ctx: Context) -> float | None:
    """How long it is until a picture is due; None when none is awaited, or there is no room for it."""
    fetching = fetching_of(ctx)
    if not fetching.has_room:
        return None
    async with ctx.db.read() as tx:
        left: float | None = await tx.scalar(_LEFT, {"after": "", "avoided": fetching.avoided()})
    found = [seconds for seconds in (left, fetching.seconds_of_rest()) if seconds is not None]
    return max(min(found), 0.0) if found else None


def fetching_of(ctx: Context) -> Fetching:
    """That of this process. What it needs to end its work is opened before it, so closed after it."""
    press_of(ctx)
    return ctx.held.of(Fetching, Fetching, Fetching.close)


async def _claimed(ctx: Context, fetching: Fetching) -> Claimed | None:
    """The next row of the server after the last one, which may be the first again."""
    values = {"avoided": fetching.avoided(), "lease": timedelta(seconds=CLAIM * ctx.settings.media_fetch_seconds)}
    for after in (fetching.after, "") if fetching.after else ("",):
        one = await ctx.db.run_alone(partial(_claim, values={**values, "after": after}))
        if one is not None:
            fetching.after = one.host
            return one
    return None


async def _claim(tx: Tx, values: dict[str, object]) -> Claimed | None:
    return await tx.first_as(Claimed, _CLAIM, values)


async def _fetch(ctx: Context, fetching: Fetching, one: Claimed) -> None:
    """Fetch a picture and show it, or say why not. A row of which neither is said is claimed again later."""
    unit = ctx.settings.media_fetch_seconds
    # What is named several times waits for the first, and is fetched once. Held to the end: then others read the rows.
    turn = fetching.turns.setdefault((one.seller_id, one.source), Turn())
    try:
        async with turn.lock:
            taken = await _taken(ctx, fetching, turn, one)
        failpoints.hit("media.before_arrival")
        if await ctx.db.run(lambda tx: _arrive(tx, ctx, one, taken)):
            failpoints.hit("media.after_arrival")
            await announce_soon(ctx.redis, (product_tag(one.product_id),))
    except Unreachable as unreachable:
        wait = None if one.tries >= MOST_TRIES else timedelta(seconds=unit * WAIT * LONGER ** (one.tries - 1))
        await ctx.db.once(_LATER, _said(one, str(unreachable), wait))
    except Refused as refused:
        await ctx.db.once(_LATER, _said(one, str(refused), None))
    except (StoreSilent, ValidationFailed) as problem:
        log.warning("a picture cannot be kept now", image_id=str(one.image_id), problem=problem.code)
        await ctx.db.once(_PUT_BACK, {"of_image": one.image_id, "begun": one.tries, "wait": timedelta(seconds=unit)})


async def _taken(ctx: Context, fetching: Fetching, turn: Turn, one: Claimed) -> Taken:
    """Raises: Refused, with Unreachable among them; StoreSilent."""
    if one.tries > MOST_TRIES:
        raise Refused("could not be worked on")
    if turn.refused is not None:
        kind, words = turn.refused
        raise kind(words)
    turn.taken = turn.taken or await _same(ctx, one)
    if turn.taken is not None:
        return turn.taken
    try:
        turn.taken = await take_in_address(ctx, one.source)
    except Refused as refused:
        turn.refused = (type(refused), str(refused))
        if isinstance(refused, Unreachable):
            fetching.rests(one.host, ctx.settings.media_fetch_seconds)
        else:
            fetching.answered(one.host)
        raise
    fetching.answered(one.host)
    return turn.taken


async def _same(ctx: Context, one: Claimed) -> Taken | None:
    """What the seller has had fetched from the address for another product, not long ago."""
    asked = {"source": one.source, "seller_id": one.seller_id, "age": SAME}
    async with ctx.db.read() as tx:
        found = await tx.first(_FETCHED, asked)
    return None if found is None else Taken(found[0], 0, None, one.source)


async def _arrive(tx: Tx, ctx: Context, one: Claimed, taken: Taken) -> bool:
    """The product shows the picture at its place; False when it is not awaited any more."""
    try:
        current = await lock_own(tx, Actor(kind="seller", user_id=one.seller_id), one.product_id, None)
    except ProductNotFound:
        await tx.execute(delete(AwaitedImage).where(AwaitedImage.image_id == one.image_id))
        return False
    was = await shown_by(tx, one.product_id)
    awaited = next((image for image in was if image.image_id == one.image_id and image.picture is None), None)
    if awaited is None or awaited.source != one.source:
        return False
    name = (await show(tx, "product", one.product_id, [*kept(was), taken]))[-1]
    images = [image.arrived(name, one.source) if image is awaited else image for image in was]
    await save_shown(tx, ctx, one.product_id, current, was=was, images=images, change=Change("service"))
    failpoints.hit("media.in_arrival")
    return True


def _said(one: Claimed, reason: str, wait: timedelta | None) -> dict[str, object]:
    return {
        "of_seller": one.seller_id,
        "of_source": one.source,
        "said": reason[:300],
        "wait": wait,
        "begun": one.tries,
    }


_AVOIDED = bindparam("avoided", type_=ARRAY(String))
_First = aliased(AwaitedImage)


def _host_after(host: ColumnElement[str]) -> ColumnElement[str]:
    """The next server that is to be asked for a picture, found in the index whatever the others are asked for."""
    one = aliased(AwaitedImage)
    return (
        select(one.host)
        .where(one.next_try.is_not(None), one.host > host, one.host != all_(_AVOIDED))
        .order_by(one.host)
        .limit(1)
        .scalar_subquery()
    )


def _hosts() -> CTE:
    begun = select(_host_after(bindparam("after", type_=String)).label("host")).cte("hosts", recursive=True)
    return begun.union_all(select(_host_after(begun.c.host)).where(begun.c.host.is_not(None)))


_HOSTS = _hosts()
_DUE = (
    select(_First.image_id)
    .where(_First.host == _HOSTS.c.host, _First.next_try <= func.now())
    .order_by(_First.next_try)
    .limit(1)
    .with_for_update(skip_locked=True)
    .correlate(_HOSTS)
    .lateral("due")
)
_CLAIM = (
    update(AwaitedImage)
    .where(
        AwaitedImage.image_id
        == select(_DUE.c.image_id).select_from(_HOSTS.join(_DUE, true())).limit(1).scalar_subquery()
    )
    .values(tries=AwaitedImage.tries + 1, next_try=func.now() + bindparam("lease", type_=Interval))
    .returning(
        AwaitedImage.image_id, AwaitedImage.product_id, AwaitedImage.seller_id, AwaitedImage.source,
        AwaitedImage.host, AwaitedImage.tries,
    )
)  # fmt: skip
_NEXT = (
    select(_First.next_try)
    .where(_First.host == _HOSTS.c.host, _First.next_try.is_not(None))
    .order_by(_First.next_try)
    .limit(1)
    .correlate(_HOSTS)
    .lateral("next")
)
_LEFT = select(
    cast(func.extract("epoch", func.min(_NEXT.c.next_try) - func.clock_timestamp()), Float).label("left")
).select_from(_HOSTS.join(_NEXT, true()))
_FETCHED = (
    select(ProductImage.picture)
    .join(Product, Product.product_id == ProductImage.product_id)
    .where(
        ProductImage.source == bindparam("source", type_=String),
        Product.seller_id == bindparam("seller_id"),
        ProductImage.created_at > func.now() - bindparam("age", type_=Interval),
    )
    .order_by(ProductImage.created_at.desc())
    .limit(1)
)
# What the seller awaits from the address is known for all of it; but for what another process has begun since.
_LATER = (
    update(AwaitedImage)
    .where(
        AwaitedImage.seller_id == bindparam("of_seller"),
        AwaitedImage.source == bindparam("of_source"),
        AwaitedImage.next_try.is_not(None),
        AwaitedImage.tries <= bindparam("begun", type_=Integer),
    )
    .values(
        reason=bindparam("said", type_=String),
        tries=bindparam("begun", type_=Integer),
        next_try=func.now() + bindparam("wait", type_=Interval),
    )
)
# It is nobody's fault: the try does not count.
_PUT_BACK = (
    update(AwaitedImage)
    .where(AwaitedImage.image_id == bindparam("of_image"), AwaitedImage.tries == bindparam("begun", type_=Integer))
    .values(tries=AwaitedImage.tries - 1, next_try=func.now() + bindparam("wait", type_=Interval))
)
