"""Products and categories in several languages: what saves keep, what readers are shown, and that kept pages, lists,
the tree, search, carts and orders are in the reader's language.

The worker's two jobs that drop pages, the relay and the indexer, run in the test.
"""

import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from api import nouns
from api.kernel import outbox
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.sync import Indexer
from tests.harness.api import Server, running_api
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env, until
from tests.harness.invariants import assert_invariants
from tests.harness.kits import kit_of
from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person, problem

LANGUAGES = ("en", "de", "fr", "es")
GERMAN = {"title": "Schnurlose Kopfhörer", "description": "Für lange Flüge", "labels": {"color": "Farbe", "Red": "Rot"}}
HEADPHONES: dict[str, Any] = {
    "title": "Wireless headphones",
    "description": "For long flights",
    "variants": [{"attributes": {"color": "Red"}}],
    "translations": {"de": GERMAN, "fr": {"title": "Casque sans fil"}},
}


@dataclass
class World:
    """A shop whose API keeps pages, and the jobs of its worker."""

    market: Market
    context: Context
    indexer: Indexer
    env: dict[str, str]

    async def settle(self) -> None:
        """What the worker does within a second."""
        await outbox.relay(self.context, nouns.followers(), nouns.drops(), nouns.doors())
        self.indexer.swept = float("-inf")  # by the times of change: what the relay told may be on its way still
        await self.indexer.refresh(self.context)

    def get(self, path: str, header: str | None = None, person: Person | None = None, **query: Any) -> httpx.Response:
        headers = {} if header is None else {"Accept-Language": header}
        headers |= {} if person is None else person.headers
        answer = self.market.client.get(f"/api/v1{path}", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture(scope="module")
def served(
    database_url: str, redis_url: str, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("languages-home")
    with running_api(home, database_url, redis_url, **buying_env(sandbox), SOUK_HOME=str(home)) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(served: Server, database_url: str, redis_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"}
    settings = Settings.model_validate({**env, "SOUK_HOME": served.env["SOUK_HOME"]})
    market = Market(served, database_url, sandbox)
    async with open_context(settings) as context:
        world = World(market, context, Indexer(IndexStore.of(settings)), dict(served.env))
        await world.settle()
        yield world
    market.close()
    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


@pytest.fixture(scope="module")
def seller(world: World) -> Person:
    return world.market.person("seller")


@pytest.fixture
def headphones(world: World, seller: Person) -> dict[str, Any]:
    """A product with German texts and a French title; the brand tells it from others."""
    return world.market.product(seller, **HEADPHONES, brand=f"B{uuid4().hex[:8]}")


def saved(world: World, seller: Person, product: dict[str, Any], method: str, **body: Any) -> httpx.Response:
    return world.market.client.request(
        method, f"/api/v1/products/{product['productId']}", json=body, headers=seller.headers
    )


def kept(world: World, seller: Person, product: dict[str, Any]) -> Any:
    """The translations as the seller reads them."""
    return world.get(f"/products/{product['productId']}", person=seller).json()["translations"]


async def test_a_page_is_in_the_readers_language_field_by_field(world: World, headphones: dict[str, Any]) -> None:
    path = f"/products/{headphones['productId']}"
    pages = {language: world.get(path, language).json() for language in LANGUAGES}
    shown = {
        language: (page["language"], page["title"], page["description"], page["fallbacks"], page["labels"])
        for language, page in pages.items()
    }
    assert shown == {
        "en": ("en", "Wireless headphones", "For long flights", {}, {}),
        "de": ("de", "Schnurlose Kopfhörer", "Für lange Flüge", {"category": "en"}, GERMAN["labels"]),
        "fr": ("fr", "Casque sans fil", "For long flights", {"description": "en", "category": "en"}, {}),
        "es": (
            "es", "Wireless headphones", "For long flights",
            {"title": "en", "description": "en", "category": "en"}, {},
        ),
    }  # fmt: skip
    assert {page["media"][0]["alt"] for page in pages.values()} == {
        "Wireless headphones", "Schnurlose Kopfhörer", "Casque sans fil",
    }  # fmt: skip
    texts = {"language", "title", "description", "fallbacks", "labels", "media", "category", "breadcrumbs"}
    rest = [{name: value for name, value in page.items() if name not in texts} for page in pages.values()]
    assert rest == [rest[0]] * 4


async def test_the_header_or_the_query_says_which_language(world: World, headphones: dict[str, Any]) -> None:
    path = f"/products/{headphones['productId']}"
    asked = {
        None: "en", "": "en", "ja": "en", "de-CH, fr;q=0.5": "de", "pl;q=1, fr;q=0.2, de;q=0.1": "fr", "*;q=0.1": "en",
    }  # fmt: skip
    for header, language in asked.items():
        answer = world.get(path, header)
        assert (answer.headers["content-language"], answer.json()["language"]) == (language, language), header
        assert "Accept-Language" in answer.headers["vary"]
    for language in LANGUAGES:
        answer = world.get(path, "de", language=language)
        assert (answer.headers["content-language"], answer.json()["language"]) == (language, language)
    for target in (path, "/products", "/categories", "/search", "/cart"):
        for wrong in ("it", "de-AT", "german"):
            refused = world.market.client.get(f"/api/v1{target}", params={"language": wrong})
            (error,) = problem(refused, 422, "validation-failed")["errors"]
            assert (error["pointer"], "must be one of en, de, fr, es" in error["message"]) == ("/query/language", True)
        refused = world.market.client.get(f"/api/v1{target}", params={"language": "d_e"})
        problem(refused, 422, "validation-failed")


async def test_a_kept_page_is_one_for_each_language_and_not_for_each_header(
    world: World, headphones: dict[str, Any]
) -> None:
    path = f"/products/{headphones['productId']}"
    headers = ["de", "de-AT, en;q=0.3", "DE;q=0.7, *;q=0.1", "de, fr;q=0.9"]
    await world.settle()
    first = {language: world.get(path, language).content for language in (None, *LANGUAGES)}
    made = [world.get(path, header) for header in headers]

    assert {answer.content for answer in made} == {first["de"]}
    assert {answer.headers["cache-status"] for answer in made} == {"souk-process; hit"}
    assert first[None] == first["en"]
    assert len(set(first.values())) == 4
    for language, content in first.items():
        answer = world.get(path, language)
        assert (answer.content, answer.headers["cache-status"]) == (content, "souk-process; hit")


async def test_a_change_is_in_every_language_within_a_second(
    world: World, seller: Person, headphones: dict[str, Any]
) -> None:
    path = f"/products/{headphones['productId']}"
    await world.settle()
    for language in LANGUAGES:
        assert world.get(path, language).json()["price"] == 10.0

    assert saved(world, seller, headphones, "PATCH", price=12.5, translations={"fr": {"title": "Casque"}}).is_success
    until = time.monotonic() + 1
    await world.settle()
    for language in LANGUAGES:
        while world.get(path, language).json()["price"] != 12.5:
            assert time.monotonic() < until
    assert world.get(path, "fr").json()["title"] == "Casque"


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("PATCH", {"title": "Other"}, HEADPHONES["translations"]),
        ("PATCH", {"translations": {"fr": None}}, {"de": GERMAN}),
        (
            "PATCH",
            {"translations": {"de": {"title": None}, "es": {"title": "Auriculares"}}},
            {
                "de": {"description": GERMAN["description"], "labels": GERMAN["labels"]},
                "fr": {"title": "Casque sans fil"},
                "es": {"title": "Auriculares"},
            },
        ),
        ("PATCH", {"translations": None}, None),
        ("PUT", {"translations": {"es": {"title": "Auriculares"}}}, {"es": {"title": "Auriculares"}}),
        ("PUT", {}, None),
    ],
)  # fmt: skip
async def test_patch_sets_what_was_sent_and_put_replaces(
    *, world: World, seller: Person, headphones: dict[str, Any], method: str, fields: dict[str, Any], expected: Any
) -> None:
    whole = {
        "title": headphones["title"],
        "category": headphones["categoryId"],
        "price": 10.0,
        "brand": headphones["brand"],
    }
    body = {**(whole if method == "PUT" else {}), **fields}
    for _ in range(2):  # the second save changes nothing
        answer = saved(world, seller, headphones, method, **body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["translations"] == expected
    assert kept(world, seller, headphones) == expected


async def test_what_the_seller_reads_is_the_products_own_and_can_be_sent_back(
    world: World, seller: Person, headphones: dict[str, Any]
) -> None:
    """With a browser's header too: otherwise the German title would become the product's own."""
    path = f"/products/{headphones['productId']}"
    read = world.get(path, "de", seller)
    assert (read.headers["content-language"], read.json()["title"]) == ("en", "Wireless headphones")
    assert read.json()["translations"] == HEADPHONES["translations"]
    assert world.get(path, "fr", seller, language="de").json()["title"] == "Schnurlose Kopfhörer"
    assert world.get(path, "de").json()["translations"] is None

    fields = ("title", "description", "brand", "translations")
    back = {name: read.json()[name] for name in fields} | {"category": read.json()["categoryId"], "price": 10.0}
    again = saved(world, seller, headphones, "PUT", **back).json()
    assert {name: again[name] for name in fields} == {name: read.json()[name] for name in fields}


async def test_a_translation_is_a_part_of_a_version_that_can_be_restored(
    world: World, seller: Person, headphones: dict[str, Any]
) -> None:
    path = f"/products/{headphones['productId']}/versions"
    for translations in ({"de": {"title": "Kopfhörer"}}, {"de": {"title": "Kopfhörer"}}, None):
        assert saved(world, seller, headphones, "PATCH", translations=translations).is_success
    listed = world.get(path, person=seller).json()["versions"]
    numbers = [one["version"] for one in listed]
    assert [one["fields"] for one in listed] == [["translations"], ["translations"], []]
    changed = world.get(f"{path}/{numbers[1]}", person=seller).json()["diff"]
    assert [(one["op"], one["pointer"], one["before"], one["after"]) for one in changed] == [
        ("changed", "/translations/de/title", GERMAN["title"], "Kopfhörer")
    ]
    restored = world.market.client.post(f"/api/v1{path}/{numbers[2]}/restore", headers=seller.headers)
    assert restored.json()["translations"] == HEADPHONES["translations"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"translations": {"it": {"title": "Cuffie"}}}, "/translations/it"),
        ({"translations": {"en": {"title": "Headphones"}}}, "/translations/en"),
        ({"language": "it"}, "/language"),
        ({"language": "de"}, "/language"),
        ({"language": "deutsch_"}, "/language"),
        ({"translations": {"de": {"title": "x" * 501}}}, "/translations/de/title"),
        ({"translations": {"de": {"title": "a\u202eb"}}}, "/translations/de/title"),
        ({"translations": {"de": {"description": "a\u0000b"}}}, "/translations/de/description"),
        ({"translations": {f"de-{i:02}": {"title": "T"} for i in range(100)}}, "/translations"),
    ],
)
async def test_languages_that_are_refused_change_nothing(
    world: World, seller: Person, headphones: dict[str, Any], fields: dict[str, Any], pointer: str
) -> None:
    refused = saved(world, seller, headphones, "PATCH", **fields)
    errors = problem(refused, 422, "validation-failed")["errors"]
    assert pointer in {error["pointer"] for error in errors}, errors
    assert kept(world, seller, headphones) == HEADPHONES["translations"]


async def test_a_product_of_another_language_falls_back_to_that(world: World, seller: Person) -> None:
    product = world.market.product(
        seller, title="Tischleuchte", description="Warmes Licht", language="DE", brand=uuid4().hex[:8],
        translations={"en": {"title": "Desk lamp"}},
    )  # fmt: skip
    path = f"/products/{product['productId']}"
    shown = {language: world.get(path, language).json() for language in LANGUAGES}

    assert {language: (page["title"], page["fallbacks"].get("title")) for language, page in shown.items()} == {
        "en": ("Desk lamp", None), "de": ("Tischleuchte", None),
        "fr": ("Tischleuchte", "de"), "es": ("Tischleuchte", "de"),
    }  # fmt: skip
    assert [page["fallbacks"].get("description") for page in shown.values()] == ["de", None, "de", "de"]
    own = world.get(path, "fr", seller)
    assert (own.headers["content-language"], own.json()["language"], own.json()["title"]) == (
        "de",
        "de",
        "Tischleuchte",
    )


async def test_texts_of_pictures_are_in_the_readers_language(world: World, seller: Person) -> None:
    product = world.market.product(seller, images=[base64_of(one_of(1)), base64_of(one_of(2))])
    path = f"/products/{product['productId']}"
    first, second = (image["imageId"] for image in product["media"])
    for image, alt in ((first, "The lamp"), (second, "Its switch")):
        url = f"/api/v1{path}/images/{image}"
        assert world.market.client.patch(url, json={"alt": alt}, headers=seller.headers).is_success
    alts = {product["images"][0]: "Die Lampe"}
    assert saved(world, seller, product, "PATCH", translations={"de": {"alts": alts}, "fr": {"title": "L"}}).is_success
    await world.settle()

    pages = {language: world.get(path, language).json() for language in ("en", "de", "fr")}
    assert {language: [image["alt"] for image in page["media"]] for language, page in pages.items()} == {
        "en": ["The lamp", "Its switch"], "de": ["Die Lampe", "Its switch"], "fr": ["The lamp", "Its switch"],
    }  # fmt: skip
    assert [page["fallbacks"].get("media") for page in pages.values()] == [None, "en", "en"]


async def test_lists_are_in_the_readers_language(world: World, headphones: dict[str, Any]) -> None:
    await world.settle()
    cards = {
        language: [
            (card["title"], card["titleLanguage"])
            for card in world.get("/products", language, brand=headphones["brand"]).json()["products"]
        ]
        for language in LANGUAGES
    }
    assert cards == {
        "en": [("Wireless headphones", None)],
        "de": [("Schnurlose Kopfhörer", None)],
        "fr": [("Casque sans fil", None)],
        "es": [("Wireless headphones", "en")],
    }


async def test_the_tree_and_breadcrumbs_are_in_the_readers_language(world: World, seller: Person) -> None:
    admin, name = world.market.admin(), f"D{uuid4().hex[:6]}"
    client, root = world.market.client, "/api/v1/categories"

    def made(body: dict[str, Any]) -> str:
        answer = client.post(root, json=body, headers=admin.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["categoryId"])

    top = made({"name": name, "names": {"de": f"Abteilung {name}", "FR": f"Rayon {name}"}})
    below = made({"name": "Phones", "parentCategoryId": top, "names": {"de": "Telefone"}})
    product = world.market.product(seller, category=f"/{name}/Phones")
    page = f"/products/{product['productId']}"
    await world.settle()

    def tree(language: str) -> list[tuple[str, str | None]]:
        nodes = [node for node in world.get("/categories", language).json()["categories"] if node["categoryId"] == top]
        return [(node["name"], node["nameLanguage"]) for node in [*nodes, *nodes[0]["children"]]]

    assert tree("de") == [(f"Abteilung {name}", None), ("Telefone", None)]
    assert tree("fr") == [(f"Rayon {name}", None), ("Phones", "en")]
    assert tree("en") == [(name, None), ("Phones", None)]
    crumbs = world.get(page, "de").json()
    assert crumbs["category"] == f"Abteilung {name} > Telefone"
    assert [(one["name"], one["path"]) for one in crumbs["breadcrumbs"]] == [
        (f"Abteilung {name}", f"/{name}"), ("Telefone", f"/{name}/Phones"),
    ]  # fmt: skip
    assert world.get(page, "fr").json()["fallbacks"]["category"] == "en"
    single = world.get(f"/categories/{below}", "de").json()
    assert (single["name"], single["names"], single["breadcrumbs"][0]["name"]) == (
        "Telefone", {"de": "Telefone"}, f"Abteilung {name}",
    )  # fmt: skip

    def found(q: str, language: str) -> bool:
        results = world.get("/search", language, q=q).json()["results"]
        return product["productId"] in [card["productId"] for card in results]

    await until(lambda: found("Telefone", "de"))  # the API looks for a commit now and then
    assert found(f"Abteilung {name}", "de")
    assert found(f"Phones {name}", "de")
    assert not found("Telefone", "fr")

    changed = client.patch(f"{root}/{top}", json={"names": {"de": None, "es": "Tienda"}}, headers=admin.headers)
    assert changed.json()["names"] == {"fr": f"Rayon {name}", "es": "Tienda"}
    await world.settle()
    assert world.get(page, "de").json()["category"] == f"{name} > Telefone"
    assert tree("de") == [(name, "en"), ("Telefone", None)]
    await until(lambda: found("Tienda", "es"))
    assert [found("Telefone", "de"), found("Abteilung", "de")] == [True, False]
    assert tree("es") == [("Tienda", None), ("Phones", "en")]
    for names, pointer in (
        ({"it": "Negozio"}, "/names/it"),
        ({"en": "Shop"}, "/names/en"),
        ({"de": "a/b"}, "/names/de"),
    ):
        refused = client.patch(f"{root}/{top}", json={"names": names}, headers=admin.headers)
        assert pointer in {error["pointer"] for error in problem(refused, 422, "validation-failed")["errors"]}


async def test_search_finds_words_of_the_readers_language_and_the_products_own(
    world: World, seller: Person, headphones: dict[str, Any]
) -> None:
    await world.settle()
    brand = f'brand:"{headphones["brand"]}"'

    def found(q: str, language: str) -> list[tuple[str, str | None]]:
        results = world.get("/search", language, q=q, filters=brand).json()["results"]
        return [(one["title"], one["titleLanguage"]) for one in results]

    german = [("Schnurlose Kopfhörer", None)]
    await until(lambda: found("kopfhorer", "de") == german)  # the API looks for a commit now and then
    # In the plural, without its umlaut, by a word of the description, of a value, and in the product's own language.
    for q in ("schnurloser Kopfhörer", "kopfhorer", "Flug", "rote", "wireless headphone", "schnurlose headphones"):
        assert found(q, "de") == german, q
    assert found("casques", "fr") == [("Casque sans fil", None)]
    assert found("headphones", "es") == [("Wireless headphones", "en")]
    assert found("headphones", "en") == [("Wireless headphones", None)]
    assert world.get("/search", "en", q="Kopfhörer", filters=brand).json()["totalResults"] == 0
    answer = world.get("/search", "de", q="Kopfhorrer", filters=brand)
    assert (answer.headers["content-language"], answer.json()["results"][0]["title"]) == ("de", german[0][0])

    assert saved(world, seller, headphones, "PATCH", translations={"de": {"title": "Ohrhörer"}}).is_success
    await world.settle()
    await until(lambda: found("Ohrhörer", "de") == [("Ohrhörer", None)])
    assert world.get("/search", "de", q="Kopfhörer", filters=brand).json()["totalResults"] == 0


async def test_carts_and_orders_are_in_the_buyers_language_and_orders_stay_as_they_were(
    world: World, seller: Person, headphones: dict[str, Any]
) -> None:
    market, buyer = world.market, world.market.person()
    line = {"productId": headphones["productId"], "variantId": headphones["variants"][0]["variantId"], "quantity": 1}
    added = market.client.post("/api/v1/cart/items", json=line, headers={**buyer.headers, "Accept-Language": "de"})
    assert (added.status_code, added.headers["content-language"]) == (201, "de")
    titles = {
        language: [(one["product"]["title"], one["product"]["titleLanguage"]) for one in answer.json()["items"]]
        for language in LANGUAGES
        for answer in (world.get("/cart", language, buyer),)
    }
    assert titles == {
        "en": [("Wireless headphones", None)], "de": [("Schnurlose Kopfhörer", None)],
        "fr": [("Casque sans fil", None)], "es": [("Wireless headphones", "en")],
    }  # fmt: skip
    assert added.json()["items"][0]["product"]["title"] == "Schnurlose Kopfhörer"
    assert world.get("/cart", "en", buyer, language="fr").json()["items"][0]["product"]["title"] == "Casque sans fil"

    body = market.order_body((headphones, 1))
    orders = {
        language: market.buy({**buyer.headers, "Accept-Language": language}, body) for language in ("de", "fr", "en")
    }
    assert [answer.status_code for answer in orders.values()] == [201] * 3
    paths = [f"/orders/{answer.json()['orderId']}" for answer in orders.values()]
    before = [world.get(path, person=buyer) for path in paths]
    assert [answer.json()["items"][0]["title"] for answer in before] == [
        "Schnurlose Kopfhörer", "Casque sans fil", "Wireless headphones",
    ]  # fmt: skip
    assert saved(world, seller, headphones, "PATCH", title="Other", translations={"de": {"title": "Anders"}}).is_success
    await world.settle()
    for language in LANGUAGES:
        assert [world.get(path, language, buyer).content for path in paths] == [answer.content for answer in before]


async def test_what_a_kit_is_made_of_is_in_the_buyers_language(
    world: World, seller: Person, headphones: dict[str, Any]
) -> None:
    market, buyer = world.market, world.market.person()
    kit = kit_of(market, seller, (headphones, 1), (market.product(seller, title="Cable"), 1))

    shown = world.get(f"/products/{kit['productId']}", "de").json()["variants"][0]["components"]
    placed = market.buy({**buyer.headers, "Accept-Language": "fr"}, market.order_body((kit, 1)))

    assert [one["title"] for one in shown] == ["Schnurlose Kopfhörer", "Cable"]
    assert placed.status_code == 201, placed.text
    order = world.get(f"/orders/{placed.json()['orderId']}", person=buyer).json()
    assert {one["title"] for one in order["items"]} == {"Casque sans fil", "Cable"}


async def test_random_saves_and_readers_are_as_the_rules_say(world: World, seller: Person) -> None:
    """A model of the saves and of the fallback, against the shop."""
    draw = random.Random(7)
    own: dict[str, str | None] = {"title": "Own", "description": None}
    said: dict[str, dict[str, str]] = {}
    product = world.market.product(seller, title=own["title"], brand=uuid4().hex[:8])
    path = f"/products/{product['productId']}"
    for number in range(25):
        language = draw.choice(LANGUAGES[1:])
        fields = {name: draw.choice([f"{name} {number}", None]) for name in draw.sample(["title", "description"], 1)}
        sent: Any = draw.choice([fields, fields, fields, None])
        assert saved(world, seller, product, "PATCH", translations={language: sent}).is_success
        merged = {} if sent is None else {**said.get(language, {}), **sent}
        said[language] = {name: text for name, text in merged.items() if text is not None}
        await world.settle()
        for reader in LANGUAGES:
            page = world.get(path, reader).json()
            texts = said.get(reader, {})
            shown = {name: texts.get(name, own[name]) for name in own}
            fell = {name: "en" for name in own if reader != "en" and name not in texts and own[name] is not None}
            assert {name: page[name] for name in own} == shown, (number, reader)
            assert {name: page["fallbacks"][name] for name in own if name in page["fallbacks"]} == fell
