"""Keeps the index of a cluster in sync with the catalog: as `sync.Indexer`, of which it is one, with documents on the
cluster instead of files."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from api.catalog.pages import EVERY_LIST, WHOLE_SHOP, department_tag
from api.catalog.queries import index_feed
from api.catalog.queries.categories import department_of
from api.catalog.queries.index_feed import IndexedProduct
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.logs import get_logger
from api.search import sync
from api.search.opensearch import schema
from api.search.opensearch.cluster import ALIAS, Cluster
from api.search.opensearch.schema import Json

log = get_logger(__name__)

# Documents in one request: some megabytes.
BULK = 500


@dataclass
class ClusterIndexer(sync.Indexer):
    """One worker writes at a time, on the machine of its state directory: the lock is a file there."""

    cluster: Cluster = field(kw_only=True)
    _checked: bool = False
    _index_name: str | None = None

    async def refresh(self, ctx: Context) -> int:
        """As `sync.Indexer.refresh`. Raises: UnsupportedCluster."""
        with self.store.writing(wait=False) as mine:
            if not mine:
                return 0
            await self._check()
            name = await self.cluster.current()
            if name is None:
                return await self._rebuild(ctx)
            if name != self._index_name:
                self.written.clear()
                self._index_name = name
            await self._read_sales(ctx)
            self.changes.listen(ctx)
            products = self.changes.take()
            if products is None or self.swept + sync.SWEEP_SECONDS < clock.monotonic():
                return await self._sweep_cluster(ctx, name)
            return await self._index_by(ctx, products, BULK, partial(self._write_news, name))

    async def close(self) -> None:
        await self.cluster.client.close()

    async def _check(self) -> None:
        if not self._checked:
            await self.cluster.check()
            self._checked = True

    async def _sweep_cluster(self, ctx: Context, name: str) -> int:
        since = await self.cluster.watermark(name)
        async with ctx.db.read() as tx:
            self.names = await index_feed.category_names(tx)
            now, changed = await index_feed.changed_since(tx, since, sync.OVERLAP, sync.MAX_REMEMBERED)
        if len(changed) > sync.BATCH and clock.monotonic() > self.built + 2 * sync.OVERLAP.total_seconds():
            return await self._rebuild(ctx)
        count = await self._write_news(name, changed)
        await self._drop_lists(ctx)
        if count or now - since > timedelta(seconds=sync.WATERMARK_SECONDS):
            await self.cluster.set_watermark(name, now)
        self.swept = clock.monotonic()
        if await self._has_drifted_on_cluster(ctx, name):
            return await self._rebuild(ctx)
        return count

    async def _rebuild(self, ctx: Context) -> int:
        await self._check()
        await self._read_sales(ctx, anew=True)
        name = await self.cluster.create()
        try:
            # Changes during the rebuild are read again from this time on.
            async with ctx.db.read() as tx:
                self.names = await index_feed.category_names(tx)
                started = await index_feed.live_count(tx)
            total = await self._copy(ctx, name)
            await self.cluster.client.indices.refresh(index=name)
            await self.cluster.set_watermark(name, started.now)
            await self.cluster.publish(name)
        except BaseException:
            await asyncio.shield(self.cluster.discard(name))
            raise
        self._index_name, self.drifted, self.built = name, False, clock.monotonic()
        self.stale.add(EVERY_LIST)
        await self._drop_lists(ctx)
        log.info("search index rebuilt", products=total, alias=ALIAS)
        return total

    async def _copy(self, ctx: Context, name: str) -> int:
        self.written.clear()
        total, last = 0, None
        while True:
            async with ctx.db.read() as tx:
                batch = await index_feed.all_live(tx, last, BULK)
            if not batch:
                return total
            await self.cluster.write(name, await asyncio.to_thread(self._actions, batch), visible=False)
            for product in batch[: sync.MAX_REMEMBERED - len(self.written)]:
                self.written[product.product_id] = self._mark(product)
            total, last = total + len(batch), batch[-1].product_id

    async def _write_news(self, name: str, changed: Sequence[IndexedProduct]) -> int:
        """Replace or remove those that differ from what was written last."""
        news = await asyncio.to_thread(self._news, changed)
        for start in range(0, len(news), BULK):
            some = news[start : start + BULK]
            products = [found.product for found in some]
            stale = {WHOLE_SHOP, *map(department_tag, await self._departments(name, products))}
            await self.cluster.write(name, await asyncio.to_thread(self._actions, products), visible=True)
            self.stale |= stale
            for found in some:
                self.written[found.product.product_id] = found.mark
                self.written.move_to_end(found.product.product_id)
        while len(self.written) > sync.MAX_REMEMBERED:
            self.written.popitem(last=False)
        return len(news)

    async def _departments(self, name: str, products: Sequence[IndexedProduct]) -> set[str]:
        """Where the products are, and where the index has them."""
        ids = [str(product.product_id) for product in products]
        known = await self.cluster.client.mget(index=name, body={"ids": ids}, params={"_source": "department"})
        before = {one["_source"]["department"] for one in known["docs"] if one.get("found")}
        return before | {department_of(product.category_path) for product in products}

    def _actions(self, products: Sequence[IndexedProduct]) -> list[Json]:
        actions: list[Json] = []
        for product in products:
            key = {"_id": str(product.product_id)}
            if product.live:
                sold = self.sales.get(product.product_id, 0)
                said = schema.document(product, sold, self.store.languages, self.names)
                actions += [{"index": key}, said]
            else:
                actions.append({"delete": key})
        return actions

    async def _has_drifted_on_cluster(self, ctx: Context, name: str) -> bool:
        """Whether the numbers of products in the index and on sale differ, twice in a row."""
        if clock.monotonic() < self.counted:
            return False
        async with ctx.db.read() as tx:
            expected = (await index_feed.live_count(tx)).products
        held = (await self.cluster.client.count(index=name))["count"]
        self.counted = clock.monotonic() + sync.COUNT_SECONDS
        before, self.drifted = self.drifted, held != expected
        return before and self.drifted
