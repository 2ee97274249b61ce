"""Orphans are collected and nothing that is shown is: uploads that died, pictures that were replaced, and orders' own.

Each store is tried: a folder, and a server that speaks S3.
"""

import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api import nouns
from api.kernel import clock
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.media.collecting import Collector
from api.media.naming import PICTURES, drawn_key, keys_of, name_of_key
from api.media.store.folder import FolderStore
from api.media.store.interface import ObjectStore, StoreFailed
from api.media.store.opening import opened
from api.media.store.s3 import S3Store
from tests.harness.api import Server, api_of
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.object_store import BUCKET, running_object_store
from tests.harness.pictures import base64_of, one_of
from tests.harness.quick import few
from tests.harness.shop import Person, problem

Picture = Callable[[int], str]
AGE = {"SOUK_MEDIA_ORPHAN_SECONDS": "0"}


@pytest.fixture(scope="module", params=few(["folder", "s3"], 1))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of a store of its own."""
    # Tokens are good after the shop was started again.
    folder = tmp_path_factory.mktemp("home")
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "jwt.pem").write_bytes(key)
    home = {"SOUK_HOME": str(folder), "SOUK_JWT_KEY_FILE": str(folder / "jwt.pem")}
    if request.param == "folder":
        yield home
        return
    with running_object_store() as environment:
        yield {**home, **environment, "SOUK_MEDIA_URI": f"s3://{BUCKET}/shop/pictures"}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    place: dict[str, str],
    database_url: str,
    redis_url: str,
    sandbox: Sandbox,
) -> Iterator[Server]:
    api = api_of(tmp_path_factory.mktemp("api"), database_url, redis_url, {**place, **buying_env(sandbox)})
    api.start()
    yield api
    api.stop()


@pytest.fixture(scope="module")
def settings(place: dict[str, str], database_url: str, redis_url: str) -> Settings:
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", **place, **AGE}
    return Settings.model_validate({name: value for name, value in given.items() if not name.startswith("AWS_")})


@pytest.fixture
async def ctx(settings: Settings) -> AsyncIterator[Context]:
    async with open_context(settings) as context:
        yield context


@pytest.fixture(scope="module")
def store(settings: Settings) -> ObjectStore:
    return opened(settings)


@pytest.fixture
def picture(store: ObjectStore) -> Picture:
    """A picture that no other number has, and no other store: they share the database of this module."""
    first = 1_000 if isinstance(store, S3Store) else 0
    return lambda number: base64_of(one_of(first + number))


def names_in(store: ObjectStore) -> set[str]:
    return {name for found in store.listed(PICTURES) if (name := name_of_key(found.key)) is not None}


def name_of(url: str) -> str:
    return url.split("/")[4]


async def collect(ctx: Context, **options: Any) -> tuple[int, int]:
    collector = Collector(options.get("keepers", nouns.keepers()))
    return await collector.pictures(ctx), await collector.objects(ctx)


async def test_what_is_shown_stays_and_what_was_replaced_goes(
    market: Market, seller: Person, ctx: Context, store: ObjectStore, picture: Picture
) -> None:
    product = market.product(seller, images=[picture(1), picture(2)])
    other = market.product(seller, images=[picture(2)])
    url = f"/api/v1/products/{product['productId']}"
    first, second = map(name_of, product["images"])
    assert await collect(ctx) == (0, 0)

    market.client.patch(url, json={"images": [picture(3)]}, headers=seller.headers)

    assert await collect(ctx) == (1, 0)
    assert market.client.get(product["media"][0]["url160"]).status_code == 404
    assert market.client.get(other["media"][0]["url160"]).status_code == 200
    assert first not in names_in(store)
    assert {second, name_of(market.detail(product["productId"])["images"][0])} <= names_in(store)
    # Its address was good once; now it names nothing.
    gone = market.client.patch(url, json={"images": product["images"]}, headers=seller.headers)
    (error,) = problem(gone, 422, "validation-failed")["errors"]
    assert error["pointer"] == "/images/0"
    # A version that showed it is restored without it, and says so.
    restored = market.client.post(f"{url}/versions/1/restore", headers=seller.headers).json()
    assert (restored["images"], restored["missingPictures"]) == (product["images"][1:], product["images"][:1])
    assert await collect(ctx) == (1, 0)


async def test_an_order_keeps_the_picture_it_was_bought_with(
    market: Market, seller: Person, buyer: Person, ctx: Context, picture: Picture
) -> None:
    product = market.product(seller, stock=50, images=[picture(4)])
    order = market.buy(buyer, market.order_body((product, 1))).json()["orderId"]
    bought = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()["items"][0]["imageUrl"]
    assert bought == product["media"][0]["url480"]
    image = product["media"][0]["imageId"]
    removed = market.client.delete(f"/api/v1/products/{product['productId']}/images/{image}", headers=seller.headers)
    assert removed.status_code == 204

    assert await collect(ctx) == (0, 0)
    assert market.client.get(bought).status_code == 200
    assert market.scalar("select kept from pictures where name = %s", (name_of(bought),)) is True
    # What is kept is not looked at again, whatever would be said of it.
    assert await collect(ctx, keepers=[]) == (0, 0)
    assert market.client.get(bought).status_code == 200


async def test_a_collector_that_asks_nobody_deletes_the_picture_of_an_order(
    market: Market, seller: Person, buyer: Person, ctx: Context, picture: Picture
) -> None:
    """The negative control of the test above."""
    product = market.product(seller, stock=50, images=[picture(5)])
    order = market.buy(buyer, market.order_body((product, 1))).json()["orderId"]
    bought = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()["items"][0]["imageUrl"]
    market.client.patch(f"/api/v1/products/{product['productId']}", json={"images": []}, headers=seller.headers)

    assert (await collect(ctx, keepers=[]))[0] == 1
    assert market.client.get(bought).status_code == 404


@pytest.mark.parametrize("point", ["media.before_store", "media.after_store"])
async def test_an_upload_that_dies_leaves_nothing(
    market: Market, server: Server, ctx: Context, picture: Picture, point: str
) -> None:
    seller, store = market.person("seller"), opened(ctx.settings)
    before, rows = names_in(store), market.scalar("select count(*) from pictures")
    product = market.product(seller)
    sent = {"images": [picture(100 + len(point))]}
    url = f"/api/v1/products/{product['productId']}"
    server.stop()
    server.start(SOUK_FAILPOINTS=f"{point}=kill")

    with pytest.raises(httpx.TransportError):
        market.client.patch(url, json=sent, headers=seller.headers)

    server.start()
    orphans = names_in(store) - before
    assert len(orphans) == (point == "media.after_store")
    assert market.scalar("select count(*) from pictures") == rows
    assert await collect(ctx) == (0, len(orphans))
    assert names_in(store) == before
    repeated = market.client.patch(url, json=sent, headers=seller.headers)
    assert repeated.status_code == 200
    assert market.client.get(repeated.json()["images"][0]).status_code == 200


async def test_a_young_object_is_nobodys_orphan(store: ObjectStore, settings: Settings) -> None:
    name = f"{'a' * 32}-{'b' * 8}"
    for key in keys_of(name):
        store.put(key, b"of an upload that is going on")
    patient = settings.model_copy(update={"media_orphan_seconds": 60})
    right = clock.now
    async with open_context(patient) as other:
        assert await collect(other) == (0, 0)
        with patch.object(clock, "now", lambda: right() + timedelta(seconds=61)):
            assert await collect(other) == (0, 1)
    assert name not in names_in(store)


async def test_old_sizes_of_drawn_pictures_go_and_young_ones_stay(store: ObjectStore, ctx: Context) -> None:
    key, right = drawn_key("c" * 16, 480), clock.now
    store.put(key, b"a drawn picture")
    await Collector([]).drawings(ctx)
    assert store.get(key) == b"a drawn picture"

    with patch.object(clock, "now", lambda: right() + timedelta(days=31)):
        assert await Collector([]).drawings(ctx) == 1
    assert store.get(key) is None


async def test_a_picture_that_is_shown_again_while_it_is_collected_stays(
    market: Market, seller: Person, ctx: Context, picture: Picture
) -> None:
    """Sellers show and remove one picture while collectors run: whoever is answered 200 has a picture with bytes."""
    content = picture(6)
    products = [market.product(seller) for _ in range(3)]
    shown: list[tuple[int, str]] = []

    def sell(product: dict[str, Any]) -> None:
        url = f"/api/v1/products/{product['productId']}"
        for images in ([content], [], [content], [], [content]):
            answer = market.client.patch(url, json={"images": images}, headers=seller.headers)
            assert answer.status_code in {200, 422}, answer.text
            shown.append((answer.status_code, url))

    sellers = [threading.Thread(target=sell, args=(product,)) for product in products]
    for thread in sellers:
        thread.start()
    while any(thread.is_alive() for thread in sellers):
        await Collector(nouns.keepers()).pictures(ctx)
    for thread in sellers:
        thread.join()

    assert len(shown) == 15
    for product in products:
        media = market.detail(product["productId"])["media"]
        for image in media:
            for size in (160, 480, 1200):
                assert market.client.get(image[f"url{size}"]).status_code == 200


def test_every_row_has_its_bytes(market: Market, store: ObjectStore) -> None:
    """After everything above."""
    # Those of the store that was tried before are older.
    first = "select min(created_at) from pictures where name = any(%s)"
    since = market.scalar(first, (list(names_in(store)),))
    names = [row[0] for row in market.sql.execute("select name from pictures where created_at >= %s", (since,))]

    assert len(names) > 3
    assert [key for name in names for key in keys_of(name) if store.get(key) is None] == []


def test_a_store_puts_gets_lists_and_deletes(store: ObjectStore) -> None:
    store.put("pictures/zz/x/one", b"1")
    store.put("pictures/zz/x/one", b"2")

    assert store.get("pictures/zz/x/one") == b"2"
    assert store.get("pictures/zz/x/two") is None
    assert store.get("pictures/zz/x/one/more") is None
    (found,) = store.listed("pictures/zz/")
    assert found.key == "pictures/zz/x/one"
    assert abs(clock.now() - found.put_at) < timedelta(minutes=1)
    store.delete(["pictures/zz/x/one", "pictures/zz/x/two"])
    assert list(store.listed("pictures/zz/")) == []


def test_a_folder_is_never_left(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path / "media")
    for key in ("../x", "a/../../x", "/etc/passwd", "a//b", "", "a/.hidden", "a\0b"):
        for work in (folder.get, partial(folder.put, content=b"")):
            with pytest.raises(ValueError, match="not a key"):
                work(key)
    assert list(tmp_path.iterdir()) == []


def test_a_silent_bucket_is_503_and_changes_nothing(
    market: Market, seller: Person, server: Server, place: dict[str, str], picture: Picture
) -> None:
    """The last test of a store: it is taken away."""
    product = market.product(seller, images=[picture(7)])
    content = {"images": [picture(8)]}
    if "SOUK_MEDIA_URI" in place:
        server.stop()
        server.start(AWS_ENDPOINT_URL="http://127.0.0.1:9")
        with patch.dict(os.environ, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}), pytest.raises(StoreFailed):
            S3Store("s3://nowhere/x").get("pictures/aa")
    else:
        media = Path(place["SOUK_HOME"]) / "media"
        media.rename(media.with_name("elsewhere"))
        media.write_bytes(b"no folder")

    answer = market.client.patch(f"/api/v1/products/{product['productId']}", json=content, headers=seller.headers)

    problem(answer, 503, "picture-store-silent")
    assert market.detail(product["productId"]) == product
