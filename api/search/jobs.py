"""Background work of search: a change of a product is searchable within a second, and the lists that it is in are
dropped."""

from api.kernel.context import Context
from api.kernel.jobs import Job
from api.search.engine.store import IndexStore
from api.search.sync import Indexer

_indexers: dict[str, Indexer] = {}


async def refresh(ctx: Context) -> int:
    """Index the products that changed since the last run."""
    root = ctx.settings.home / "search"
    indexer = _indexers.setdefault(str(root), Indexer(IndexStore(root)))
    return await indexer.refresh(ctx)


JOBS = (Job("search index", 0.1, refresh),)
