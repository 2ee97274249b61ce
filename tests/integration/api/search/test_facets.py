"""Counts around the results of a search, and the filters that they stand for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.filters import written
from api.search.sync import Indexer
from tests.harness.api import running_api
from tests.harness.shop import Person, Shop, problem

TV = {"category": "/Electronics/Screens", "brand": "Zeld"}
CATALOG: tuple[dict[str, Any], ...] = (
    {**TV, "title": "Wide screen", "variants": [{"attributes": {"size": '24"'}}, {"attributes": {"size": '32"'}}]},
    {**TV, "title": "Small screen", "price": 60.0, "variants": [{"attributes": {"size": '24"', "colour": "Red"}}]},
    {
        **TV,
        "title": "Screen in two colors",
        "brand": "ZELD",
        "variants": [
            {"attributes": {"size": '32"', "Color": "red"}, "price": 10.0},
            {"attributes": {"size": '24"', "Color": "Blue"}, "price": 80.0},
        ],
    },
    {"category": "/Electronics", "brand": "Café, fils", "title": "Cable for a screen", "price": 3.0},
    {"category": "/Home", "brand": "Cafe\u0301, FILS", "title": "Cup", "price": 4.0},
)


class Counted:
    def __init__(self, shop: Shop, context: Context) -> None:
        self.shop, self.context = shop, context
        self.indexer = Indexer(IndexStore.of(context.settings))

    def get(self, q: str = "", person: Person | None = None, **params: Any) -> httpx.Response:
        headers = {} if person is None else person.headers
        return self.shop.client.get("/api/v1/search", params={"q": q, **params}, headers=headers)

    def __call__(self, q: str = "", **params: Any) -> dict[str, Any]:
        answer = self.get(q, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def titles(self, q: str = "", **params: Any) -> set[str]:
        return {result["title"] for result in self(q, **params)["results"]}

    def values(self, name: str, **params: Any) -> dict[str, int]:
        """Of one attribute."""
        listed = self(**params)["facets"]["attributes"]
        return next(({v["name"]: v["count"] for v in one["values"]} for one in listed if one["name"] == name), {})

    async def settle(self) -> None:
        """As of what is committed, and until the processes look at the index again."""
        self.indexer.swept = float("-inf")
        await self.indexer.refresh(self.context)
        await asyncio.sleep(0.3)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("facets-home")


@pytest.fixture(scope="module")
def shop(database_url: str, redis_url: str, home: Path) -> Iterator[Shop]:
    with running_api(home, database_url, redis_url, SOUK_LANGUAGES="en,de") as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counted(shop: Shop, database_url: str, redis_url: str, home: Path) -> AsyncIterator[Counted]:
    seller = shop.person("seller")
    for product in CATALOG:
        shop.product(seller, **product)
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    async with open_context(Settings.model_validate({**settings, "SOUK_LANGUAGES": "en,de"})) as context:
        counted = Counted(shop, context)
        await counted.settle()
        yield counted


async def test_spellings_of_a_brand_are_one_brand(counted: Counted) -> None:
    """Named as most products spell it, of equal numbers by alphabet."""
    facets = counted("screen")["facets"]

    assert facets["brands"] == [{"name": "Zeld", "count": 3}, {"name": "Cafe\u0301, FILS", "count": 1}]
    assert facets["moreBrands"] is False
    for spelling in ("zeld", "Zeld", "ZELD", "\uff3aeld"):
        assert counted(filters=f"brand:{spelling}")["totalResults"] == 3
    assert counted.titles(filters=written("brand", "CAFÉ, fils")) == {"Cable for a screen", "Cup"}


async def test_categories_count_what_is_below_them(counted: Counted) -> None:
    """Under all filters but their own; in the reader's language, as the tree is a moment later."""
    ids = {path: str(counted.shop.category(path)) for path in ("/Electronics", "/Electronics/Screens", "/Home")}
    german = 'update categories set names = \'{"de": "Haus"}\' where category_id = %s'
    counted.shop.sql.execute(german, (ids["/Home"],))

    def row(path: str, level: int, count: int) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        return {
            "categoryId": ids[path],
            "path": path,
            "name": name,
            "nameLanguage": None,
            "level": level,
            "count": count,
        }

    every = [row("/Electronics", 0, 4), row("/Electronics/Screens", 1, 3), row("/Home", 0, 1)]
    assert counted()["facets"]["categories"] == every
    assert counted(filters="category:/Home")["facets"]["categories"] == every
    assert counted("cup")["facets"]["categories"] == every[2:]
    priced = counted(filters="price:50-,category:/Home")["facets"]["categories"]
    assert priced == [row("/Electronics", 0, 2), row("/Electronics/Screens", 1, 2)]
    counted("cup", language="de")
    await asyncio.sleep(1.5)
    counted("cup", language="de")
    await asyncio.sleep(0.3)
    named = [(one["name"], one["nameLanguage"]) for one in counted(language="de")["facets"]["categories"]]
    assert named == [("Electronics", "en"), ("Screens", "en"), ("Haus", None)]


async def test_attributes_count_the_variants_that_fulfil_the_rest(counted: Counted) -> None:
    assert counted.values("size") == {'24"': 3, '32"': 2}
    assert counted.values("Color") == {"red": 2, "Blue": 1}
    # Its own filter does not narrow a group, another one's variant decides.
    assert counted.values("size", filters='attr.size:32"') == {'24"': 3, '32"': 2}
    assert counted.values("Color", filters='attr.size:32"') == {"red": 1}
    assert counted.values("Color", filters='attr.size:24"') == {"Blue": 1, "red": 1}
    assert counted.values("size", filters="price:60-100") == {'24"': 2}
    assert counted.values("size", filters="price:-10") == {'24"': 1, '32"': 2}
    assert counted.values("size", filters="brand:zeld,attr.color:blue") == {'24"': 1}
    assert counted.values("size", q="cup") == {}


async def test_attributes_are_called_what_their_category_calls_them(counted: Counted) -> None:
    """What a category calls a facet is listed first, a second after it was defined."""
    admin, category = counted.shop.admin(), counted.shop.category("/Electronics")
    names = [one["name"] for one in counted()["facets"]["attributes"]]
    assert names == ["size", "Color"]
    defined = [
        {"name": "color", "label": "Color of the case", "labels": {"de": "Farbe"}, "type": "text", "facet": True},
        {"name": "size", "label": "Diagonal", "type": "text"},
    ]
    path = f"/api/v1/categories/{category}/attributes"
    answer = counted.shop.client.put(path, json={"attributes": defined}, headers=admin.headers)
    assert answer.status_code < 300, answer.text
    await asyncio.sleep(1.2)
    counted()
    await asyncio.sleep(0.3)

    def labels(**params: str) -> list[tuple[str, str, str | None]]:
        listed = counted(**params)["facets"]["attributes"]
        return [(one["name"], one["label"], one["labelLanguage"]) for one in listed]

    assert labels() == [("Color", "Color of the case", None), ("size", "Diagonal", None)]
    assert labels(language="de") == [("Color", "Farbe", None), ("size", "Diagonal", "en")]


@pytest.mark.parametrize(
    "filters",
    ['attr.size:"24"""', 'attr.size:24"', 'attr.SIZE:"24""",brand:Zeld', 'brand:Zeld,attr.size:24" '],
    ids=str,
)
async def test_a_value_with_a_quote_can_be_asked_for(counted: Counted, filters: str) -> None:
    assert counted.titles(filters=filters) >= {"Wide screen", "Small screen"}
    assert "Cup" not in counted.titles(filters=filters)


async def test_the_values_of_a_facet_are_filters(counted: Counted) -> None:
    """Each finds as many as it was counted for."""
    for asked in ("", "price:3-60", "attr.color:red"):
        facets = counted(filters=asked)["facets"]
        choices = [(written("brand", one["name"]), one["count"], asked) for one in facets["brands"]]
        choices += [(written("category", one["path"]), one["count"], asked) for one in facets["categories"]]
        for one in facets["attributes"]:
            own = asked.startswith(f"attr.{one['name'].lower()}")
            choices += [
                (written(f"attr.{one['name']}", value["name"]), value["count"], "" if own else asked)
                for value in one["values"]
            ]
        for part, count, rest in choices:
            assert counted(filters=",".join(filter(None, (part, rest))))["totalResults"] == count, (part, rest)


async def test_a_quote_that_does_not_end_is_named(counted: Counted) -> None:
    body = problem(counted.get(filters='attr.size:"24""'), 422, "bad-filter")

    assert "a double quote is doubled" in body["detail"]
