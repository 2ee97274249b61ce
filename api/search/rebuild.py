"""`python -m api.search.rebuild`: a fresh index from Postgres, exchanged when complete. Readers and the worker go on
meanwhile."""

import asyncio
import sys

from api.kernel import logs
from api.kernel.context import open_context
from api.kernel.settings import load_settings
from api.search.store import IndexStore
from api.search.sync import Indexer


async def main() -> int:
    """How many products the new index holds."""
    settings = load_settings()
    logs.configure(settings.log_level)
    async with open_context(settings) as ctx:
        return await Indexer(IndexStore(settings.home / "search")).rebuild(ctx)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(main())} products indexed\n")
