"""Ready pages in a process and in Redis: kept, dropped within a moment, never a stale one, and never needed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.kernel import cache, clock, feeds, metrics
from api.kernel.cache import PageCache, PageKey
from tests.harness.redis import RedisHarness

KEY = PageKey("thing", "thing:1", ("thing:1", "things"), "changes")
OTHER = PageKey("thing", "thing:2", ("thing:2", "things"), "changes")
MOST = 1_000_000
LAG = 5.0


class Rows:
    """What pages are built from; counts how often one is."""

    def __init__(self) -> None:
        self.value = "first"
        self.built = 0
        self.may_lag: list[bool] = []
        self.pause = asyncio.Event()
        self.pause.set()
        self.reading = asyncio.Event()

    async def build(self, *, may_lag: bool) -> tuple[bytes, str]:
        self.built += 1
        self.may_lag.append(may_lag)
        value = self.value
        self.reading.set()
        await self.pause.wait()
        return value.encode(), f'"{value}"'


class Processes:
    """Caches of several processes on one Redis."""

    def __init__(self, stack: AsyncExitStack, url: str) -> None:
        self._stack, self.url = stack, url
        self.redis = Redis.from_url(url)

    async def start(self, kind: Callable[..., PageCache] = PageCache, most: int = MOST) -> PageCache:
        """One more process, which has heard the feed."""
        started = kind(self.url, "v1", most, LAG)
        await self._stack.enter_async_context(started.running())
        await self.hear(started)
        return started

    async def hear(self, *listening: PageCache) -> None:
        for _ in range(200):
            await feeds.announce(self.redis, (), KEY.feed)
            await asyncio.sleep(0.01)
            if all(one.feeds.trusted(KEY.feed) for one in listening):
                return
        raise AssertionError("the feed was not heard")

    async def drop(self, *tags: str) -> None:
        await feeds.announce(self.redis, tags)
        await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def processes(redis_url: str) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        started = Processes(stack, redis_url)
        await started.redis.flushall()
        yield started
        await started.redis.aclose()


async def text_of(one: PageCache, rows: Rows, key: PageKey = KEY) -> tuple[str, str]:
    page, source = await one.page(key, rows.build)
    return page.body.decode(), source


async def test_a_page_is_built_once_for_all_processes(processes: Processes) -> None:
    one, other, rows = await processes.start(), await processes.start(), Rows()

    assert [await text_of(one, rows) for _ in range(2)] == [("first", "built"), ("first", "process")]
    assert [await text_of(other, rows) for _ in range(2)] == [("first", "redis"), ("first", "process")]
    assert rows.built == 1
    mine, theirs = one.kept(KEY), other.kept(KEY)
    assert mine is not None
    assert theirs is not None
    assert (mine.body, mine.etag, mine.built) == (theirs.body, theirs.etag, theirs.built)
    left = await processes.redis.ttl("souk:page:v1:thing:1")
    assert cache.REDIS_SECONDS[0] - 5 <= left <= cache.REDIS_SECONDS[1]


async def test_a_drop_reaches_every_process_and_only_its_pages(processes: Processes) -> None:
    one, other, rows, second = await processes.start(), await processes.start(), Rows(), Rows()
    for process in (one, other):
        await text_of(process, rows)
        await text_of(process, second, OTHER)
    dropped = metrics.PAGE_DROPS._value.get()  # noqa: SLF001 - the counter has no other reading

    rows.value = second.value = "second"
    await processes.drop("thing:1")

    assert metrics.PAGE_DROPS._value.get() == dropped + 2  # noqa: SLF001
    assert await text_of(one, rows) == ("second", "built")
    assert await text_of(other, rows) == ("second", "redis")
    assert await text_of(one, second, OTHER) == ("first", "process")
    await processes.drop("things")
    assert await text_of(one, second, OTHER) == ("second", "built")


class VersionsAfterwards(PageCache):
    """The mutant: the versions are read when the page is stored, not before it is read."""

    async def _leave(self, key: PageKey, packed: bytes | None) -> None:
        if packed is not None:
            head, *_ = await self._shared(key)
            packed = head + packed.partition(b"\n")[2]
        await super()._leave(key, packed)


class DropsNoFills(PageCache):
    """The mutant: a drop forgets the pages that are kept, but not those that are being filled."""

    def drop(self, tags: object) -> None:
        assert isinstance(tags, list)
        for tag in tags:
            self._process.drop(tag)


@pytest.mark.parametrize(
    ("kind", "here", "elsewhere"),
    [(PageCache, "second", "second"), (VersionsAfterwards, "second", "first"), (DropsNoFills, "first", "second")],
)
async def test_a_page_that_was_read_before_a_change_is_not_kept_after_its_drop(
    processes: Processes, kind: Callable[..., PageCache], here: str, elsewhere: str
) -> None:
    """And the mutants keep it: one in Redis, one in its process."""
    one, other, rows = await processes.start(kind), await processes.start(), Rows()
    rows.pause.clear()
    first = asyncio.create_task(text_of(one, rows))
    await rows.reading.wait()

    rows.value = "second"
    await processes.drop("thing:1")
    rows.pause.set()

    assert await first == ("first", "built"), "it was asked for before the change"
    assert (await text_of(other, rows))[0] == elsewhere
    assert (await text_of(one, rows))[0] == (elsewhere if kind is VersionsAfterwards else here)


async def test_one_request_fills_a_page_and_the_others_wait(processes: Processes) -> None:
    one, other, rows = await processes.start(), await processes.start(), Rows()
    rows.pause.clear()
    asked = [asyncio.create_task(text_of(process, rows)) for process in (one, other) for _ in range(20)]
    await rows.reading.wait()
    await asyncio.sleep(0.1)
    asked[0].cancel()  # the one that began the fill leaves
    rows.pause.set()

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer[0] for answer in answers[1:] if isinstance(answer, tuple)} == {"first"}
    assert rows.built == 1


async def test_a_page_that_cannot_be_built_holds_nobody_up(processes: Processes) -> None:
    one, other, rows = await processes.start(), await processes.start(), Rows()

    async def fail(*, may_lag: bool) -> tuple[bytes, str]:
        raise LookupError

    with pytest.raises(LookupError):
        await one.page(KEY, fail)
    started = time.monotonic()
    assert await text_of(other, rows) == ("first", "built")
    assert time.monotonic() - started < cache.WAIT_SECONDS


async def test_a_page_to_be_kept_is_read_from_a_standby_only_long_after_the_last_drop(processes: Processes) -> None:
    one, rows = await processes.start(), Rows()
    await text_of(one, rows)
    version, aged = feeds.version_key("thing:1"), int((cache.VERSION_SECONDS - LAG) * 1000)
    for left in (aged + 500, aged - 500):
        await processes.redis.pexpire(version, left)
        await processes.redis.delete("souk:page:v1:thing:1")
        one.forget()
        await text_of(one, rows)

    # And the other tag of the page was dropped just now.
    assert rows.may_lag == [False, False, False]
    await processes.redis.pexpire(feeds.version_key("things"), aged - 500)
    await processes.redis.delete("souk:page:v1:thing:1")
    one.forget()
    assert await text_of(one, rows) == ("first", "built")
    assert rows.may_lag == [False, False, False, True]
    await processes.drop("thing:1")
    await text_of(one, rows)
    assert rows.may_lag[-1] is False


async def test_without_news_of_the_feed_every_page_is_built(processes: Processes) -> None:
    one, rows = await processes.start(), Rows()
    await text_of(one, rows)

    one.feeds._heard["changes"] -= feeds.TRUST_SECONDS  # noqa: SLF001 - as if nothing had been heard since
    rows.value = "second"

    assert await text_of(one, rows) == ("second", "bypassed")
    assert await text_of(await processes.start(most=0), rows) == ("second", "bypassed")
    assert rows.may_lag == [False, True, True]


async def test_a_process_forgets_its_pages_when_it_may_have_missed_a_drop(processes: Processes) -> None:
    one, rows = await processes.start(), Rows()
    await text_of(one, rows)
    assert one.kept(KEY) is not None

    await processes.redis.client_kill_filter(_type="pubsub")
    await asyncio.sleep(0.05)

    assert one.kept(KEY) is None
    rows.value = "second"
    assert await text_of(one, rows) == ("second", "bypassed")
    await processes.hear(one)
    assert await text_of(one, rows) == ("first", "redis"), "nothing was dropped, so the page in Redis counts"


async def test_it_keeps_the_pages_used_last_within_its_bytes(processes: Processes) -> None:
    one, rows = await processes.start(most=3_000), Rows()
    keys = [PageKey("thing", f"thing:{n}", (f"thing:{n}",), KEY.feed) for n in range(10)]
    for key in keys:
        await text_of(one, rows, key)
        await text_of(one, rows, keys[0])

    assert [n for n, key in enumerate(keys) if one.kept(key) is not None] == [0, 7, 8, 9]


async def test_it_stores_as_many_bytes_in_redis_as_it_may(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, rows = await processes.start(most=600), Rows()
    rows.value = "".join(map(chr, range(33, 120)))  # 87 bytes that do not get shorter
    for n in range(5):
        await text_of(one, rows, PageKey("thing", f"thing:{n}", (f"thing:{n}",), KEY.feed))
    assert len(await processes.redis.keys("souk:page:v1:*")) == 2

    later = clock.monotonic() + cache.REDIS_SECONDS[0] / 2
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    one.feeds.hear(KEY.feed)
    await text_of(one, rows, OTHER)

    assert len(await processes.redis.keys("souk:page:v1:*")) == 3


async def test_pages_of_another_edition_are_not_served(processes: Processes) -> None:
    one, rows = await processes.start(), Rows()
    await text_of(one, rows)
    rows.value = "in another form"

    assert await text_of(await processes.start(lambda url, _, most, lag: PageCache(url, "v2", most, lag)), rows) == (
        "in another form",
        "built",
    )


async def test_the_shop_works_without_redis(
    redis_server: RedisHarness, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = RedisHarness(tmp_path_factory.mktemp("redis"))
    own.start()
    async with AsyncExitStack() as stack:
        processes, rows = Processes(stack, own.url), Rows()
        one = await processes.start()
        await text_of(one, rows)
        own.stop()
        with pytest.raises(RedisError):
            await processes.redis.get("anything")
        rows.value = "second"
        started = time.monotonic()
        assert await text_of(one, rows) in {("second", "bypassed"), ("first", "process")}
        assert await text_of(one, rows, OTHER) == ("second", "bypassed")
        assert await text_of(one, rows, OTHER) == ("second", "bypassed")
        assert time.monotonic() - started < 0.2
        own.start()
        await processes.hear(one)
        assert await text_of(one, rows, OTHER) == ("second", "built")
        await processes.redis.aclose()
    own.stop()
