"""Why a kept page has the reader's language in its name."""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from tests.harness.api import api_of
from tests.harness.buying import Sandbox, buying_env
from tests.harness.shop import Shop
from tests.integration.api.catalog.test_languages import HEADPHONES


def test_with_one_page_for_all_languages_a_reader_gets_anothers(
    database_url: str, redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The mutant: the language is not in the name of the kept page."""
    shops: dict[str, set[str]] = {}
    for mutant in ("", "one page for all languages"):
        server = api_of(tmp_path / (mutant or "none"), database_url, redis_url, buying_env(sandbox))
        server.start(mutant=mutant)
        shop = Shop(server, database_url)
        product = shop.product(shop.person("seller"), **HEADPHONES, brand=uuid4().hex[:8])
        try:
            shops[mutant] = _titles_while_kept(shop, product, redis_url)
        finally:
            shop.close()
            server.stop()
    assert shops[""] == {"Wireless headphones", "Schnurlose Kopfhörer"}
    assert shops["one page for all languages"] == {"Wireless headphones"}


def _titles_while_kept(shop: Shop, product: dict[str, Any], redis_url: str) -> set[str]:
    """The titles that readers of English and of German get, once pages are kept."""
    path, titles = f"/api/v1/products/{product['productId']}", set[str]()
    with redis.Redis.from_url(redis_url) as feed:
        until = time.monotonic() + 10
        while shop.client.get(path).headers["cache-status"] != "souk-process; hit" and time.monotonic() < until:
            feed.publish("souk:drops", '{"tags": [], "feed": "events"}')
            time.sleep(0.05)
        for language in ("en", "de"):
            titles.add(shop.client.get(path, headers={"Accept-Language": language}).json()["title"])
    return titles
