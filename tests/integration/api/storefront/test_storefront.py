"""What a shopper looked at, products side by side, brand pages, safety data, and views that are counted."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.api import Server
from tests.harness.buying import Worker
from tests.harness.shop import Person, Shop, problem
from tests.harness.soon import soon

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}
VIEWED = "/api/v1/users/me/recently-viewed"
MAKER = {"name": "Acme", "address": "1 Mill Lane, Leeds, GB", "email": "safety@acme.example"}


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


@pytest.fixture(scope="module")
def worker(api_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("worker"), api_server.env)
    worker.start()
    yield worker
    worker.stop()


def view(shop: Shop, headers: dict[str, str], *products: dict[str, Any]) -> dict[str, str]:
    """Events of a browser; returns the headers of the session."""
    events = [{"type": "view", "productId": product["productId"]} for product in products]
    answer = shop.client.post("/api/v1/events", json={"events": events}, headers={**BROWSER, **headers})
    assert answer.status_code == 202, answer.text
    shop.client.cookies.clear()
    return {**headers, **({"X-Session-Id": answer.headers["x-session-id"]} if "x-session-id" in answer.headers else {})}


def viewed(shop: Shop, headers: dict[str, str]) -> tuple[bool, list[str]]:
    answer = shop.client.get(VIEWED, headers=headers)
    assert answer.status_code == 200, answer.text
    shop.client.cookies.clear()
    return answer.json()["enabled"], [one["title"] for one in answer.json()["products"]]


@pytest.mark.parametrize("member", [True, False])
def test_what_was_looked_at_is_listed_cleared_and_switched_off(shop: Shop, seller: Person, member: bool) -> None:
    one, two = (
        shop.product(seller, title=title, stock=stock, brand=uuid4().hex) for title, stock in (("One", 0), ("Two", 3))
    )
    headers = view(shop, shop.person().headers if member else {}, one, two, one)

    assert viewed(shop, headers) == (True, ["One", "Two"])
    assert viewed(shop, shop.person().headers) == (True, [])
    assert shop.client.get(VIEWED, headers=headers, params={"limit": 1}).json()["products"][0]["title"] == "One"
    assert shop.client.delete(VIEWED, headers=headers).status_code == 204
    assert viewed(shop, headers) == (True, [])
    view(shop, headers, two)
    off = shop.client.put(f"{VIEWED}/settings", json={"enabled": False}, headers=headers)
    assert off.json() == {"enabled": False, "products": []}
    view(shop, headers, one)
    assert viewed(shop, headers) == (False, [])
    assert shop.client.put(f"{VIEWED}/settings", json={"enabled": True}, headers=headers).json()["products"] == []
    view(shop, headers, two)
    assert viewed(shop, headers) == (True, ["Two"])


def test_products_stand_side_by_side_in_one_unit(shop: Shop, seller: Person) -> None:
    admin, name = shop.admin(), f"D{uuid4().hex[:6]}"
    category = str(shop.category(f"/{name}"))
    storage = {"name": "storage", "label": "Storage", "type": "number", "unit": "GB"}
    answer = shop.client.put(
        f"/api/v1/categories/{category}/attributes", json={"attributes": [storage]}, headers=admin.headers
    )
    assert answer.status_code == 200, answer.text
    one = shop.product(
        seller, category=f"/{name}", specifications={"Storage": "0.5 TB", "ports": 3, "wireless": True},
        variants=[{"attributes": {"colour": "red"}}, {"attributes": {"colour": "blue"}}],
    )  # fmt: skip
    two = shop.product(seller, category=f"/{name}", specifications={"storage": 500, "Ports": 3, "sizes": ["s", "m"]})
    ids = f"{two['productId']},{one['productId']}"

    body = shop.client.get("/api/v1/products/compare", params={"ids": ids}).json()

    assert [product["productId"] for product in body["products"]] == [two["productId"], one["productId"]]
    rows = [(row["label"], row["unit"], row["values"], row["same"]) for row in body["attributes"]]
    assert rows == [
        ("Storage", "GB", ["500 GB", "500 GB"], True),
        ("colour", None, [None, "red, blue"], False),
        ("ports", None, ["3", "3"], True),
        ("sizes", None, ["s, m", None], False),
        ("wireless", None, [None, "true"], False),
    ]
    for wrong in ("", one["productId"], f"{ids},x", f"{one['productId']},{one['productId']}"):
        answer = shop.client.get("/api/v1/products/compare", params={"ids": wrong})
        assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/query/ids"
    missing = str(uuid4())
    answer = shop.client.get("/api/v1/products/compare", params={"ids": f"{ids},{missing}"})
    assert problem(answer, 404, "product-not-found")["productIds"] == [missing]


@pytest.mark.usefixtures("worker")
def test_a_brand_has_one_page_whatever_its_spelling(shop: Shop, seller: Person) -> None:
    word = f"q{uuid4().hex[:6]}"
    for title, brand in (("A", f"{word} Co"), ("B", f"{word} Co"), ("C", f"{word.upper()}-CO.")):
        shop.product(seller, title=title, brand=brand)
    path = f"/api/v1/brands/{word}-co"
    assert soon(lambda: shop.client.get(path).json().get("productCount") == 3, 20)

    body = shop.client.get(path, params={"sort": "newest", "limit": 2}).json()

    assert (body["slug"], body["name"], body["spellings"]) == (
        f"{word}-co", f"{word} Co", [f"{word} Co", f"{word.upper()}-CO."],
    )  # fmt: skip
    assert [one["title"] for one in body["listing"]["products"]] == ["C", "B"]
    assert body["listing"]["pagination"]["total"] == 3
    listed = shop.client.get("/api/v1/brands", params={"q": word.title()}).json()
    assert listed["brands"] == [{"slug": f"{word}-co", "name": f"{word} Co", "productCount": 3}]
    assert listed["pagination"]["total"] == 1
    problem(shop.client.get(f"/api/v1/brands/no-{word}"), 404, "brand-not-found")


@pytest.mark.usefixtures("worker")
def test_views_are_counted_as_they_were_accepted_and_those_of_programs_are_not(shop: Shop, seller: Person) -> None:
    product, last = shop.product(seller), shop.product(seller)
    for _ in range(3):
        view(shop, {}, product, product)
    view(shop, {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, product)
    view(shop, {}, last)
    counted = "select view_count from product_counters where product_id = %s"

    assert soon(lambda: shop.scalar(counted, (last["productId"],)) == 1, 20)
    assert shop.scalar(counted, (product["productId"],)) == 6


def test_safety_data_is_on_the_products_page(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)
    path = f"/api/v1/products/{product['productId']}"
    assert product["safety"] is None
    body = {"manufacturer": MAKER, "warnings": ["Not for children under 3 years."]}

    assert shop.client.put(f"{path}/safety", json=body, headers=seller.headers).status_code == 204

    assert soon(lambda: shop.detail(product["productId"])["safety"] == {**body, "responsiblePerson": None}, 1)
    answer = shop.client.put(f"{path}/safety", json={"warnings": []}, headers=seller.headers)
    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/manufacturer"
    problem(
        shop.client.put(f"{path}/safety", json=body, headers=shop.person("seller").headers), 404, "product-not-found"
    )
    problem(shop.client.put(f"{path}/safety", json=body, headers=shop.person().headers), 403, "forbidden")
