"""A direct route that reads a path, headers and a query string answers as FastAPI's own route of the same endpoint: the
same status and bytes for every request."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from api.app import create_app
from api.kernel.direct import DirectRoute
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.sync import Indexer
from tests.harness.shop import Shop

LISTS = (
    "", "category=/Home", "category=Home", "category=", "category=%00", "category=/Home&category=/Toys", "brand=Acme",
    "brand=Acme&brand=Bolt", "brand=", "brand=%07", "brand=" + "x" * 255, "brand=" + "x" * 256,
    "&".join(["brand=a"] * 50), "&".join(["brand=a"] * 51),
    "prime=true", "prime=1", "prime=yes", "prime=maybe", "prime=", "inStock=false",
    "inStock=False", "inStock=true&prime=false", "sort=newest", "sort=nonsense", "sort=", "page=1&limit=1", "page=0",
    "page=01", "page=1000", "page=1001", "page=1.0", "page=%201", "page=+1", "page=-1", "page=", "limit=100",
    "limit=101", "limit=x", "limit=%D9%A1", "minPrice=5", "minPrice=x", "maxPrice=5&minRating=3", "cursor=x",
    "unknown=1", "page=1&page=2", "%63ategory=/Home", "category=/H%6fme", "category=caf%C3%A9", "category=%FF", "&&",
    "=1", "category=/Home;brand=Acme", "category",
)  # fmt: skip
SEARCHES = (
    "", "q=lamp", "q=", "q=%20", "q=" + "x" * 200, "q=" + "x" * 201, "q=lamp&filters=brand:Acme", "q=lamp&filters=",
    "filters=nonsense", "filters=brand:Acme,price:1-", "q=lamp&q=desk", "q=lamp&page=2&limit=1", "q=a%00b", "q=%FF",
    "q=caf%C3%A9%20%F0%9F%92%A1", "q=lamp&sort=price_asc", "q=lamp&sort=x", "q=lamp&page=0", "q=%22quote%22",
    "filters=" + "x" * 2001, "q=lamp+desk", "q=lamp&unknown=1",
)  # fmt: skip
WHERES = (
    "", "country=DE", "country=", "country=Nowhere", "country=US&state=CA&zipCode=94105", "country=US&zipCode=x",
    "zipCode=" + "1" * 21, "state=CA", "country=DE&country=FR", "country=DE&unknown=1", "country=%FF", "&", "country",
)  # fmt: skip
# None stands for the id of a product.
IDS = (None, "01890000-0000-7000-8000-000000000000", "x", "x" * 100, "x" * 101, "%20", "%2F", "caf%C3%A9", "..", "")
HEADERS: tuple[dict[str, str], ...] = (
    {}, {"If-None-Match": "*"}, {"If-None-Match": '"x"'}, {"if-none-match": "x" * 2_001}, {"Authorization": ""},
    {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, {"Accept-Encoding": "gzip"}, {"X-Session-Id": "x"},
)  # fmt: skip

Headers = dict[str, str] | None


class Both:
    """The application, and one that reads every request by FastAPI."""

    def __init__(self, ours: httpx.AsyncClient, full: httpx.AsyncClient) -> None:
        self._ours, self._full = ours, full

    async def ours(self, target: str, method: str = "GET", headers: Headers = None) -> httpx.Response:
        return await self._ours.request(method, f"/api/v1/{target}", headers=headers)

    async def full(self, target: str, method: str = "GET", headers: Headers = None) -> httpx.Response:
        with reading_by_fastapi():
            return await self._full.request(method, f"/api/v1/{target}", headers=headers)

    async def differing(self, target: str, method: str = "GET", headers: Headers = None) -> str | None:
        one, other = await self.ours(target, method, headers), await self.full(target, method, headers)
        return None if shown(one) == shown(other) else f"{method} {target} {headers}: {shown(one)} {shown(other)}"

    async def product(self) -> str:
        listed = await self.ours("products?sort=newest")
        return str(listed.json()["products"][0]["productId"])


@contextmanager
def reading_by_fastapi() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DirectRoute, "is_direct", False)
        yield


def shown(answer: httpx.Response) -> tuple[int, object, str | None]:
    """Status, body and tag; a problem without its trace id."""
    body: object = answer.content
    if answer.content and answer.headers.get("content-type") == "application/problem+json":
        body = {name: value for name, value in json.loads(answer.content).items() if name != "traceId"}
    return answer.status_code, body, answer.headers.get("etag")


@pytest.fixture(scope="module")
def filled(shop: Shop) -> None:
    seller = shop.person("seller")
    for title, brand, category in (("Desk lamp", "Acme", "/Home/Light"), ("Ball", None, "/Toys")):
        shop.product(seller, title=title, brand=brand, category=category)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def both(
    filled: None, database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Both]:
    home = tmp_path_factory.mktemp("direct-home")
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    settings = Settings.model_validate({**given, "SOUK_SECRET_KEY": "signs the cursors of both applications here"})
    ours = create_app(settings)
    with reading_by_fastapi():
        full = create_app(settings)
    async with (
        ours.router.lifespan_context(ours),
        full.router.lifespan_context(full),
        client_of(ours) as one,
        client_of(full) as other,
    ):
        await Indexer(IndexStore(Path(home) / "search")).rebuild(ours.state.context)
        yield Both(one, other)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop")


async def test_lists_and_searches_are_answered_as_by_fastapi(both: Both) -> None:
    targets = [*(f"products?{query}" for query in LISTS), *(f"search?{query}" for query in SEARCHES)]

    assert [found for target in targets if (found := await both.differing(target))] == []
    assert {(await both.ours(f"products?{query}")).status_code for query in LISTS} == {200, 404, 422}
    assert {(await both.ours(f"search?{query}")).status_code for query in SEARCHES} == {200, 422}


async def test_pages_of_products_are_answered_as_by_fastapi(both: Both) -> None:
    product = await both.product()
    ids = [product if one is None else one for one in IDS]
    targets = [f"{page}?{query}" for page in (f"products/{product}", "cart") for query in WHERES]
    targets += [f"products/{one}{below}" for one in ids for below in ("", "/", "/variants", "/image.svg", "/image.png")]
    targets += [f"products/{product.upper()}", f"products/{product.replace('-', '')}", f"products//{product}"]

    assert [found for target in targets if (found := await both.differing(target))] == []
    named = [
        f"products/{product}",
        f"products/{product}/variants",
        f"products/{product}/image.svg",
        "products/x",
        "cart",
    ]
    for target in named:
        differing = [await both.differing(target, headers=headers) for headers in HEADERS]
        assert not any(differing), differing
    assert {(await both.ours(f"products/{product}?{query}")).status_code for query in WHERES} == {200, 422}
    assert {(await both.ours(f"products/{one}")).status_code for one in ids[:5]} == {200, 404, 422}


async def test_other_methods_and_other_routes_too(both: Both) -> None:
    for method in ("HEAD", "POST", "PUT", "OPTIONS"):
        for target in ("search", "search/", "search/autocomplete?q=la", "products", "products/"):
            assert await both.differing(target, method) is None
    assert await both.differing("search/autocomplete?q=la") is None


async def test_the_request_is_read_without_fastapi(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: FastAPI's own reading is broken, and the request is answered."""
    product = await both.product()

    async def broken(*args: object, **kwargs: object) -> None:
        raise AssertionError("FastAPI has read the request")

    monkeypatch.setattr("fastapi.routing.solve_dependencies", broken)

    assert (await both.ours("search?q=lamp")).status_code == 200
    # Targets that neither has kept.
    assert (await both.ours("products?limit=17")).status_code == 200
    assert (await both.full("products?limit=18")).status_code == 500
    assert (await both.ours(f"products/{product}?country=DE")).status_code == 200
    assert (await both.ours(f"products/{product}/image.svg")).status_code == 200
    assert (await both.ours("products/x/variants")).status_code == 404
    assert (await both.ours(f"products/{product}?country=DE", headers={"If-None-Match": '"x"'})).status_code == 500
    assert (await both.full(f"products/{product}?country=DE")).status_code == 500
