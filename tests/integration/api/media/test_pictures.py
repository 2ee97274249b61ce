"""Pictures over HTTP: taken in from forms, base64 and addresses, shown with the product, served for ever."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.api import Server, running_api
from tests.harness.elsewhere import Answer, Elsewhere, elsewhere
from tests.harness.pictures import RED, base64_of, bomb, encoded, halves, one_of, opened, png
from tests.harness.shop import Person, Shop, problem

PICTURES: dict[str, Answer] = {
    "/whole.png": (200, {}, one_of(9_001)),
    "/svg": (200, {"Content-Type": "image/png"}, b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "/moved": (302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b""),
    "/packed": (200, {"Content-Encoding": "gzip"}, one_of(9_002)),
    "/long": (200, {}, b"\xff\xd8\xff" + bytes(11 * 1024 * 1024)),
    "/endless": (200, {"Transfer-Encoding": "chunked"}, b""),
}


@pytest.fixture(scope="module")
def other() -> Iterator[Elsewhere]:
    with elsewhere(PICTURES, {"/slow": 4.0}) as server:
        yield server


@pytest.fixture(scope="module")
def api_server(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, other: Elsewhere
) -> Iterator[Server]:
    trusted = {"SOUK_MEDIA_TRUSTED_HOSTS": f'["{other.host}"]', "SOUK_MEDIA_FETCH_SECONDS": "2"}
    with running_api(tmp_path_factory.mktemp("api"), database_url, redis_url, **trusted) as server:
        yield server


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


def body(shop: Shop, **fields: Any) -> dict[str, Any]:
    return {"title": f"Pictured {uuid4().hex}", "category": str(shop.category("/Home")), "price": 5.0, **fields}


def add(shop: Shop, seller: Person, product: str, content: bytes, **fields: Any) -> httpx.Response:
    files = {"image": ("ignored.exe", content, "text/html")}
    url = f"/api/v1/products/{product}/images"
    return shop.client.post(url, files=files, data={k: str(v) for k, v in fields.items()}, headers=seller.headers)


def names_of(product: dict[str, Any]) -> list[str]:
    return [url.split("/")[4] for url in product["images"]]


def test_a_product_is_created_with_pictures_in_every_form(shop: Shop, seller: Person, other: Elsewhere) -> None:
    sent = [
        base64_of(one_of(1)),
        "data:image/gif;base64," + base64_of(one_of(2)),
        other.url("/whole.png"),
        base64_of(one_of(3)).rstrip("=").replace("+", "-").replace("/", "_"),
    ]

    answer = shop.client.post("/api/v1/products", json=body(shop, images=sent), headers=seller.headers)

    assert answer.status_code == 201, answer.text
    product = answer.json()
    assert len(product["images"]) == len(product["media"]) == 4
    for url, media in zip(product["images"], product["media"], strict=True):
        assert re.fullmatch(r"/api/v1/media/[0-9a-f]{32}-[0-9a-f]{8}/1200\.webp", url)
        assert media["url1200"] == url
        assert (media["width"], media["height"], media["alt"], media["variantId"]) == (64, 48, None, None)
        assert media["blur"].startswith("data:image/webp;base64,")
        for size in (160, 480, 1200):
            file = shop.client.get(media[f"url{size}"])
            assert file.status_code == 200
            assert file.headers["content-type"] == "image/webp"
            assert opened(file.content).size == (64, 48)
    listed = shop.client.get("/api/v1/products", params={"sort": "newest"}).json()["products"][0]
    assert listed["thumbnail"] == product["media"][0]["url480"]


def test_a_picture_is_served_for_ever_and_what_is_not_there_is_404(shop: Shop, seller: Person) -> None:
    url = shop.product(seller, images=[base64_of(one_of(4))])["images"][0]
    first = shop.client.get(url)

    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["content-security-policy"] == "default-src 'none'; sandbox"
    again = shop.client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == first.headers["cache-control"]
    name = url.split("/")[4]
    other = name[:-1] + ("1" if name.endswith("0") else "0")
    for missing in (
        *(f"{name}/original", f"{name}/161.webp", f"{name}/160.webp.part", f"{other}/160.webp", "x/160.webp"),
        *("..%2f..%2fetc/160.webp", f"{name}/..%2foriginal", f"{'0' * 32}-{'0' * 8}/160.webp"),
    ):
        answer = shop.client.get(f"/api/v1/media/{missing}", headers={"If-None-Match": "*"})
        assert answer.status_code == 404, missing
        assert "immutable" not in answer.headers.get("cache-control", "")


def test_get_put_get_changes_nothing_and_a_repeated_put_is_one(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, images=[base64_of(one_of(number)) for number in (5, 6, 7)])
    url = f"/api/v1/products/{product['productId']}"
    alt = shop.client.patch(
        f"{url}/images/{product['media'][1]['imageId']}", json={"alt": "From the side"}, headers=seller.headers
    )
    assert alt.status_code == 200, alt.text
    media = shop.client.get(url, headers=seller.headers).json()["media"]
    host = str(shop.client.base_url).rstrip("/")
    sent = body(shop, images=[product["images"][2], host + product["images"][1], base64_of(one_of(5))])

    first, second = (shop.client.put(url, json=sent, headers=seller.headers) for _ in range(2))

    assert first.status_code == second.status_code == 200, first.text
    assert first.json()["media"] == second.json()["media"] == [media[2], media[1], media[0]]
    twice = shop.client.patch(url, json={"images": [product["images"][0]] * 2}, headers=seller.headers).json()
    assert twice["media"] == [media[0]]
    drawn = shop.client.put(url, json=body(shop), headers=seller.headers).json()["images"]
    assert len(drawn) == 1
    same = shop.client.put(url, json=body(shop, images=[host + drawn[0]]), headers=seller.headers).json()
    assert same["images"] == [image["url1200"] for image in same["media"]]
    assert [image["imageId"] for image in same["media"]] == [None]


def test_the_same_content_is_one_picture_whoever_sends_it(shop: Shop, seller: Person) -> None:
    content = base64_of(one_of(8))
    people = [seller, shop.person("seller")] * 3
    bodies = [body(shop, images=[content]) for _ in people]

    def create(person: Person, sent: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = shop.client.post("/api/v1/products", json=sent, headers=person.headers).json()
        return answer

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(create, people, bodies))

    assert len({tuple(product["images"]) for product in made}) == 1
    assert shop.scalar("select count(*) from pictures where name = %s", (names_of(made[0])[0],)) == 1
    assert shop.scalar("select count(*) from picture_uses where name = %s", (names_of(made[0])[0],)) == 6


def test_pictures_are_added_described_ordered_and_removed_one_by_one(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, variants=[{"sku": f"P-{uuid4().hex}"}])
    product_id, variant = product["productId"], product["variants"][0]["variantId"]
    url = f"/api/v1/products/{product_id}/images"
    version = shop.scalar("select version from products where product_id = %s", (product_id,))

    first = add(shop, seller, product_id, one_of(10), alt="A lamp", variantId=variant)
    by_json = {"image": base64_of(one_of(11)), "position": 0}
    second = shop.client.post(url, json=by_json, headers=seller.headers)
    again = add(shop, seller, product_id, one_of(10))

    assert first.status_code == 201, first.text
    assert (first.json()["alt"], first.json()["variantId"]) == ("A lamp", variant)
    assert second.status_code == 201, second.text
    assert second.headers["location"] == f"{url}/{second.json()['imageId']}"
    assert (again.status_code, again.json()) == (200, first.json())
    assert shop.client.get(url).json() == {
        "productId": product_id,
        "images": [second.json(), first.json()],
        "awaited": [],
    }
    moved = shop.client.patch(
        f"{url}/{first.json()['imageId']}", json={"position": 0, "alt": None}, headers=seller.headers
    )
    assert moved.json() == {**first.json(), "alt": None}
    assert shop.client.delete(f"{url}/{second.json()['imageId']}", headers=seller.headers).status_code == 204
    assert shop.client.get(url).json()["images"] == [moved.json()]
    assert shop.detail(product_id)["media"] == [moved.json()]
    after = shop.scalar("select version from products where product_id = %s", (product_id,))
    assert after == version + 5
    events = "select count(*) from outbox_events where aggregate_id = %s and event_type = 'ProductChanged'"
    assert shop.scalar(events, (product_id,)) == 5


def test_pictures_are_changed_by_their_seller_alone_and_on_the_version_they_saw(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, images=[base64_of(one_of(12))])
    url = f"/api/v1/products/{product['productId']}/images"
    one = f"{url}/{product['media'][0]['imageId']}"
    thief, buyer = shop.person("seller").headers, shop.person().headers
    sent = {"image": base64_of(png())}

    problem(shop.client.post(url, json=sent, headers=thief), 404, "product-not-found")
    problem(shop.client.post(url, json=sent, headers=buyer), 403, "forbidden")
    problem(shop.client.post(url, json=sent), 401, "not-authenticated")
    problem(shop.client.patch(one, json={"alt": "Mine"}, headers=thief), 404, "product-not-found")
    problem(shop.client.delete(one, headers=thief), 404, "product-not-found")
    problem(shop.client.delete(f"{url}/{uuid4()}", headers=seller.headers), 404, "picture-not-found")
    old = {**seller.headers, "If-Match": '"9-0123456789abcdef"'}
    for answer in (
        shop.client.post(url, json=sent, headers=old),
        shop.client.patch(one, json={"alt": "Old"}, headers=old),
        shop.client.delete(one, headers=old),
    ):
        problem(answer, 412, "product-changed")
    foreign = shop.product(seller)["variants"][0]["variantId"]
    wrong = shop.client.patch(one, json={"variantId": foreign}, headers=seller.headers)
    assert problem(wrong, 422, "validation-failed")["errors"][0]["pointer"] == "/variantId"
    assert shop.detail(product["productId"]) == product


def test_a_product_has_ten_pictures_at_most(shop: Shop, seller: Person) -> None:
    images = [base64_of(one_of(20 + number)) for number in range(10)]
    product = shop.product(seller, images=images)["productId"]

    full = add(shop, seller, product, one_of(40))
    eleven = shop.client.patch(
        f"/api/v1/products/{product}", json={"images": [*images, base64_of(one_of(40))]}, headers=seller.headers
    )

    assert problem(full, 422, "validation-failed")["errors"][0]["pointer"] == "/image"
    assert problem(eleven, 422, "validation-failed")["errors"][0]["pointer"] == "/images"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("http://127.0.0.1/x.png", "must be a public address"),
        ("http://127.1/x.png", "must be a public address"),
        ("http://2130706433/x.png", "must be a public address"),
        ("http://0/x.png", "must be a public address"),
        ("http://localhost/x.png", "must be a public address"),
        ("http://[::1]/x.png", "must be a public address"),
        ("http://[::ffff:127.0.0.1]/x.png", "must be a public address"),
        ("http://[::ffff:a9fe:a9fe]/latest/meta-data", "must be a public address"),
        ("http://[64:ff9b::10.0.0.1]/x.png", "must be a public address"),
        ("http://[2002:a00:1::]/x.png", "must be a public address"),
        ("http://169.254.169.254/latest/meta-data/", "must be a public address"),
        ("http://10.0.0.1/x.png", "must be a public address"),
        ("https://192.168.1.1/x.png", "must be a public address"),
        ("http://100.64.0.1/x.png", "must be a public address"),
        ("http://[fe80::1]/x.png", "must be a public address"),
        ("http://[fd00:ec2::254]/x.png", "must be a public address"),
        ("http://127.0.0.1:5432/", "must be at port 80 or 443"),
        ("http://example.com:6379/", "must be at port 80 or 443"),
        ("http://user:pass@example.com/x.png", "must be an http or https address without a user"),
        ("http:///x.png", "must be an http or https address without a user"),
        ("http://example.com\\@127.0.0.1/x.png", "must be an http or https address without a user"),
        ("http://no-such-host.invalid/x.png", "could not be fetched"),
        ("http://example.com:99999/", "could not be fetched"),
        ("ftp://example.com/x.png", "must be a picture in base64"),
        ("file:/etc/passwd", "must be a picture in base64"),
        ("/api/v1/users/me", "is no picture of this shop"),
        ("/etc/passwd", "must be a picture"),
        ("/api/v1/media/0123456789abcdef0123456789abcdef-00000000/1200.webp", "is no picture that this shop keeps"),
        ("//example.com/x.png", "is no picture of this shop"),
        ("aGVsbG8=", "must be a picture: JPEG, PNG, WebP, GIF or AVIF"),
        ("data:image/png;base64,PHN2Zz48c2NyaXB0Lz48L3N2Zz4=", "must be a picture"),
        ("data:image/png,%89PNG", "must be a picture in base64"),
        ("A", "is not base64"),
        ("", "at least 1 character"),
        (base64_of(bomb(30_000, 30_000)), "pixels"),
        (base64_of(encoded(halves(400, 300), "JPEG")[:500]), "is a broken JPEG"),
    ],
)
def test_what_is_no_picture_is_named_and_nothing_of_the_product_is_there(
    shop: Shop, seller: Person, image: str, message: str
) -> None:
    title = f"Half {uuid4().hex}"
    sent = body(shop, title=title, images=[image, base64_of(one_of(50))])

    answer = shop.client.post("/api/v1/products", json=sent, headers=seller.headers)

    (error,) = problem(answer, 422, "validation-failed")["errors"]
    assert error["pointer"] == "/images/0"
    assert message in error["message"]
    assert shop.scalar("select count(*) from products where title = %s", (title,)) == 0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/svg", "must be a picture"),
        ("/moved", "leads to another address"),
        ("/packed", "could not be fetched"),
        ("/none", "could not be fetched"),
        ("/long", "is longer than 10,485,760 bytes"),
        ("/endless", "is longer than 10,485,760 bytes"),
        ("/slow", "could not be fetched"),
    ],
)
def test_what_another_server_may_answer(shop: Shop, seller: Person, other: Elsewhere, path: str, message: str) -> None:
    started = time.monotonic()
    answer = shop.client.post("/api/v1/products", json=body(shop, images=[other.url(path)]), headers=seller.headers)

    (error,) = problem(answer, 422, "validation-failed")["errors"]
    assert (error["pointer"], message in error["message"]) == ("/images/0", True), error
    assert "secret" not in answer.text
    assert time.monotonic() - started < 30
    assert other.asked[-1] == path


def test_only_sellers_send_long_bodies_and_only_where_pictures_go(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)["productId"]
    noise = encoded(halves(1600, 1400).effect_spread(400), "PNG", compress_level=0)
    assert 2 * 1024 * 1024 < len(noise) < 10 * 1024 * 1024
    url = f"/api/v1/products/{product}/images"
    as_json = {**seller.headers, "Content-Type": "application/json"}
    longest = b"x" * (16 * 1024 * 1024 + 1)

    assert add(shop, seller, product, noise).status_code == 201
    sent = {"images": [base64_of(noise)]}
    assert shop.client.patch(f"/api/v1/products/{product}", json=sent, headers=seller.headers).status_code == 200
    for answer in (
        shop.client.post(url, files={"image": noise}),
        shop.client.post(url, files={"image": noise}, headers=shop.person().headers),
        shop.client.post("/api/v1/products", json=sent, headers={"Authorization": "Bearer x"}),
        shop.client.post("/api/v1/cart/items", content=longest, headers=seller.headers),
        shop.client.post(url, content=longest, headers=seller.headers),
        shop.client.post(url, content=(longest[:65_536] for _ in range(300)), headers=as_json),
    ):
        problem(answer, 413, "body-too-large")


@pytest.mark.parametrize(
    ("content", "kind", "pointer"),
    [
        (b"--x\r\nbroken\r\n\r\n", "multipart/form-data; boundary=x", None),
        (b"", "multipart/form-data", None),
        (b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n\r\n--x--\r\n',
         "multipart/form-data; boundary=x", "/image"),
        (b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n',
         "multipart/form-data; boundary=x", "/image"),
        (b'{"image": "AAAA", "more": 1}', "application/json", "/more"),
        (b'{"alt": "x"}', "application/json", "/image"),
        (b'{"image": 5}', "application/json", "/image"),
        (b"[]", "application/json", ""),
        (b"{", "application/json", None),
        (b"\x89PNG", "image/png", "/header/Content-Type"),
    ],
)  # fmt: skip
def test_a_request_without_a_picture_says_what_is_wrong(
    shop: Shop, seller: Person, content: bytes, kind: str, pointer: str | None
) -> None:
    product = shop.product(seller)["productId"]

    answer = shop.client.post(
        f"/api/v1/products/{product}/images", content=content, headers={**seller.headers, "Content-Type": kind}
    )

    if pointer is None:
        problem(answer, 400, "malformed-request")
    else:
        assert pointer in {error["pointer"] for error in problem(answer, 422, "validation-failed")["errors"]}


@pytest.mark.slow
def test_decoding_holds_up_no_other_request(shop: Shop, seller: Person) -> None:
    """A picture that takes a second or more is decoded while pages go on being answered."""
    product = shop.product(seller)["productId"]
    large = encoded(halves(6_000, 6_000, left=RED), "PNG", compress_level=1)
    waits = []
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(add, shop, seller, product, large)
        while not sending.done():
            started = time.monotonic()
            assert shop.client.get("/health/live").status_code == 200
            waits.append(time.monotonic() - started)
    assert sending.result().status_code == 201
    waits.sort()
    assert waits[len(waits) // 2] < 0.2
