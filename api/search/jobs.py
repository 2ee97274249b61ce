"""Background work of search: a change of a product is searchable within a second, and the lists that it is in are
dropped."""

from api.kernel.context import Context
from api.kernel.jobs import Bell, Job
from api.search.engines import indexer_of
from api.search.sync import Changes, Indexer

# Rings when the relay has said what has changed; while it is not heard, the times of change are read every half second.
BELL = Bell()
_indexers: dict[str, Indexer] = {}


async def refresh(ctx: Context) -> int:
    """Index the products that changed since the last run."""
    home = str(ctx.settings.home)
    indexer = _indexers.get(home)
    if indexer is None:
        indexer = _indexers[home] = indexer_of(ctx.settings, Changes(BELL.ring))
    return await indexer.refresh(ctx)


JOBS = (Job("search index", 0.5, refresh, BELL),)
