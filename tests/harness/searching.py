"""A running shop with a small catalog and its search index, and a writer of it that is killed in its commit."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from api.kernel.context import Context
from api.search.engine.store import IndexStore
from api.search.sync import Indexer
from tests.harness.api import Server
from tests.harness.shop import Shop

CATALOG: tuple[
    tuple[str, str, float, str, float, bool, int, dict[str, Any]], ...
] = (  # title, brand, price, category, rating, prime, stock, extra
    (
        "Dell XPS 13 laptop",
        "Dell",
        899.99,
        "/Computers/Laptops",
        4.6,
        True,
        5,
        {"specifications": {"memory": "16 GB"}, "condition": "used_good"},
    ),
    ("Dell Latitude laptop", "Dell", 1299.0, "/Computers/Laptops", 3.9, False, 0, {}),
    (
        "HP Pavilion laptop",
        "HP",
        549.0,
        "/Computers/Laptops",
        4.1,
        True,
        7,
        {"variants": [{"attributes": {"color": "Red"}}]},
    ),
    ("Laptop stand, aluminium", "Bolt", 39.0, "/Computers/Accessories", 4.4, True, 9, {}),
    ("Laptop bag", "Bolt", 29.0, "/Computers/Accessories", 2.0, False, 3, {"brand": "Bolt, Inc."}),
    (
        "Running shoes",
        "Acme",
        80.0,
        "/Sport",
        0.0,
        False,
        4,
        {"description": "For runners who run with a laptop never"},
    ),
    ("Café crème cups", "Maison", 12.5, "/Home", 5.0, False, 2, {}),
)

# Refreshes the index until the operating system kills it for a file over so many bytes, of the index or of its
# suggestions. In an index this small that is meta.json, which the engine writes last: its exchange is the commit.
KILLED_IN_COMMIT = """
import asyncio, resource, signal, sys
from api.kernel.context import open_context
from api.kernel.settings import load_settings
from api.search.engine.store import IndexStore
from api.search.suggestions.writer import Updater
from api.search.sync import Indexer

def limit():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)

async def main():
    settings = load_settings()
    async with open_context(settings) as context:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        if sys.argv[2] == "suggestions":
            update = Updater.update
            Updater.update = lambda *args: (limit(), update(*args))[1]
        else:
            limit()
        await Indexer(IndexStore(settings.home / "search")).refresh(context)

asyncio.run(main())
"""


class Search:
    """The running shop with its index."""

    def __init__(self, server: Server, shop: Shop, context: Context, home: Path) -> None:
        self.server, self.shop, self.context, self.home = server, shop, context, home
        self.indexer = Indexer(IndexStore(home / "search"))

    def __call__(self, q: str = "", **params: Any) -> dict[str, Any]:
        answer = self.shop.client.get("/api/v1/search", params={"q": q, **params})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    @property
    def env(self) -> dict[str, str]:
        """The environment of a program on this shop."""
        url = self.context.settings.database_url.get_secret_value()
        return {**os.environ, "DATABASE_URL": url, "SOUK_HOME": str(self.home), "SOUK_PROFILE": "test"}

    def titles(self, q: str = "", **params: Any) -> list[str]:
        return [result["title"] for result in self(q, **params)["results"]]

    async def until(self, q: str, expected: list[str], seconds: float = 2.0) -> float:
        """Refresh as the worker does, until the search answers `expected`; how long that took."""
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            await self.indexer.refresh(self.context)
            if await asyncio.to_thread(self.titles, q) == expected:
                return time.monotonic() - started
            await asyncio.sleep(0.1)
        raise AssertionError(f"{q!r} found {self.titles(q)} after {seconds} s, not {expected}")
