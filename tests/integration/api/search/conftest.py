"""The shop of the tests of search."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from api.kernel.context import open_context
from api.kernel.settings import Settings
from tests.harness.api import Server, running_api
from tests.harness.searching import CATALOG, Search
from tests.harness.shop import Person, Shop, problem


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search-home")


@pytest.fixture(scope="module")
def served(database_url: str, redis_url: str, home: Path) -> Iterator[tuple[Server, Shop]]:
    with running_api(home, database_url, redis_url) as server:
        shop = Shop(server, database_url)
        yield server, shop
        shop.close()


@pytest.fixture(scope="module")
def seller(served: tuple[Server, Shop]) -> Person:
    return served[1].person("seller")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def search(
    served: tuple[Server, Shop], seller: Person, database_url: str, redis_url: str, home: Path
) -> AsyncIterator[Search]:
    server, shop = served
    problem(shop.client.get("/api/v1/search", params={"q": "laptop"}), 503, "search-not-ready")
    for title, brand, price, category, rating, prime, stock, extra in CATALOG:
        product = shop.product(
            seller,
            stock=stock,
            category=category,
            **{"title": title, "brand": brand, "price": price, "primeEligible": prime, **extra},
        )
        shop.sql.execute(
            "update products set average_rating = %s, updated_at = now() where product_id = %s",
            (rating, product["productId"]),
        )
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        search = Search(server, shop, context, home)
        assert await search.indexer.refresh(context) == len(CATALOG)
        await asyncio.sleep(0.3)
        yield search
