"""One contract for both engines: in process, and on a cluster, of which a stand-in checks each request. It has never
run on a cluster."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import httpx
import orjson
import pytest
import pytest_asyncio

from api.catalog.queries.listing import ProductQuery
from api.kernel.languages import Languages
from api.kernel.settings import Settings
from api.search import engines
from api.search.engine.index import Found, SearchIndex, SearchQuery, Sort
from api.search.engine.store import IndexStore
from api.search.engine.synonyms import Pair, SynonymTable
from api.search.errors import IndexNotReady
from api.search.filters import parse_filters
from api.search.opensearch.cluster import Cluster, UnsupportedCluster, client_of
from api.search.opensearch.index import OpenSearchIndex
from api.search.opensearch.indexer import ClusterIndexer
from api.search.texts import SHOP
from tests.harness import opensearch
from tests.harness.api import Server, api_of
from tests.harness.opensearch import Node
from tests.harness.searching import Search
from tests.harness.shop import Person
from tests.harness.small_index import SmallIndex, product
from tests.unit.api.search.test_found import HOSES, LAMP, SONY

Products = Sequence[str | Mapping[str, Any]]


def settings(url: str, home: Path, **more: Any) -> Settings:
    said = {"DATABASE_URL": "postgresql://nowhere", "SOUK_PROFILE": "test", "SOUK_HOME": home, "SOUK_SEARCH_URL": url}
    return Settings.model_validate({**said, **more})


@dataclass
class Engine:
    """Makes an index of a few products, whichever engine holds it."""

    folder: Path
    stack: AsyncExitStack
    node: Node | None = None
    url: str = ""
    number: int = 0

    async def of(self, products: Products, languages: Languages = SHOP, synonyms: Sequence[Pair] = ()) -> SearchIndex:
        self.number += 1
        if self.node is None:
            return SmallIndex(self.folder / str(self.number), products, languages, synonyms).index
        cluster = Cluster(client_of(settings(self.url, self.folder)), languages)
        self.stack.push_async_callback(cluster.client.close)
        indexer = ClusterIndexer(IndexStore(self.folder, languages), cluster=cluster)
        name = await cluster.create()
        rows = [product(number, {"title": one} if isinstance(one, str) else one) for number, one in enumerate(products)]
        await cluster.write(name, indexer._actions(rows), visible=True)  # noqa: SLF001 - without a database
        await cluster.publish(name)
        return OpenSearchIndex(cluster, SynonymTable(synonyms))


@pytest_asyncio.fixture(params=["in process", "cluster"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        if request.param == "in process":
            yield Engine(tmp_path, stack)
        else:
            node, url = await stack.enter_async_context(opensearch.running())
            yield Engine(tmp_path, stack, node, url)


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        node, url = await stack.enter_async_context(opensearch.running())
        yield Engine(tmp_path, stack, node, url)


async def found(index: SearchIndex, text: str = "", filters: str = "", sort: Sort = "relevance", **more: Any) -> Found:
    query = SearchQuery(text, parse_filters(filters), sort, more.pop("limit", 20), more.pop("offset", 0), **more)
    return await index.search(query)


def titles(found: Found) -> list[str]:
    return [str(orjson.loads(card)["title"]) for card in found.hits]


@pytest.mark.parametrize(
    ("products", "text", "expected"),
    [
        (["Laptop stand oak", LAMP], "the laptop stand", ["Laptop stand oak", "Desk lamp"]),
        (["Laptop stand oak", LAMP], "laptop stand for sale", ["Laptop stand oak", "Desk lamp"]),
        (["The The poster", "Band poster"], "the the", ["The The poster"]),
        (SONY, "wh-1000xm4", [SONY[0]]),
        (["Epson TK-675 ink", "Pen"], "tk675", ["Epson TK-675 ink"]),
        (["iPhone 15 case", "iPhone 14 case"], "iphone15", ["iPhone 15 case"]),
        (["Laptop stand", "Lamp"], "laptopstand", ["Laptop stand"]),
        (["Laptopstand", "Lamp"], "laptop stand", ["Laptopstand"]),
        (["Wi-Fi router", "Lamp"], "wifi", ["Wi-Fi router"]),
        (["Card 16GB", "Card 32GB"], "16 gb", ["Card 16GB"]),
        (["Headphones", "Lamp"], "hedphons", ["Headphones"]),
        (["Headphones", "Lamp"], "geadphones", ["Headphones"]),
        (["Original print", "Woven mat"], "orignal", ["Original print"]),
        (["Running shoes", "Lamp"], "run shoe", ["Running shoes"]),
        (["手机壳 透明", "杯子"], "手机", ["手机壳 透明"]),
        (["Наушники беспроводные", "Лампа"], "наушников", ["Наушники беспроводные"]),
        (["الهاتف المحمول", "مصباح"], "هاتف", ["الهاتف المحمول"]),
        (["Re\u0301sume\u0301 folder", "Lamp"], "resume", ["Re\u0301sume\u0301 folder"]),
        (["Schreibtischlampe", "Stuhl", "Tisch"], "lampe", ["Schreibtischlampe"]),
        (["Softbox", "Mat"], "sofa", []),
        (["Lamp"], "zzzz", []),
        (["Lamp"], "*", []),
    ],
)
async def test_what_is_found(engine: Engine, products: Products, text: str, expected: list[str]) -> None:
    assert titles(await found(await engine.of(products), text)) == expected


async def test_what_is_said_of_it(engine: Engine) -> None:
    index = await engine.of(HOSES)

    few = await found(index, "garden hose please")
    assert (list(few.relaxed), few.full, few.total, few.corrected, few.exact) == (["please"], 2, 3, None, False)
    assert titles(few)[2] == "Garden shed"
    nowhere = await found(index, "garden hose zzzz")
    assert (list(nowhere.relaxed), nowhere.full, nowhere.total) == (["zzzz"], 2, 3)
    apart = await found(await engine.of([*HOSES, "Steel rack"]), "garden steel hose")
    assert (list(apart.relaxed), apart.full, apart.total) == (["steel"], 2, 4)
    misspelled = await found(index, "gardn hose")
    assert (misspelled.corrected, misspelled.full, misspelled.exact) == ("garden hose", 2, False)
    sorted_by_price = await found(index, "garden hose", sort="price_asc")
    assert (sorted_by_price.total, sorted_by_price.full, sorted_by_price.exact) == (2, 2, True)
    assert titles(await found(index, "garden", without=("hose",))) == ["Garden shed"]


async def test_what_is_said_to_be_searched_finds_what_is_found(engine: Engine) -> None:
    """Whether an unknown word is taken for one known word or for several."""
    index = await engine.of(["Stove", "Stone", "Stone sink", "Store", "Lamp"])

    for text in ("stoqe", "stoqe sink"):
        asked = await found(index, text)
        assert asked.corrected is not None
        said = [await found(index, one, sort="price_asc") for one in (asked.corrected, *asked.also_searched)]
        assert [(one.corrected, list(one.also_searched)) for one in said] == [(None, [])] * len(said)
        whole = await found(index, text, sort="price_asc")
        assert set(whole.ids) == {product for one in said for product in one.ids}, text


async def test_the_correction_that_goes_with_the_other_words_is_taken(engine: Engine) -> None:
    index = await engine.of(["Camp bed", "Camp stove", "Camp chair", "Desk lamp"])

    assert titles(await found(index, "desk clamp")) == ["Desk lamp"]


async def test_codes_synonyms_and_values(engine: Engine) -> None:
    index = await engine.of(
        [
            {"title": "Oak lamp 1", "description": "lamp oak 1"},
            {"title": "Chair", "codes": ["LAMP-OAK-1", "04006381333931"], "specifications": {"material": "ash"}},
            "Couch",
            "Divan",
        ],
        synonyms=[Pair("sofa", "couch"), Pair("day bed", "divan")],
    )

    assert titles(await found(index, "LAMP-OAK-1"))[0] == "Chair"
    assert titles(await found(index, "4006381333931")) == ["Chair"]
    assert titles(await found(index, "sofa")) == ["Couch"]
    assert titles(await found(index, "day bed")) == ["Divan"]
    assert titles(await found(index, "ash")) == ["Chair"]
    assert titles(await found(index, "material")) == []


SHIRTS: Products = [
    {
        "title": "Shirt one", "brand": "Zeld", "rating": Decimal("4.5"), "category_path": "/Clothes/Shirts",
        "specifications": {"Fabric": "linen"},
        "variants": [
            {"price": "8.00", "attributes": {"color": "Red", "size": "M"}},
            {"price": "30.00", "attributes": {"color": "Blue", "size": "M"}},
            {"price": "30.00", "attributes": {"color": "Red", "size": "L"}},
        ],
    },
    {
        "title": "Shirt two", "brand": "ZELD", "rating": Decimal(3), "in_stock": False, "prime_eligible": True,
        "variants": [{"price": "25.00", "attributes": {"Colour": "red", "size": '24"'}}],
    },
    {"title": "Shirt three", "brand": "Zeld", "variants": [{"price": "300.00", "attributes": {"color": "Blue"}}]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", {"Shirt one": 8.0, "Shirt two": 25.0, "Shirt three": 300.0}),
        ("brand:zeld", {"Shirt one": 8.0, "Shirt two": 25.0, "Shirt three": 300.0}),
        ("attr.color:red", {"Shirt one": 8.0, "Shirt two": 25.0}),
        ("attr.colour:blue,attr.size:M", {"Shirt one": 30.0}),
        ("attr.color:blue,attr.size:L", {}),
        ("attr.color:red,price:20-40", {"Shirt one": 30.0, "Shirt two": 25.0}),
        ("attr.color:red,attr.size:M,price:20-40", {}),
        ("price:-10,price:200-", {"Shirt one": 8.0, "Shirt three": 300.0}),
        ('attr.size:24"', {"Shirt two": 25.0}),
        ("rating:4-", {"Shirt one": 8.0}),
        ("inStock:false", {"Shirt two": 25.0}),
        ("prime:true", {"Shirt two": 25.0}),
        ("category:/Clothes", {"Shirt one": 8.0}),
        ("attr.fabric:linen,price:30", {"Shirt one": 30.0}),
    ],
)
async def test_filters_find_variants(engine: Engine, filters: str, expected: dict[str, float]) -> None:
    index = await engine.of(SHIRTS)

    for text in ("", "shirt"):
        cards = [orjson.loads(card) for card in (await found(index, text, filters)).hits]
        assert {card["title"]: card["price"] for card in cards} == expected, text
    prices = [orjson.loads(card)["price"] for card in (await found(index, "", filters, "price_desc")).hits]
    assert prices == sorted(expected.values(), reverse=True)


@pytest.mark.parametrize("text", ["", "shirt"])
@pytest.mark.parametrize(
    "filters", ["", "brand:Zeld", "attr.color:red", "price:20-40", "attr.color:red,price:20-40", "rating:4-,prime:true"]
)
async def test_every_group_is_counted_under_all_filters_but_its_own(
    cluster: Engine, tmp_path: Path, filters: str, text: str
) -> None:
    """By the cluster as in process."""
    here, there = await Engine(tmp_path / "here", cluster.stack).of(SHIRTS), await cluster.of(SHIRTS)

    one, other = await found(here, text, filters), await found(there, text, filters)

    for name in ("total", "brands", "more_brands", "categories", "price_ranges", "ratings", "attributes"):
        assert list_of(getattr(other, name)) == list_of(getattr(one, name)), name
    assert sorted(other.hits) == sorted(one.hits)


def list_of(value: Any) -> Any:  # Any: of several types
    return list(value) if isinstance(value, Sequence) else value


@pytest.mark.parametrize("sort", get_args(Sort))
@pytest.mark.parametrize("text", ["", "lamp"])
async def test_pages_by_cursor_and_by_number_are_parts_of_one_order(engine: Engine, sort: Sort, text: str) -> None:
    lamps = [
        {
            "product_id": UUID(int=(number + 1) << 80 | 97 * number % 11),
            "title": "Lamp oak" if number % 2 else "Lamp",
            "rating": Decimal(number % 3),
            "variants": [{"price": f"{5 + number % 4}.00", "attributes": {}}],
        }
        for number in range(11)
    ]
    index = await engine.of(lamps)
    whole = await found(index, text, sort=sort)
    assert len(set(whole.ids)) == whole.total == 11

    by_number = [
        one for page in range(3) for one in (await found(index, text, sort=sort, limit=4, offset=4 * page)).ids
    ]
    page = await found(index, text, sort=sort, limit=4)
    by_cursor = [*page.ids]
    while page.last is not None:
        assert page.last.passed == len(by_cursor)
        page = await found(index, text, sort=sort, limit=4, after=page.last)
        by_cursor += page.ids

    assert by_number == by_cursor == list(whole.ids)


async def test_lists_brands_and_attributes(engine: Engine) -> None:
    index = await engine.of(SHIRTS)

    counts = await index.count(ProductQuery(min_price=Decimal(20), max_price=Decimal(40)))
    assert counts is not None
    assert (counts.total, list(counts.brands), dict(counts.prices), list(counts.ratings)) == (
        2, ["Zeld"], {0: 1, 1: 1, 2: 2, 5: 1}, [1, 2, 2, 2],
    )  # fmt: skip
    assert dict(await index.brands() or ()) == {"Zeld": 2, "ZELD": 1}
    assert await index.spellings(["zeld"]) == ("ZELD", "Zeld")
    assert await index.spellings(["color", "nobody"]) == ()
    assert await index.attribute_names() == ["color", "colour", "fabric", "size"]
    assert await index.knows_attribute("Color")
    assert not await index.knows_attribute("colr")


async def test_readers_of_other_languages(engine: Engine) -> None:
    said = {"de": {"title": "Rote Lampen", "description": None}}
    index = await engine.of([{"title": "Red lamps", "translations": said}, "Red chair"], Languages.of("en,de"))

    lamp, chair = (await found(index, "lampe", language="de")), (await found(index, "chair", language="de"))
    assert [(card["title"], card["titleLanguage"]) for card in map(orjson.loads, [*lamp.hits, *chair.hits])] == [
        ("Rote Lampen", None),
        ("Red chair", "en"),
    ]
    assert titles(await found(index, "red lamp")) == ["Red lamps", "Red chair"]
    assert index.forms("Lamps") == index.forms("lamp")


async def test_completions_have_words_that_begin_as_what_was_typed(engine: Engine) -> None:
    index = await engine.of(["Oak laptop stand", "Steel laptop stand", "Laptop bag"])

    assert (await index.complete("stand lap", 10))[0] == "laptop stand"
    assert "Oak laptop stand" in await index.complete("oak", 10)
    assert "Oak laptop stand" not in await index.complete("oak", 10, titles=False)
    assert await index.complete("zzzz", 10) == []


async def test_what_scores_are_made_of(engine: Engine) -> None:
    explained = (await found(await engine.of(HOSES), "garden hose", explain=True)).explained

    assert len(explained) == 3
    assert set(explained[0]) == {"score", "text", "popularity", "parts"}


# The cluster alone.


async def test_a_search_is_one_request_and_an_unknown_word_asks_again(cluster: Engine) -> None:
    index, node = await cluster.of([f"Lamp {number}" for number in range(12)]), cluster.node
    assert node is not None
    for text, requests in (("lamp", 1), ("the lamp", 1), ("", 1), ("lmap", 3)):
        node.searches.clear()
        await found(index, text)
        assert len(node.searches) == requests, text


async def test_other_servers_and_a_missing_client_are_refused_by_name(
    cluster: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.node is not None
    configured = settings(cluster.url, cluster.folder)
    indexer, index = engines.indexer_of(configured), engines.index_of(configured, SynonymTable())
    assert isinstance(indexer, ClusterIndexer)
    assert isinstance(index, OpenSearchIndex)
    cluster.stack.push_async_callback(indexer.close)
    cluster.stack.push_async_callback(index.close)
    await indexer.cluster.check()
    for version in ({"number": "8.1.0"}, {"distribution": "opensearch", "number": "1.3.0"}):
        cluster.node.version = version
        with pytest.raises(UnsupportedCluster, match=f"OpenSearch 2 or later is needed, .*{version['number']}"):
            await indexer.cluster.check()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UnsupportedCluster, match=r"install souk\[opensearch\]"):
        engines.index_of(configured, SynonymTable())


async def test_a_cluster_that_is_away_is_an_index_that_is_not_ready(cluster: Engine) -> None:
    index = await cluster.of(["Lamp"])
    assert cluster.node is not None
    cluster.node.down = True

    with pytest.raises(IndexNotReady):
        await found(index, "lamp")
    assert await index.count(ProductQuery()) is None
    assert await index.brands() is None
    assert await index.attribute_names() == []


async def test_the_worker_follows_the_catalog_and_exchanges_the_index_in_one_step(
    search: Search, seller: Person, cluster: Engine
) -> None:
    assert cluster.node is not None
    client = client_of(settings(cluster.url, search.home))
    cluster.stack.push_async_callback(client.close)
    there = Cluster(client, search.context.settings.languages)
    indexer = ClusterIndexer(IndexStore(cluster.folder), cluster=there)
    index = OpenSearchIndex(there)
    with pytest.raises(IndexNotReady):
        await found(index, "laptop")

    assert await indexer.refresh(search.context) == (await found(index)).total > 0
    first = await there.current()
    body = search("laptop", limit=100)
    ours = await found(index, "laptop", limit=100)
    assert sorted(titles(ours)) == sorted(result["title"] for result in body["results"])
    made = search.shop.product(seller, title="Cluster kit", price=10.0)
    indexer.swept = float("-inf")
    assert await indexer.refresh(search.context) == 1
    assert titles(await found(index, "cluster kit"))[0] == "Cluster kit"
    search.shop.client.delete(f"/api/v1/products/{made['productId']}", headers=seller.headers)
    indexer.swept = float("-inf")
    assert await indexer.refresh(search.context) == 1
    assert "Cluster kit" not in titles(await found(index, "cluster kit"))

    held = await indexer.rebuild(search.context)
    second = await there.current()
    assert first != second
    assert set(cluster.node.indices) == {second, "souk-indexer"}
    assert held == (await found(index)).total
    exchanged = [path for method, path in cluster.node.asked if method == "POST" and path == "/_aliases"]
    assert len(exchanged) == 2
    # A form of other fields is not read.
    other = replace(there, languages=Languages.of("en,de"))
    assert await other.current() is None


async def test_the_shop_answers_from_the_cluster(
    search: Search, cluster: Engine, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    client = client_of(settings(cluster.url, search.home))
    cluster.stack.push_async_callback(client.close)
    indexer = ClusterIndexer(IndexStore(tmp_path), cluster=Cluster(client, search.context.settings.languages))
    assert await indexer.rebuild(search.context) > 0
    assert cluster.node is not None
    # Started in a thread: the stand-in answers in this one.
    server = api_of(tmp_path, database_url, redis_url, {"SOUK_SEARCH_URL": cluster.url})
    await asyncio.to_thread(server.start)
    try:
        await _asked(search, server)
    finally:
        await asyncio.to_thread(server.stop)
    assert ("POST", "/souk-products/_search") in cluster.node.asked


async def _asked(search: Search, server: Server) -> None:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1/") as client:

        async def get(path: str) -> dict[str, Any]:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            body: dict[str, Any] = answer.json()
            return body

        for path, expected in {
            "search?q=latpop&highlight=true": search("latpop", highlight=True),
            "search?q=laptop&filters=brand:Dell": search("laptop", filters="brand:Dell"),
            "search?q=zzzz": search("zzzz"),
            "search?filters=attr.color:red": search(filters="attr.color:red"),
        }.items():
            body = await get(path)
            assert sorted(one["title"] for one in body["results"]) == sorted(
                one["title"] for one in expected["results"]
            ), path
            for name in ("correctedQuery", "alsoSearched", "relaxed", "fullMatches", "totalResults"):
                assert body[name] == expected[name], (path, name)
        listed = await get("products?brand=dell")
        assert {product["brand"] for product in listed["products"]} == {"Dell"}
        assert "laptop bag" in (await get("search/autocomplete?q=bag"))["suggestions"]
