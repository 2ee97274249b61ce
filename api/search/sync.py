"""Keeps the index in sync with the catalog: it indexes changes, and rebuilds the index after a drift."""

import asyncio
import shutil
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from uuid import UUID

import tantivy
from redis.exceptions import RedisError

from api.catalog.pages import EVERY_LIST, LISTS_FEED, WHOLE_SHOP, department_tag, product_of_tag
from api.catalog.queries import index_feed
from api.catalog.queries.categories import department_of
from api.catalog.queries.index_feed import IndexedProduct
from api.catalog.queries.listing import ProductQuery
from api.kernel import clock, feeds, outbox
from api.kernel.context import Context
from api.kernel.logs import get_logger
from api.orders.popularity import units_sold
from api.search import documents
from api.search.engine import matching
from api.search.engine.facets import number
from api.search.engine.store import IndexStore, read_watermark, write_watermark
from api.search.engine.tantivy_index import open_index, register
from api.search.engine.writers import open_writer
from api.search.suggestions import entries
from api.search.suggestions.queries import QuerySource, no_queries
from api.search.suggestions.writer import Builder, Updater
from api.search.texts import CategoryNames

log = get_logger(__name__)

# Longer than the longest transaction of the shop: a lock wait, a statement and an idle timeout in sequence.
OVERLAP = timedelta(seconds=20)
BATCH = 2_000
AT_ONCE = 200
# Of a build from nothing: with less, the same products are merged more often.
BUILD_HEAP_BYTES = 128_000_000
PROGRESS_SECONDS = 10.0
MAX_REMEMBERED = 100_000
COUNT_SECONDS = 5.0
SALES_SECONDS = 600.0
WATERMARK_SECONDS = 5.0
# How often the times of change are read while the relay tells of every change.
SWEEP_SECONDS = 10.0
SAY_SECONDS = 1.0
# Counting a large catalog takes longer, so it is counted less often: it takes one part in so many of the time.
COUNT_SHARE = 500.0
MAX_POPULAR = 100_000


@dataclass(frozen=True, slots=True)
class _News:
    """A product of which the documents may differ from those in the index. `mark`: another one for other documents."""

    product: IndexedProduct
    mark: bytes


class Changes:
    """The products that the outbox relay said to be changed: all of them, as long as it is heard."""

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        """`told` is called when there is something to take."""
        self._told = told
        self.feeds = feeds.Feeds()
        self._products: set[UUID] = set()
        self._missed = True
        self._listener: asyncio.Task[None] | None = None

    def listen(self, ctx: Context) -> None:
        """Begin to listen, once; until the process ends."""
        if self._listener is None:
            self._listener = asyncio.create_task(feeds.listen(ctx.redis, self.feeds, self.add, self.forget))

    def add(self, tags: Collection[str]) -> None:
        products = {product for tag in tags if (product := product_of_tag(tag)) is not None}
        if products:
            self._products |= products
            self._told()

    def forget(self) -> None:
        self._missed = True
        self._told()

    def put_back(self, products: set[UUID]) -> None:
        """They are not indexed yet."""
        self._products |= products

    def take(self) -> set[UUID] | None:
        """What has changed since the last call; None when that is not known, and after it once more."""
        products, self._products = self._products, set()
        if not self.feeds.trusted(outbox.FEED):
            self._missed = True
        elif self._missed:
            self._missed = False
        else:
            return products
        return None


@dataclass
class Indexer:
    """The state of the process that writes.

    All of it may be lost: the index and its watermark are enough to continue.
    """

    store: IndexStore
    queries: QuerySource = no_queries
    # The digest last written per product: rows inside the overlap are read repeatedly.
    written: OrderedDict[UUID, bytes] = field(default_factory=OrderedDict)
    sales: dict[UUID, int] = field(default_factory=dict)
    # What categories are called in other languages, as of the products that are read.
    names: CategoryNames = field(default_factory=dict)
    sales_read: float = float("-inf")
    counted: float = float("-inf")
    drifted: bool = False
    built: float = float("-inf")
    generation: Path | None = None
    # Lists that are out of date since the last commit. Nobody knows what a process before this one has dropped.
    stale: set[str] = field(default_factory=lambda: {EVERY_LIST})
    changes: Changes = field(default_factory=Changes)
    swept: float = float("-inf")
    said: float = float("-inf")
    suggestions: Updater = field(init=False)
    building: Builder | None = None

    def __post_init__(self) -> None:
        self.suggestions = Updater(self.store.languages.known)

    async def refresh(self, ctx: Context) -> int:
        """Update the index; returns how many products were written, 0 when another process is writing."""
        with self.store.writing(wait=False) as mine:
            if not mine:
                return 0
            folder = self.store.current()
            if folder is None:
                return await self._rebuild(ctx)
            if folder != self.generation:
                self.written.clear()
                self.generation = folder
            await self._read_sales(ctx)
            self.changes.listen(ctx)
            products = self.changes.take()
            if products is None or self.swept + SWEEP_SECONDS < clock.monotonic():
                return await self._sweep(ctx, folder)
            return await self._index(ctx, folder, products)

    async def close(self) -> None:
        """End what the process has open of the index."""

    async def _index(self, ctx: Context, folder: Path, products: set[UUID]) -> int:
        """Index the products that are known to have changed."""

        async def write(changed: Sequence[IndexedProduct]) -> int:
            return await asyncio.to_thread(self._write, folder, self._news(changed))

        return await self._index_by(ctx, products, BATCH, write)

    async def _index_by(
        self, ctx: Context, products: set[UUID], most: int, write: Callable[[Sequence[IndexedProduct]], Awaitable[int]]
    ) -> int:
        """Read and write so many products at once; what is not written when it fails is taken up again."""
        count = 0
        try:
            while products:
                some = set(islice(products, most))
                async with ctx.db.read() as tx:
                    self.names = await index_feed.category_names(tx)
                    changed = await index_feed.rows_of(tx, some)
                count += await write(changed)
                products -= some
        except BaseException:
            self.changes.put_back(products)
            raise
        await self._drop_lists(ctx)
        return count

    async def _sweep(self, ctx: Context, folder: Path) -> int:
        """Index every product of which a row has a new time of change: also those that no event tells of."""
        since = read_watermark(folder)
        async with ctx.db.read() as tx:
            self.names = await index_feed.category_names(tx)
            now, changed = await index_feed.changed_since(tx, since, OVERLAP, MAX_REMEMBERED)
        news = await asyncio.to_thread(self._news, changed)
        if len(news) > BATCH and clock.monotonic() > self.built + 2 * OVERLAP.total_seconds():
            return await self._rebuild(ctx)
        count = await asyncio.to_thread(self._write, folder, news)
        await asyncio.to_thread(self.suggestions.update, folder, ())
        await self._drop_lists(ctx)
        if count or now - since > timedelta(seconds=WATERMARK_SECONDS):
            write_watermark(folder, now)
        self.swept = clock.monotonic()
        if await self._has_drifted(ctx, folder):
            return await self._rebuild(ctx)
        return count

    async def rebuild(self, ctx: Context) -> int:
        """Build a new generation from the whole catalog and switch to it when it is
        complete; returns how many products it holds."""
        with self.store.writing(wait=True):
            return await self._rebuild(ctx)

    async def _rebuild(self, ctx: Context) -> int:
        await self._read_sales(ctx, anew=True)
        folder, writer = self.begin()
        try:
            # Changes during the rebuild are read again from this time on.
            async with ctx.db.read() as tx:
                self.names = await index_feed.category_names(tx)
                started = await index_feed.live_count(tx)
            total = await self._copy_catalog(ctx, writer, started.products)
            await asyncio.to_thread(self.finish, folder, writer, started.now)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.store.publish(folder)
        self.generation, self.drifted, self.built = folder, False, clock.monotonic()
        self.stale.add(EVERY_LIST)
        await self._drop_lists(ctx)
        log.info("search index rebuilt", products=total)
        return total

    def begin(self) -> tuple[Path, tantivy.IndexWriter]:
        """An empty generation and its writer, for a build from nothing: `add_all` and `finish` follow, then
        `IndexStore.publish`."""
        folder = self.store.new_generation()
        index = tantivy.Index(documents.schema(self.store.languages.known), str(folder))
        register(index)
        self.building = Builder(folder)
        return folder, index.writer(BUILD_HEAP_BYTES, 1)

    def add_all(self, writer: tantivy.IndexWriter, products: Iterable[IndexedProduct]) -> None:
        """Write the documents of products that the generation does not have."""
        if self.building is None:
            raise AssertionError("`begin` comes first")
        rest = iter(products)
        while some := list(islice(rest, AT_ONCE)):
            # The engine's threads sleep and wake once for all of them, not for each.
            made = [(self._documents(product), self._said(product)) for product in some]
            for document in chain.from_iterable(own for own, _ in made):
                writer.add_json(document)
            self.building.add(*(said for _, said in made))
            for product in some if len(self.written) < MAX_REMEMBERED else ():
                self.written[product.product_id] = self._mark(product)

    def finish(self, folder: Path, writer: tantivy.IndexWriter, watermark: datetime) -> None:
        """Commit a generation that holds the catalog as of `watermark`."""
        if self.building is None:
            raise AssertionError("`begin` comes first")
        writer.commit()
        writer.wait_merging_threads()
        self.building.finish(self.suggestions.queries, self.store.languages.known)
        self.building = None
        write_watermark(folder, watermark)

    async def _drop_lists(self, ctx: Context) -> None:
        """Drop the lists that the index now answers otherwise, and say that none is left to drop."""
        if not self.stale and clock.monotonic() < self.said + SAY_SECONDS:
            return
        try:
            await feeds.announce(ctx.redis, self.stale, LISTS_FEED)
            self.stale.clear()
            self.said = clock.monotonic()
        except RedisError as error:
            log.info("lists are dropped later, Redis does not answer", error=str(error))

    async def _copy_catalog(self, ctx: Context, writer: tantivy.IndexWriter, expected: int) -> int:
        """A batch is written while the next is read."""
        self.written.clear()
        said = clock.monotonic()
        total, batch = 0, await _live_after(ctx, None)
        while batch:
            total += len(batch)
            written = asyncio.to_thread(self.add_all, writer, batch)
            batch, _ = await asyncio.gather(_live_after(ctx, batch[-1].product_id), written)
            if said + PROGRESS_SECONDS < clock.monotonic():
                said = clock.monotonic()
                log.info("search index is being built", products=total, of=expected)
        return total

    def _news(self, changed: Iterable[IndexedProduct]) -> list[_News]:
        """Those that differ from what was written last: rows inside the overlap are read repeatedly."""
        read = (_News(product, self._mark(product)) for product in changed)
        return [found for found in read if self.written.get(found.product.product_id) != found.mark]

    def _write(self, folder: Path, news: Sequence[_News]) -> int:
        """Replace or remove the products, in one commit."""
        if not news:
            return 0
        index = open_index(folder)
        searcher, writer = index.searcher(), open_writer(folder, index)
        stale = {WHOLE_SHOP}
        for found in news:
            product = found.product
            departments = {department_of(product.category_path), *documents.departments(searcher, product.product_id)}
            stale |= set(map(department_tag, departments))
            writer.delete_documents_by_term("product_id", str(product.product_id))
            for document in self._documents(product) if product.live else ():
                writer.add_json(document)
        writer.commit()
        writer.wait_merging_threads()
        self.stale |= stale
        self.suggestions.update(folder, [self._said(found.product) for found in news])
        for found in news:
            self.written[found.product.product_id] = found.mark
            self.written.move_to_end(found.product.product_id)
        while len(self.written) > MAX_REMEMBERED:
            self.written.popitem(last=False)
        return len(news)

    def _documents(self, product: IndexedProduct) -> list[str]:
        sold = self.sales.get(product.product_id, 0)
        return list(map(documents.document, documents.fields_of(product, sold, self.store.languages, self.names)))

    def _said(self, product: IndexedProduct) -> entries.Said:
        popularity = documents.popularity(product, self.sales.get(product.product_id, 0))
        return entries.said(product, popularity, self.store.languages, self.names)

    def _mark(self, product: IndexedProduct) -> bytes:
        if not product.live:
            return b""
        return documents.mark(product, self.sales.get(product.product_id, 0), self.names)

    async def _read_sales(self, ctx: Context, *, anew: bool = False) -> None:
        if anew or self.sales_read + SALES_SECONDS < clock.monotonic():
            async with ctx.db.read() as tx:
                self.sales = dict(await units_sold(tx, MAX_POPULAR))
            self.suggestions.queries = await self.queries(ctx)
            self.sales_read = clock.monotonic()

    async def _has_drifted(self, ctx: Context, folder: Path) -> bool:
        """Whether the numbers of products in the index and on sale differ, twice in a row.

        Causes are rows deleted by hand, or a bulk load that kept old change times.
        """
        began = clock.monotonic()
        if began < self.counted:
            return False
        async with ctx.db.read() as tx:
            expected = (await index_feed.live_count(tx)).products
        held = await asyncio.to_thread(_count, folder)
        ended = clock.monotonic()
        self.counted = ended + max(COUNT_SECONDS, (ended - began) * COUNT_SHARE)
        before, self.drifted = self.drifted, held != expected
        return before and self.drifted


async def _live_after(ctx: Context, last: UUID | None) -> list[IndexedProduct]:
    async with ctx.db.read() as tx:
        return await index_feed.all_live(tx, last, BATCH)


def _count(folder: Path) -> int:
    return number(open_index(folder).searcher(), matching.list_query(ProductQuery()))
