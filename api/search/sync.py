"""Keeps the index in sync with the catalog: it indexes changes, and rebuilds the index after a drift."""

import asyncio
import shutil
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import tantivy

from api.catalog.queries import index_feed
from api.catalog.queries.index_feed import IndexedProduct
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.logs import get_logger
from api.orders.popularity import units_sold
from api.search import documents
from api.search.engine.store import IndexStore, read_watermark, write_watermark
from api.search.engine.tantivy_index import open_index

log = get_logger(__name__)

# Longer than the longest transaction of the shop: a lock wait, a statement and an idle timeout in sequence.
OVERLAP = timedelta(seconds=20)
BATCH = 2_000
HEAP_BYTES = 32_000_000
MAX_REMEMBERED = 100_000
COUNT_SECONDS = 5.0
SALES_SECONDS = 600.0
WATERMARK_SECONDS = 5.0
MAX_POPULAR = 100_000


@dataclass
class Indexer:
    """The state of the process that writes.

    All of it may be lost: the index and its watermark are enough to continue.
    """

    store: IndexStore
    # The digest last written per product: rows inside the overlap are read repeatedly.
    written: OrderedDict[UUID, bytes] = field(default_factory=OrderedDict)
    sales: dict[UUID, int] = field(default_factory=dict)
    sales_read: float = float("-inf")
    counted: float = float("-inf")
    drifted: bool = False
    built: float = float("-inf")
    generation: Path | None = None

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
            since = read_watermark(folder)
            async with ctx.db.read() as tx:
                now, changed = await index_feed.changed_since(tx, since, OVERLAP, BATCH + 1)
            if len(changed) > BATCH:
                if clock.monotonic() > self.built + 2 * OVERLAP.total_seconds():
                    return await self._rebuild(ctx)
                # The overlap contains rows that the rebuild has just read; only those that differ are written.
                async with ctx.db.read() as tx:
                    now, changed = await index_feed.changed_since(tx, since, OVERLAP, MAX_REMEMBERED)
            count = await asyncio.to_thread(self._write, folder, changed)
            if count or now - since > timedelta(seconds=WATERMARK_SECONDS):
                write_watermark(folder, now)
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
        folder = self.store.new_generation()
        try:
            # Changes during the rebuild are read again from this time on.
            async with ctx.db.read() as tx:
                started = (await index_feed.live_count(tx)).now
            index = tantivy.Index(documents.schema(), str(folder))
            index.register_tokenizer(documents.ANALYSER, documents.analyser())
            writer = index.writer(HEAP_BYTES, 1)
            total = await self._copy_catalog(ctx, writer)
            await asyncio.to_thread(writer.commit)
            await asyncio.to_thread(writer.wait_merging_threads)
            write_watermark(folder, started)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.store.publish(folder)
        self.generation, self.drifted, self.built = folder, False, clock.monotonic()
        log.info("search index rebuilt", products=total)
        return total

    async def _copy_catalog(self, ctx: Context, writer: tantivy.IndexWriter) -> int:
        self.written.clear()
        total, last = 0, None
        while True:
            async with ctx.db.read() as tx:
                batch = await index_feed.all_live(tx, last, BATCH)
            if not batch:
                return total
            await asyncio.to_thread(self._add_all, writer, batch)
            total, last = total + len(batch), batch[-1].product_id

    def _add_all(self, writer: tantivy.IndexWriter, batch: Iterable[IndexedProduct]) -> None:
        for product in batch:
            fields = documents.fields_of(product, self.sales.get(product.product_id, 0))
            writer.add_document(documents.document(fields))
            if len(self.written) < MAX_REMEMBERED:
                self.written[product.product_id] = documents.digest(fields)

    def _write(self, folder: Path, changed: Iterable[IndexedProduct]) -> int:
        """Replace or remove the products that differ from the last write, in one commit."""
        pending = [
            (product, fields, mark)
            for product, fields, mark in map(self._rendered, changed)
            if self._is_news(product, mark)
        ]
        if not pending:
            return 0
        writer = open_index(folder).writer(HEAP_BYTES, 1)
        for product, fields, _ in pending:
            writer.delete_documents_by_term("product_id", str(product.product_id))
            if fields is not None:
                writer.add_document(documents.document(fields))
        writer.commit()
        writer.wait_merging_threads()
        for product, _, mark in pending:
            self.written[product.product_id] = mark
            self.written.move_to_end(product.product_id)
        while len(self.written) > MAX_REMEMBERED:
            self.written.popitem(last=False)
        return len(pending)

    def _rendered(self, product: IndexedProduct) -> tuple[IndexedProduct, dict[str, object] | None, bytes]:
        fields = documents.fields_of(product, self.sales.get(product.product_id, 0)) if product.live else None
        return product, fields, documents.digest(fields) if fields is not None else b""

    def _is_news(self, product: IndexedProduct, mark: bytes) -> bool:
        return self.written.get(product.product_id) != mark

    async def _read_sales(self, ctx: Context, *, anew: bool = False) -> None:
        if anew or self.sales_read + SALES_SECONDS < clock.monotonic():
            async with ctx.db.read() as tx:
                self.sales = dict(await units_sold(tx, MAX_POPULAR))
            self.sales_read = clock.monotonic()

    async def _has_drifted(self, ctx: Context, folder: Path) -> bool:
        """Whether the numbers of products in the index and on sale differ, twice in a row.

        Causes are rows deleted by hand, or a bulk load that kept old change times.
        """
        if clock.monotonic() < self.counted + COUNT_SECONDS:
            return False
        self.counted = clock.monotonic()
        async with ctx.db.read() as tx:
            expected = (await index_feed.live_count(tx)).products
        held = await asyncio.to_thread(_count, folder)
        before, self.drifted = self.drifted, held != expected
        return before and self.drifted


def _count(folder: Path) -> int:
    return open_index(folder).searcher().num_docs
