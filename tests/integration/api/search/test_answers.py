"""What a search answers around its results: negative words, marks, help where nothing is found, what scores are made
of, cursors, and refusals."""

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
from api.search.sync import Indexer
from tests.harness.api import running_api
from tests.harness.shop import Person, Shop, problem
from tests.security.test_search_input import TEXTS

CATALOG: tuple[dict[str, Any], ...] = (
    {"title": "Laptop stand", "description": "For a desk & a <laptop>.", "price": 20.0, "brand": "Bolt"},
    {
        "title": "Laptop bag",
        "description": "Carries what you need. " * 20 + "Also a laptop of any size. " + "It is grey. " * 20,
        "price": 30.0,
        "translations": {"de": {"title": "Tasche für Laptops", "description": "Für jeden Laptop"}},
    },
    {"title": "Garden <b>hose</b> & tap", "price": 40.0, "category": "/Garden"},
    {"title": "T-shirt", "price": 5.0, "category": "/Clothes"},
)


class Answers:
    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def get(self, q: str = "", person: Person | None = None, **params: Any) -> httpx.Response:
        headers = {} if person is None else person.headers
        return self.shop.client.get("/api/v1/search", params={"q": q, **params}, headers=headers)

    def __call__(self, q: str = "", person: Person | None = None, **params: Any) -> dict[str, Any]:
        answer = self.get(q, person, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def titles(self, q: str = "", **params: Any) -> list[str]:
        return [result["title"] for result in self(q, **params)["results"]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers-home")


@pytest.fixture(scope="module")
def shop(database_url: str, redis_url: str, home: Path) -> Iterator[Shop]:
    with running_api(home, database_url, redis_url, SOUK_LANGUAGES="en,de") as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers(shop: Shop, database_url: str, redis_url: str, home: Path) -> AsyncIterator[Answers]:
    seller = shop.person("seller")
    for product in CATALOG:
        shop.product(seller, **product)
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    context: Context
    async with open_context(Settings.model_validate({**settings, "SOUK_LANGUAGES": "en,de"})) as context:
        await Indexer(IndexStore.of(context.settings)).refresh(context)
        await asyncio.sleep(0.3)
        yield Answers(shop)


async def test_negative_words_take_away(answers: Answers) -> None:
    assert set(answers.titles("laptop")) == {"Laptop stand", "Laptop bag"}
    assert answers.titles("laptop -bag") == answers.titles("-BAGS laptop") == ["Laptop stand"]
    assert answers("laptop -bag")["query"] == "laptop -bag"
    assert set(answers.titles("-laptop")) == {"Garden <b>hose</b> & tap", "T-shirt"}
    assert answers.titles("t-shirt") == ["T-shirt"]
    assert "Laptop stand" in answers.titles("laptop - stand")
    assert answers("laptop -bag")["facets"]["categories"][0]["count"] == 1
    assert answers("laptop")["facets"]["categories"][0]["count"] == 2


async def test_marks_are_escaped_and_in_the_language_of_the_reader(answers: Answers) -> None:
    def marks(q: str, **params: str) -> list[dict[str, Any]]:
        return [result["highlights"] for result in answers(q, None, highlight="true", **params)["results"]]

    assert marks("laptops stand")[0] == {
        "title": "<em>Laptop</em> <em>stand</em>",
        "description": "For a desk &amp; a &lt;<em>laptop</em>&gt;.",
    }
    assert marks("hose tap")[0] == {
        "title": "Garden &lt;b&gt;<em>hose</em>&lt;/b&gt; &amp; <em>tap</em>",
        "description": None,
    }
    bag = next(one for one in marks("laptop") if "bag" in one["title"])
    assert len(bag["description"]) < 200
    assert bag["description"].startswith("\u2026")
    assert bag["description"].endswith("\u2026")
    assert "Also a <em>laptop</em> of" in bag["description"]
    german = next(one for one in marks("laptop", language="de") if "Tasche" in one["title"])
    assert german == {"title": "Tasche für <em>Laptops</em>", "description": "Für jeden <em>Laptop</em>"}
    assert "highlights" not in answers("laptop")["results"][0]
    # Whatever an unknown word was taken for.
    assert {one["title"] for one in marks("bap")} == {
        "Laptop <em>bag</em>",
        "Garden &lt;b&gt;hose&lt;/b&gt; &amp; <em>tap</em>",
    }
    body = answers("bap")
    assert {body["correctedQuery"], *body["alsoSearched"]} == {"bag", "tap"}


async def test_what_finds_nothing_says_what_would(answers: Answers) -> None:
    body = answers("laptop", filters="brand:Nobody,price:-25")

    assert (body["results"], body["totalResults"]) == ([], 0)
    assert body["help"]["filters"] == [{"name": "brand", "totalResults": 1}]
    assert body["help"]["categories"][0]["count"] == 2
    fewer = answers("laptop hose", filters="category:/Garden,brand:Nobody")["help"]["fewerWords"]
    assert fewer == []
    assert answers("laptop")["help"] is None


async def test_only_administrators_see_what_scores_are_made_of(answers: Answers) -> None:
    problem(answers.get("laptop", explain="true"), 403, "forbidden")
    problem(answers.get("laptop", answers.shop.person("seller"), explain="true"), 403, "forbidden")
    body = answers("laptop stand", answers.shop.admin(), explain="true")

    assert [one["productId"] for one in body["explained"]] == [one["productId"] for one in body["results"]]
    for one in body["explained"]:
        assert one["score"] == pytest.approx(one["text"] * one["popularity"])
        assert one["parts"]
    scores = [one["score"] for one in body["explained"]]
    assert scores == sorted(scores, reverse=True)
    assert "stand" in str(body["explained"][0]["parts"])
    assert answers("laptop stand", answers.shop.admin())["explained"] is None


async def test_pages_by_cursor(answers: Answers) -> None:
    first = answers(limit=3)
    second = answers(limit=3, cursor=first["nextCursor"])

    assert (len(first["results"]), len(second["results"]), second["nextCursor"]) == (3, 1, None)
    assert first["totalResults"] == second["totalResults"] == 4
    assert {one["productId"] for one in first["results"]}.isdisjoint(one["productId"] for one in second["results"])
    for other in ({"q": "laptop"}, {"sort": "newest"}, {"filters": "prime:true"}, {"language": "de"}):
        body = problem(answers.get(**{"cursor": first["nextCursor"], **other}), 422, "validation-failed")
        assert body["errors"][0]["pointer"] == "/query/cursor"
    problem(answers.get(cursor="x"), 422, "validation-failed")


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"page": 10**6}, "/query/page"),
        ({"q": "x" * 10_000}, "/query/q"),
        ({"filters": "brand:" + "x" * 10_000}, "/query/filters"),
        ({"filters": "nonsense:1"}, "/query/filters"),
        ({"filters": "attr.nonsense:1"}, "/query/filters"),
        ({"limit": 0}, "/query/limit"),
        ({"sort": "best"}, "/query/sort"),
        ({"cursor": "*" * 501}, "/query/cursor"),
        ({"highlight": "perhaps"}, "/query/highlight"),
    ],
    ids=["page", "long", "long-filter", "filter", "attribute", "limit", "sort", "cursor", "highlight"],
)
async def test_what_cannot_be_answered_is_named(answers: Answers, params: dict[str, Any], pointer: str) -> None:
    answer = answers.get(**params)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer


# What a text of wildcards, marks or minus signs finds: its letters, as any text; blanks, and words that are not wanted,
# leave everything.
HARMLESS = {
    "wildcards in words": {"Garden <b>hose</b> & tap"},
    "one letter": {"Laptop stand", "Laptop bag"},
    "marks": {"Laptop stand", "Laptop bag"},
    "typing errors": {"Garden <b>hose</b> & tap"},
    "negative": {product["title"] for product in CATALOG},
    "blanks": {product["title"] for product in CATALOG},
}


@pytest.mark.parametrize("name", TEXTS)
async def test_what_is_typed_to_do_harm_is_answered(answers: Answers, name: str) -> None:
    """What it costs is in `tests/security/test_search_input.py`."""
    body = answers(TEXTS[name])

    assert body["query"] == TEXTS[name]
    assert {result["title"] for result in body["results"]} == HARMLESS.get(name, set())
    assert body["totalResults"] == len(HARMLESS.get(name, ()))


async def test_the_seeds_sort_by_price(answers: Answers) -> None:
    assert answers.titles(sort="price") == answers.titles(sort="price_asc")
