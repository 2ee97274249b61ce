"""Pictures that files name by their addresses: fetched in the background, shown as the shop's own, or given up for a
reason that their seller reads. Nothing that the shop shows leads elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest

from api.catalog.pictures.fetching import AT_ONCE_OF_HOST, MOST_TRIES, fetch_due, fetching_of
from api.kernel.context import Context
from api.media import commands
from api.media.store.interface import StoreFailed
from tests.harness.api import Server, running_api
from tests.harness.bulk import Files, csv_of, reading_context
from tests.harness.buying import until
from tests.harness.elsewhere import Answer, Elsewhere, elsewhere
from tests.harness.invariants import assert_invariants
from tests.harness.pictures import base64_of, bomb, one_of
from tests.harness.shop import Shop, problem

Json = dict[str, Any]
Workers = Callable[..., AbstractAsyncContextManager[Context]]  # what a worker has, for these servers
CATEGORY = "/Home/Lamps"
ANSWERS: dict[str, Answer] = {
    **{f"/{number}.png": (200, {}, one_of(20_000 + number)) for number in range(60)},
    "/svg": (200, {"Content-Type": "image/png"}, b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
    "/page": (200, {"Content-Type": "image/jpeg"}, b"<html><body>no picture here</body></html>"),
    "/home": (302, {"Location": "http://127.0.0.1/private"}, b""),
    "/bomb": (200, {}, bomb(30_000, 30_000)),
    "/long": (200, {}, b"\xff\xd8\xff" + bytes(11 * 1024 * 1024)),
    "/gone": (410, {}, b"secret of a private server"),
}
WRONG = {
    "/svg": "must be a picture: JPEG, PNG, WebP, GIF or AVIF, whatever its name says",
    "/page": "must be a picture: JPEG, PNG, WebP, GIF or AVIF, whatever its name says",
    "/home": "leads to another address; name that one",
    "/bomb": "is 30000 x 30000 pixels; a picture has at most 40,000,000 and no side above 30,000",
    "/long": "is longer than 10,485,760 bytes",
    "/gone": "could not be fetched: its server answers 410",
    "/none": "could not be fetched: its server answers 404",
}


@pytest.fixture(scope="module")
def other() -> Iterator[Elsewhere]:
    with elsewhere(dict(ANSWERS), {}) as server:
        yield server


@pytest.fixture(scope="module")
def settings(other: Elsewhere) -> dict[str, str]:
    return {
        "SOUK_MEDIA_TRUSTED_HOSTS": json.dumps([other.host]),
        "SOUK_MEDIA_FETCH_SECONDS": "3",
        "SOUK_APPROVAL_SCORE": "1000",
    }


@pytest.fixture(scope="module")
def api_server(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, settings: dict[str, str]
) -> Iterator[Server]:
    with running_api(tmp_path_factory.mktemp("api"), database_url, redis_url, **settings) as server:
        yield server


@pytest.fixture
def workers(api_server: Server, database_url: str, redis_url: str, settings: dict[str, str]) -> Workers:
    def opened(*others: Elsewhere, **changed: str) -> AbstractAsyncContextManager[Context]:
        trusted = {"SOUK_MEDIA_TRUSTED_HOSTS": frozenset(one.host for one in others)}
        return reading_context(database_url, redis_url, api_server.log.parent, **{**settings, **trusted, **changed})

    return opened


@pytest.fixture
async def context(workers: Workers, other: Elsewhere) -> AsyncIterator[Context]:
    async with workers(other) as opened:
        yield opened


@pytest.fixture
async def files(shop: Shop, context: Context, other: Elsewhere, database_url: str) -> AsyncIterator[Files]:
    """A seller of their own; every invariant holds at the end, and nothing leads elsewhere."""
    shop.category(CATEGORY)
    other.asked.clear()
    files = Files(shop, shop.person("seller"), context)
    yield files
    for product in files.products():
        assert other.host not in json.dumps([product["images"], product["media"]])
    assert_invariants(database_url)


def lamp(number: int, *images: str, **more: Any) -> Json:
    return {
        "sku": f"L-{number}", "title": f"Lamp {number}", "category": CATEGORY, "price": "12.50",
        "images": " ".join(images), **more,
    }  # fmt: skip


async def settle(context: Context) -> None:
    """Fetch until nothing is due."""
    fetching, begun = fetching_of(context), 1
    while begun:
        await until(lambda: fetching.running == 0)
        begun = await fetch_due(context, lambda: None)


async def in_time(shop: Shop, context: Context, source: str) -> None:
    """As settle, when the wait after the last try of the address is over, and its server has rested."""
    shop.sql.execute("update awaited_images set next_try = now() where source = %s and next_try is not null", (source,))
    fetching_of(context).answered(source.split("/")[2])
    await settle(context)


def images_of(files: Files, product: Json) -> Json:
    answer = files.shop.client.get(f"/api/v1/products/{product['productId']}/images", headers=files.seller.headers)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def awaited(files: Files, **query: str) -> list[Json]:
    """What the seller awaits, in the order of the addresses."""
    found: list[Json] = []
    asked: dict[str, str | int] = {**query, "limit": 3}
    while True:
        answer = files.shop.client.get("/api/v1/sellers/me/awaited-images", params=asked, headers=files.seller.headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["images"]
        if not body["pagination"]["hasMore"]:
            return found
        asked["cursor"] = body["pagination"]["nextCursor"]


def counts(job: Json) -> tuple[int, ...]:
    return tuple(job[name] for name in ("created", "updated", "unchanged", "failed", "imagesPending", "imagesFailed"))


async def test_pictures_are_drawn_until_they_are_fetched_and_then_the_shops_own(files: Files, other: Elsewhere) -> None:
    rows = [
        lamp(1, other.url("/2.png"), other.url("/1.png"), product="A", **{"attributes.color": "red"}),
        {"sku": "L-2", "product": "A", "attributes.color": "blue"},
        lamp(3, other.url("/3.png")),
    ]

    first = await files.read(csv_of(rows))

    assert counts(first) == (3, 0, 0, 0, 3, 0)
    one, two = files.products()
    assert [url.rpartition("/")[2] for url in one["images"]] == ["1200.webp"]
    assert "/drawn/" in one["images"][0]
    waiting = images_of(files, one)["awaited"]
    assert [(each["source"], each["position"], each["state"], each["row"]) for each in waiting] == [
        (other.url("/2.png"), 0, "pending", 2),
        (other.url("/1.png"), 1, "pending", 2),
    ]
    assert {(each["jobId"], each["reason"], each["tries"]) for each in waiting} == {(first["jobId"], None, 0)}
    public = files.shop.client.get(f"/api/v1/products/{one['productId']}/images").json()
    assert (public["awaited"], len(public["images"])) == ([], 1)
    version = files.shop.scalar("select version from products where product_id = %s", (one["productId"],))
    assert version == 1
    assert other.asked == []

    await settle(files.context)

    assert other.times() == {"/1.png": 1, "/2.png": 1, "/3.png": 1}
    shown = images_of(files, one)
    assert [image["imageId"] for image in shown["images"]] == [each["imageId"] for each in waiting]
    assert shown["awaited"] == awaited(files) == []
    one, two = files.products()
    assert one["images"] == [image["url1200"] for image in shown["images"]]
    for image in (*one["media"], *two["media"]):
        assert image["blur"].startswith("data:image/webp")
        assert files.shop.client.get(image["url160"]).headers["content-type"] == "image/webp"
    cards = files.shop.client.get("/api/v1/products", params={"sellerId": files.seller.user_id}).json()["products"]
    assert {card["thumbnail"] for card in cards} == {one["media"][0]["url480"], two["media"][0]["url480"]}
    told = files.shop.client.get(f"/api/v1/products/{one['productId']}/versions", headers=files.seller.headers).json()
    assert [(each["author"]["kind"], each["fields"]) for each in told["versions"]] == [
        ("service", ["images"]), ("service", ["images"]), ("seller", [])
    ]  # fmt: skip
    assert counts(files.job(first["jobId"])) == (3, 0, 0, 0, 0, 0)

    again = await files.read(csv_of(rows))
    exported = {
        form: files.shop.client.get(
            "/api/v1/products/export", params={"format": form}, headers=files.seller.headers
        ).content
        for form in ("csv", "jsonl")
    }
    sent_back = [await files.read(content, form) for form, content in exported.items()]
    own = [lamp(3, two["images"][0])]
    by_own_address = await files.read(csv_of(own))
    await settle(files.context)

    assert counts(again) == (0, 0, 3, 0, 0, 0)
    assert f"{other.url('/2.png')} {other.url('/1.png')}".encode() in exported["csv"]
    assert [counts(job) for job in (*sent_back, by_own_address)] == [*([(0, 0, 3, 0, 0, 0)] * 2), (0, 0, 1, 0, 0, 0)]
    assert files.products() == [one, two]
    assert len(other.asked) == 3


async def test_what_is_no_picture_is_given_up_for_a_reason_and_tried_again_when_it_is_sent_again(
    files: Files, other: Elsewhere
) -> None:
    rows = [lamp(number, other.url(path)) for number, path in enumerate(WRONG)]
    private = ("http://127.0.0.1/a.png", "http://10.0.0.1/a.png", "http://localhost/a.png", "http://a.example:6379/a")
    refused = [lamp(100 + number, url) for number, url in enumerate(private)]

    job = await files.read(csv_of([*rows, *refused]))
    assert files.failures(job) == [
        *((9 + number, "images", "must be a public address") for number in range(3)),
        (12, "images", "must be at port 80 or 443"),
    ]
    await settle(files.context)

    job = files.job(job["jobId"])
    assert counts(job) == (7, 0, 0, 4, 0, 7)
    assert other.times() == dict.fromkeys(WRONG, 1)
    reasons = {each["source"]: (each["state"], each["reason"], each["nextTryAt"]) for each in awaited(files)}
    assert reasons == {other.url(path): ("failed", words, None) for path, words in WRONG.items()}
    assert awaited(files, state="failed", jobId=job["jobId"]) == awaited(files)
    assert awaited(files, state="pending") == awaited(files, jobId=str(uuid4())) == []
    told = [(line["row"], line["result"], line["field"], line["message"]) for line in files.report(job)]
    assert told[: len(WRONG)] == [
        (str(number + 2), "created", "images", f"the picture {other.url(path)} {words}")
        for number, (path, words) in enumerate(WRONG.items())
    ]
    assert "secret" not in json.dumps(awaited(files))
    assert all("/drawn/" in product["images"][0] for product in files.products())

    # Its server has it now; whoever sends the same file has it tried again, and nothing else.
    other.answers["/none"] = (200, {}, one_of(21_000))
    only = [rows[list(WRONG).index("/none")]]
    try:
        again = await files.read(csv_of(only))
        assert counts(again) == (0, 1, 0, 0, 1, 0)
        await settle(files.context)
    finally:
        del other.answers["/none"]
    assert counts(await files.read(csv_of(only))) == (0, 0, 1, 0, 0, 0)
    assert other.times() == {**dict.fromkeys(WRONG, 1), "/none": 2}
    assert len(awaited(files)) == len(WRONG) - 1
    # What could not be fetched is taken off a product like any picture.
    failed = awaited(files)[0]
    path = f"/api/v1/products/{failed['productId']}/images/{failed['imageId']}"
    assert files.shop.client.delete(path, headers=files.seller.headers).status_code == 204
    assert len(awaited(files)) == len(WRONG) - 2


@pytest.mark.parametrize(
    ("words", "seconds"), [("its server answers 503", 3.0), ("its server does not answer in time", 0.3)]
)
async def test_a_server_that_cannot_answer_now_is_asked_again_later_and_not_for_ever(
    files: Files, other: Elsewhere, workers: Workers, words: str, seconds: float
) -> None:
    path = "/busy" if seconds > 1 else "/slow"
    other.answers["/busy"] = (503, {}, b"")
    other.slow["/slow"] = 0.6
    source, words = other.url(path), f"could not be fetched: {words}"
    waits: list[float] = []
    left = "select extract(epoch from next_try - now())::float from awaited_images where source = %s"
    await files.read(csv_of([lamp(1, source)]))

    async with workers(other, SOUK_MEDIA_FETCH_SECONDS=str(seconds)) as hasty:
        for tries in range(1, MOST_TRIES):
            await in_time(files.shop, hasty, source)
            (one,) = awaited(files)
            assert (one["state"], one["reason"], one["tries"]) == ("pending", words, tries)
            assert fetching_of(hasty).avoided() == [other.host]
            waits.append(files.shop.scalar(left, (source,)))
        await in_time(files.shop, hasty, source)

    (one,) = awaited(files)
    assert (one["state"], one["reason"], one["nextTryAt"]) == ("failed", words, None)
    assert other.times() == {path: MOST_TRIES}
    # 3 times as long as a fetch may take, and six times as long after each further one.
    assert [wait / seconds for wait in waits] == pytest.approx([3, 18, 108, 648], abs=2.5)

    other.answers[path] = (200, {}, one_of(21_001 + len(path)))
    other.slow.clear()
    try:
        assert counts(await files.read(csv_of([lamp(1, source)]))) == (0, 1, 0, 0, 1, 0)
        await settle(files.context)
    finally:
        del other.answers[path]
    assert awaited(files) == []
    assert [image["imageId"] for image in files.products()[0]["media"]] == [one["imageId"]]


async def test_what_is_named_often_is_fetched_once_for_each_seller(files: Files, shop: Shop, other: Elsewhere) -> None:
    rows = [lamp(number, other.url("/4.png")) for number in range(6)]
    await files.read(csv_of(rows))
    await settle(files.context)
    await files.read(csv_of([lamp(7, other.url("/4.png"), other.url("/gone")), lamp(8, other.url("/gone"))]))
    await settle(files.context)

    assert other.times() == {"/4.png": 1, "/gone": 1}
    assert len({tuple(product["images"]) for product in files.products()[:-1]}) == 1
    assert len(awaited(files, state="failed")) == 2
    another = Files(shop, shop.person("seller"), files.context)
    await another.read(csv_of([lamp(1, other.url("/4.png"))]))
    await settle(files.context)
    assert other.times()["/4.png"] == 2
    assert another.products()[0]["images"] == files.products()[0]["images"]


async def test_a_picture_that_is_awaited_is_described_ordered_and_stays_when_get_is_put(
    files: Files, other: Elsewhere
) -> None:
    client, headers = files.shop.client, files.seller.headers
    await files.read(csv_of([lamp(1, other.url("/5.png"), other.url("/6.png"))]))
    (product,) = files.products()
    path, variant = f"/api/v1/products/{product['productId']}", product["variants"][0]["variantId"]
    first, second = images_of(files, product)["awaited"]
    said = {"alt": "From the side", "variantId": variant, "position": 0}

    changed = client.patch(f"{path}/images/{second['imageId']}", json=said, headers=headers)

    assert changed.status_code == 200, changed.text
    assert (changed.json()["alt"], changed.json()["variantId"]) == ("From the side", variant)
    assert "/drawn/" in changed.json()["url480"]
    product = client.get(path, headers=headers).json()
    body = {
        "title": product["title"], "category": product["categoryId"], "price": 15.0, "images": product["images"],
        "variants": [{"variantId": variant, "sku": "L-1"}],
    }  # fmt: skip
    assert client.put(path, json=body, headers=headers).status_code == 200
    assert [each["imageId"] for each in images_of(files, product)["awaited"]] == [second["imageId"], first["imageId"]]
    await settle(files.context)
    media = files.products()[0]["media"]
    assert [(image["imageId"], image["alt"], image["variantId"]) for image in media] == [
        (second["imageId"], "From the side", variant),
        (first["imageId"], None, None),
    ]

    # A list that is not what is shown is all that there is.
    await files.read(csv_of([{"sku": "L-1", "images": f"{other.url('/6.png')} {other.url('/7.png')}"}]))
    assert [image["imageId"] for image in images_of(files, product)["images"]] == [second["imageId"]]
    assert client.patch(path, json={"images": []}, headers=headers).status_code == 200
    assert images_of(files, product)["awaited"] == []
    await settle(files.context)
    assert other.times() == {"/5.png": 1, "/6.png": 1}


async def test_what_is_deleted_or_replaced_meanwhile_leaves_the_queue(files: Files, other: Elsewhere) -> None:
    client, headers = files.shop.client, files.seller.headers
    other.slow["/8.png"] = other.slow["/9.png"] = 1.0
    await files.read(
        csv_of([lamp(1, other.url("/8.png")), lamp(2, other.url("/9.png")), lamp(3, other.url("/10.png"))])
    )
    one, two, three = files.products()
    fetching = fetching_of(files.context)

    # The third of one server waits until one of the two is there.
    assert await fetch_due(files.context, lambda: None) == AT_ONCE_OF_HOST
    assert client.delete(f"/api/v1/products/{one['productId']}", headers=headers).status_code == 204
    await files.read(csv_of([{"sku": "L-2", "images": other.url("/11.png")}]))
    assert client.delete(f"/api/v1/products/{three['productId']}", headers=headers).status_code == 204
    await until(lambda: fetching.running == 0)
    assert images_of(files, two)["images"][0]["imageId"] is None
    await settle(files.context)
    other.slow.clear()

    assert other.times() == {"/8.png": 1, "/9.png": 1, "/11.png": 1}
    assert [len(product["media"]) for product in files.products()] == [1]
    assert files.shop.scalar("select count(*) from awaited_images where seller_id = %s", (files.seller.user_id,)) == 0
    shown = "select count(*) from product_images where product_id = %s"
    assert [files.shop.scalar(shown, (each["productId"],)) for each in (one, two, three)] == [0, 1, 0]


async def test_two_workers_fetch_each_once_and_ask_a_server_for_few_at_a_time(
    files: Files, other: Elsewhere, workers: Workers
) -> None:
    paths = [f"/{number}.png" for number in range(20, 50)]
    other.most_at_once = 0
    other.slow.update(dict.fromkeys(paths, 0.02))
    with elsewhere({"/a.png": (200, {}, one_of(22_000))}, {}) as quick:
        async with workers(other, quick) as first, workers(other, quick) as second:
            named = Files(files.shop, files.seller, first)
            await named.read(csv_of([lamp(n, other.url(path)) for n, path in enumerate(paths)]))
            await named.read(csv_of([lamp(99, quick.url("/a.png"))]))
            await fetch_due(first, lambda: None)
            # Nobody waits for the long queue of another server.
            await until(lambda: bool(quick.asked))
            assert len(other.asked) < len(paths) // 2
            await asyncio.gather(settle(first), settle(second))
    other.slow.clear()

    assert other.times() == dict.fromkeys(paths, 1)
    assert other.most_at_once <= 2 * AT_ONCE_OF_HOST
    assert len({product["images"][0] for product in files.products()}) == len(paths) + 1
    assert awaited(files) == []


async def test_a_picture_that_the_api_fetched_is_known_by_its_address_too(files: Files, other: Elsewhere) -> None:
    client, headers = files.shop.client, files.seller.headers
    product = files.shop.product(
        files.seller, title="Lamp 1", price=12.5, category=CATEGORY, images=[other.url("/12.png")],
        variants=[{"sku": "L-1"}],
    )  # fmt: skip

    job = await files.read(csv_of([lamp(1, other.url("/12.png"))]))

    assert counts(job) == (0, 0, 1, 0, 0, 0)
    # One that is awaited, and sent as a request meanwhile, arrives at its place.
    await files.read(csv_of([lamp(1, other.url("/13.png"), other.url("/12.png"))]))
    (waiting,) = images_of(files, product)["awaited"]
    added = client.post(
        f"/api/v1/products/{product['productId']}/images", json={"image": other.url("/13.png")}, headers=headers
    )
    assert (added.status_code, added.json()["imageId"]) == (200, waiting["imageId"])
    assert images_of(files, product)["images"][0]["imageId"] == waiting["imageId"]
    await settle(files.context)
    assert other.times() == {"/12.png": 1, "/13.png": 1}


async def test_a_version_brings_back_what_was_awaited_and_sellers_see_their_own_alone(
    files: Files, shop: Shop, other: Elsewhere
) -> None:
    client, headers = shop.client, files.seller.headers
    await files.read(csv_of([lamp(1, other.url("/14.png"))]))
    (product,) = files.products()
    path = f"/api/v1/products/{product['productId']}"
    assert client.patch(path, json={"images": [base64_of(one_of(23_000))]}, headers=headers).status_code == 200

    restored = client.post(f"{path}/versions/1/restore", headers=headers)

    assert restored.status_code == 200, restored.text
    assert restored.json()["missingPictures"] == []
    (one,) = awaited(files)
    assert (one["source"], one["jobId"], one["row"]) == (other.url("/14.png"), None, None)
    thief = shop.person("seller")
    assert client.get("/api/v1/sellers/me/awaited-images", headers=thief.headers).json()["images"] == []
    assert client.get(f"{path}/images", headers=thief.headers).json()["awaited"] == []
    problem(client.delete(f"{path}/images/{one['imageId']}", headers=thief.headers), 404, "product-not-found")
    problem(client.get("/api/v1/sellers/me/awaited-images", headers=shop.person().headers), 403, "forbidden")
    wrong = client.get("/api/v1/sellers/me/awaited-images", params={"state": "lost"}, headers=headers)
    problem(wrong, 422, "validation-failed")
    await settle(files.context)
    assert [image["imageId"] for image in images_of(files, product)["images"]] == [one["imageId"]]


async def test_a_store_that_is_silent_costs_no_try(
    files: Files, other: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise StoreFailed("gone")

    await files.read(csv_of([lamp(1, other.url("/15.png"))]))
    with monkeypatch.context() as patched:
        patched.setattr(commands, "_store", silent)
        await settle(files.context)
    (one,) = awaited(files)
    assert (one["state"], one["tries"], one["reason"]) == ("pending", 0, None)
    await in_time(files.shop, files.context, other.url("/15.png"))
    assert awaited(files) == []
