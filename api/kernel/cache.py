"""Ready pages, kept in two levels: in this process for seconds, in Redis for 15 to 60 minutes. Nothing personal.

A page is kept with the versions that its tags had before it was read from the database. A version is a random text in
Redis; dropping a tag deletes it (`feeds.py`), and the next reader makes a new one. So a page that was read before a
change and is stored after its drop has an old version and never counts, and Redis may lose any key at any time.

Money and stock of a checkout never come from here.
"""

import asyncio
import random
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Literal, Protocol

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.kernel import clock, feeds, metrics
from api.kernel.logs import get_logger
from api.kernel.memo import Memo

log = get_logger(__name__)

PROCESS_SECONDS = 5.0
# At random between the two, so that pages that were filled together do not end together.
REDIS_SECONDS = (15 * 60, 60 * 60)
# A version may end before a page: the page then counts no longer.
VERSION_SECONDS = 2 * 3600
# How long Redis may take to answer.
SECONDS = 0.5
# One process fills a page; the others wait for it this long, then fill it themselves.
FILL_SECONDS = 3.0
WAIT_SECONDS = 0.5
LOOK_SECONDS = 0.02
_OVERHEAD = 600

Source = Literal["process", "redis", "built", "bypassed"]

# KEYS: the page, the lock of its fill, and the versions of its tags. A page begins with the versions it was read under.
# Without a page that counts, whoever is to fill it learns how many milliseconds ago the last of its tags was dropped.
_LOOK = """
local versions = {}
for i = 3, #KEYS do
  local version = redis.call('GET', KEYS[i])
  if not version then
    version = ARGV[1]
    redis.call('SET', KEYS[i], version, 'EX', ARGV[2])
  end
  versions[#versions + 1] = version
end
local head = table.concat(versions, ' ') .. '\\n'
local page = redis.call('GET', KEYS[1])
if page and string.sub(page, 1, #head) == head then return {head, page} end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[3]) then return {head, ''} end
local left = 0
for i = 3, #KEYS do left = math.max(left, redis.call('PTTL', KEYS[i])) end
return {head, '', ARGV[2] * 1000 - left}
"""

# KEYS: the page, the lock of its fill. One command: redis-py takes twice as long for a pipeline of two.
_KEEP = """
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
redis.call('UNLINK', KEYS[2])
"""


class Page:
    """The bytes of an answer, compressed when somebody first asks for it; `built` in seconds of the epoch."""

    __slots__ = ("_gzip", "body", "built", "etag")

    def __init__(self, body: bytes, etag: str, built: float) -> None:
        self.body = body
        self.etag = etag
        self.built = built
        self._gzip: bytes | None = None

    @property
    def gzip(self) -> bytes:
        if self._gzip is None:
            packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            self._gzip = packer.compress(self.body) + packer.flush()
        return self._gzip


@dataclass(frozen=True, slots=True)
class PageKey:
    """`name` says everything the page depends on besides the data; `tags` name the data.

    `kind` is the label of the metrics, `feed` the feed of changes that drops the tags; Redis keeps it for `seconds`.
    `language`: of the catalog's texts in it, which `name` says too; None for a page without any.
    """

    kind: str
    name: str
    tags: tuple[str, ...]
    feed: str
    seconds: tuple[int, int] = REDIS_SECONDS
    language: str | None = None


class Build(Protocol):
    """Reads the database and returns the body and its entity tag. `may_lag`: as of `Database.read`."""

    def __call__(self, *, may_lag: bool) -> Awaitable[tuple[bytes, str]]: ...


@dataclass(slots=True)
class _Kept:
    page: Page
    key: PageKey
    until: float
    size: int


@dataclass(slots=True, eq=False)
class _Fill:
    """A fill under way; `dropped` when one of its tags was dropped meanwhile."""

    key: PageKey
    task: "asyncio.Task[tuple[Page, Source]] | None" = None
    dropped: bool = False


@dataclass(slots=True)
class _Allowance:
    """Bytes that this process may still store in Redis: what the process level holds, and as much again in the shortest
    time that Redis keeps a page. So nobody fills Redis by asking for pages that nobody else asks for."""

    most: int
    left: float = field(init=False)
    since: float = field(default_factory=clock.monotonic)

    def __post_init__(self) -> None:
        self.left = self.most

    def take(self, size: int) -> bool:
        now = clock.monotonic()
        self.left = min(self.most, self.left + (now - self.since) * self.most / REDIS_SECONDS[0])
        self.since = now
        if size > self.left:
            return False
        self.left -= size
        return True


@dataclass(slots=True)
class _Process:
    """The pages of this process: at most `most` bytes, those used least lately leave first."""

    most: int
    pages: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    names: dict[str, set[str]] = field(default_factory=dict)
    size: int = 0

    def get(self, name: str) -> _Kept | None:
        kept = self.pages.get(name)
        if kept is None:
            return None
        if kept.until < clock.monotonic():
            self.remove(name)
            return None
        self.pages.move_to_end(name)
        return kept

    def put(self, key: PageKey, page: Page) -> None:
        self.remove(key.name)
        size = 2 * len(page.body) + _OVERHEAD
        self.pages[key.name] = _Kept(page, key, clock.monotonic() + PROCESS_SECONDS, size)
        for tag in key.tags:
            self.names.setdefault(tag, set()).add(key.name)
        self.size += size
        while self.size > self.most:
            self.remove(next(iter(self.pages)))

    def remove(self, name: str) -> None:
        kept = self.pages.pop(name, None)
        if kept is None:
            return
        self.size -= kept.size
        for tag in kept.key.tags:
            names = self.names[tag]
            names.discard(name)
            if not names:
                del self.names[tag]

    def drop(self, tag: str) -> int:
        names = list(self.names.get(tag, ()))
        for name in names:
            self.remove(name)
        return len(names)

    def clear(self) -> None:
        self.pages.clear()
        self.names.clear()
        self.size = 0


class PageCache:
    """The pages that one process of the API serves.

    `edition`: pages of another edition are never served. `lag_seconds`: how far a standby may be behind from which
    pages are read.
    """

    def __init__(self, redis_url: str, edition: str, most_bytes: int, lag_seconds: float) -> None:
        self._redis = Redis.from_url(redis_url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
        self._look = self._redis.register_script(_LOOK)
        self._keep = self._redis.register_script(_KEEP)
        self._prefix = f"souk:page:{edition}:"
        self._lag_seconds = lag_seconds
        self._process = _Process(most_bytes)
        self._allowance = _Allowance(most_bytes)
        self._fills: dict[str, _Fill] = {}
        self._memos: list[Memo[Any]] = []  # Any: of values of several types
        self.feeds = feeds.Feeds()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear drops meanwhile; without, every page is built for its request."""
        listener = asyncio.create_task(feeds.listen(self._redis, self.feeds, self.drop, self.forget))
        try:
            yield
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            await self._redis.aclose()

    def kept(self, key: PageKey) -> Page | None:
        """The page, if this process has it."""
        kept = self._process.get(key.name)
        if kept is None or not self.feeds.trusted(key.feed):
            return None
        metrics.page_served(key.kind, "process")
        return kept.page

    async def page(self, key: PageKey, build: Build) -> tuple[Page, Source]:
        """The page and where it came from. Raises: what `build` raises."""
        if (kept := self.kept(key)) is not None:
            return kept, "process"
        if not (self._process.most and self.feeds.trusted(key.feed)):
            metrics.page_served(key.kind, "bypassed")
            return await build_page(build, may_lag=True), "bypassed"
        fill = self._fills.get(key.name)
        if fill is None or fill.task is None:
            fill = self._fills[key.name] = _Fill(key)
            fill.task = asyncio.create_task(self._fill(fill, build))
            fill.task.add_done_callback(lambda _: self._ended(fill))
        else:
            metrics.PAGE_WAITS.labels(key.kind).inc()
        # Shielded: a shopper who leaves does not take the page from those who wait for it too.
        page, source = await asyncio.shield(fill.task)
        metrics.page_served(key.kind, source)
        return page, source

    def memo(self, feed: str, most: int) -> Memo[Any]:  # Any: the caller's type
        """An empty memo that is dropped with the pages; it keeps nothing where no pages are kept."""
        memo = Memo[Any](self.feeds, feed, most if self._process.most else 0)
        self._memos.append(memo)
        return memo

    def drop(self, tags: Collection[str]) -> None:
        """Forget the pages of `tags` in this process, and keep none that is being filled now."""
        for memo in self._memos:
            memo.drop(tags)
        for tag in tags:
            if (count := self._process.drop(tag)) > 0:
                metrics.PAGE_DROPS.inc(count)
        if self._fills and tags:
            dropped = set(tags)
            for name, fill in list(self._fills.items()):
                if not dropped.isdisjoint(fill.key.tags):
                    fill.dropped = True
                    del self._fills[name]

    def forget(self) -> None:
        """Forget every page of this process."""
        self._process.clear()
        for memo in self._memos:
            memo.forget()
        for fill in self._fills.values():
            fill.dropped = True
        self._fills.clear()

    async def _fill(self, fill: _Fill, build: Build) -> tuple[Page, Source]:
        key = fill.key
        try:
            head, page, settled = await self._shared(key)
        except RedisError as error:
            log.warning("pages are built for each request, Redis does not answer", error=str(error))
            self.feeds.distrust()
            return await build_page(build, may_lag=True), "bypassed"
        source: Source = "redis"
        if page is None:
            source = "built"
            try:
                # A standby may not have yet what was dropped a moment ago, and the page would be kept.
                page = await build_page(build, may_lag=settled)
            except BaseException:
                await self._leave(key, None)
                raise
            await self._leave(key, head + _packed(page))
        if not fill.dropped:
            self._process.put(key, page)
        return page, source

    async def _shared(self, key: PageKey) -> tuple[bytes, Page | None, bool]:
        """The versions now, and the page of Redis; None when this process is to fill it. And whether a standby has
        everything that was dropped of it."""
        deadline = clock.monotonic() + WAIT_SECONDS
        keys = [self._prefix + key.name, f"{self._prefix}{key.name}:fill", *map(feeds.version_key, key.tags)]
        while True:
            head, kept, *dropped = await self._look(keys, (token_hex(8), VERSION_SECONDS, int(FILL_SECONDS * 1000)))
            if kept:
                return head, _unpacked(kept[len(head) :]), False
            if dropped:
                return head, None, dropped[0] > self._lag_seconds * 1000
            if clock.monotonic() > deadline:
                return head, None, False
            await asyncio.sleep(LOOK_SECONDS)

    async def _leave(self, key: PageKey, packed: bytes | None) -> None:
        """Store the page for the other processes and let go of its fill."""
        name = self._prefix + key.name
        kept = packed if packed is not None and self._allowance.take(len(packed)) else b""
        seconds = random.randint(*key.seconds)  # noqa: S311 - jitter, not a secret
        try:
            await self._keep([name, f"{name}:fill"], (kept, seconds))
        except RedisError as error:
            log.info("the page is not kept in Redis", error=str(error))
            self.feeds.distrust()

    def _ended(self, fill: _Fill) -> None:
        if self._fills.get(fill.key.name) is fill:
            del self._fills[fill.key.name]
        if fill.task is not None and not fill.task.cancelled():
            fill.task.exception()  # when everybody who waited has left, nobody else reads it


async def build_page(build: Build, *, may_lag: bool) -> Page:
    """A page for one request."""
    built = clock.now().timestamp()
    body, etag = await build(may_lag=may_lag)
    return Page(body, etag, built)


def _packed(page: Page) -> bytes:
    return orjson.dumps([page.etag, page.built]) + b"\n" + zlib.compress(page.body, 1)


def _unpacked(packed: bytes) -> Page:
    head, _, body = packed.partition(b"\n")
    etag, built = orjson.loads(head)
    return Page(zlib.decompress(body), etag, built)
