"""`python -m api.search.rebuild`: build a new index from Postgres and switch to it when it is complete.

Readers and the worker continue meanwhile.
"""

import asyncio
import sys

from api.kernel import logs
from api.kernel.context import open_context
from api.kernel.environment import exit_on_invalid_settings
from api.kernel.settings import load_settings
from api.search.engines import indexer_of


async def main() -> int:
    """Build the index; returns how many products it holds."""
    settings = load_settings()
    logs.configure(settings.log_level)
    async with open_context(settings) as ctx:
        indexer = indexer_of(settings)
        try:
            return await indexer.rebuild(ctx)
        finally:
            await indexer.close()


if __name__ == "__main__":
    with exit_on_invalid_settings():
        sys.stdout.write(f"{asyncio.run(main())} products indexed\n")
