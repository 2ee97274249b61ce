"""The category tree as a process keeps it."""

from typing import Any, cast

from fastapi import Request

from api.catalog.pages import TREE
from api.catalog.queries.categories import Tree, tree_now
from api.kernel.cache import PageCache
from api.kernel.context import Context
from api.kernel.memo import Memo
from api.kernel.outbox import FEED


class KeptTree:
    """One per process: read again when a change is told, and after some seconds, for changes that nobody tells."""

    def __init__(self, ctx: Context, cache: PageCache) -> None:
        self._ctx = ctx
        self._memo: Memo[Any] = cache.memo(FEED, 1)

    async def now(self) -> Tree:
        known: Tree | None = self._memo.known((TREE,)).get(TREE)
        if known is not None:
            return known
        # Not from a standby: it may not have the change yet that made the last one forgotten.
        with self._memo.reading() as read:
            async with self._ctx.db.read() as tx:
                read[TREE] = tree = await tree_now(tx)
        return tree


async def tree_of(request: Request) -> KeptTree:
    """The application's tree."""
    return cast("KeptTree", request.app.state.category_tree)
