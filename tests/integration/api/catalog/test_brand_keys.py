"""Two spellings are one brand by the same rule in Python and in SQL, and in a list as in search."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import String, bindparam, select

from api.catalog.brands.keys import key_in_sql, key_of
from api.kernel.context import open_context
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.sync import Indexer
from tests.harness.api import running_api
from tests.harness.shop import Shop

NAMES = [
    "Zeld", "ZELD", "zeld", "  Zeld  Home ", "Zeld\u00a0Home", "Ze\u0301ld", "Z\u00e9ld", "STRASSE", "Stra\u00dfe",
    "\uff3aeld", "\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2", "\u0130pek", "\ufb01ne", "\u24cf",
    "\u212bngstr\u00f6m", "\u0391\u0345", "\u1fb3", "\u4e2d\u6587", "\u0e1a", '24"', "a.b*c[d]", "\u2167", "\u017fam",
]  # fmt: skip


@pytest.fixture(scope="module")
def shop(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Path]]:
    home = tmp_path_factory.mktemp("brands-home")
    with running_api(home, database_url, redis_url) as server:
        shop = Shop(server, database_url)
        yield shop, home
        shop.close()


async def test_the_key_in_sql_is_the_key_in_python(database_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": tmp_path}
    statement = select(key_in_sql(bindparam("name", type_=String)))
    async with open_context(Settings.model_validate(settings)) as context, context.db.read() as tx:
        said = {name: await tx.scalar(statement, {"name": name}) for name in NAMES}

    assert said == {name: key_of(name) for name in NAMES}


@pytest.mark.parametrize("indexed", [False, True])
async def test_a_list_has_a_brand_under_all_its_spellings(
    shop: tuple[Shop, Path], database_url: str, redis_url: str, indexed: bool
) -> None:
    """Before there is an index, and with one."""
    client, sql = shop[0].client, shop[0].sql
    if not indexed:
        seller = shop[0].person("seller")
        for number, brand in enumerate(("Zeld", "ZELD", "Zeld", "Other", "color")):
            specifications = {"color": "Zeld"}
            shop[0].product(seller, title=f"Thing {number}", brand=brand, specifications=specifications)
    else:
        settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": shop[1]}
        async with open_context(Settings.model_validate(settings)) as context:
            await Indexer(IndexStore.of(context.settings)).rebuild(context)

    for asked in ("zeld", "ZELD", " Zeld", "\uff3aeld"):
        body = client.get("/api/v1/products", params={"brand": asked, "limit": 10 + indexed}).json()
        assert sorted(product["brand"] for product in body["products"]) == ["ZELD", "Zeld", "Zeld"], asked
        assert (body["pagination"]["total"], body["filters"]["brands"]) == (3, ["Zeld", "color", "Other"])
    nobody = client.get("/api/v1/products", params={"brand": "nobody"}).json()
    assert (nobody["products"], nobody["pagination"]["total"]) == ([], 0)
    assert isinstance(sql, psycopg.Connection)
