"""What a category defines of attributes: inherited down the tree, judged when a product is saved, known to search."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.api import Server
from tests.harness.buying import Worker
from tests.harness.shop import Person, Shop, problem
from tests.harness.soon import soon

STORAGE = {"name": "storage", "label": "Storage", "type": "number", "unit": "GB", "facet": True}
COLOUR = {"name": "colour", "label": "Colour", "type": "enum", "allowedValues": ["red", "blue"], "variantAxis": True}
WEIGHT = {"name": "weight", "label": "Weight", "type": "number", "unit": "kg", "required": True}


@pytest.fixture(scope="module")
def admin(shop: Shop) -> Person:
    return shop.admin()


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


class Defining:
    """A department with a category below it."""

    def __init__(self, shop: Shop, admin: Person) -> None:
        self.shop, self.headers, self.name = shop, admin.headers, f"D{uuid4().hex[:6]}"
        self.above, self.below = (str(shop.category(f"/{self.name}{end}")) for end in ("", "/Phones"))

    def define(self, category: str, *attributes: dict[str, Any]) -> httpx.Response:
        address = f"/api/v1/categories/{category}/attributes"
        return self.shop.client.put(address, json={"attributes": attributes}, headers=self.headers)

    def seen(self, category: str) -> list[dict[str, Any]]:
        answer = self.shop.client.get(f"/api/v1/categories/{category}/attributes")
        assert answer.status_code == 200, answer.text
        attributes: list[dict[str, Any]] = answer.json()["attributes"]
        return attributes


@pytest.fixture
def defining(shop: Shop, admin: Person) -> Defining:
    return Defining(shop, admin)


def test_definitions_are_inherited_and_the_nearest_counts(shop: Shop, defining: Defining) -> None:
    assert defining.define(defining.above, STORAGE, WEIGHT).status_code == 200
    nearer = {**STORAGE, "name": "Storage", "label": "Memory", "unit": "MB"}
    answer = defining.define(defining.below, COLOUR, nearer)

    crumbs = {
        name: {"categoryId": category, "name": name, "path": path, "nameLanguage": None}
        for name, category, path in (
            (defining.name, defining.above, f"/{defining.name}"),
            ("Phones", defining.below, f"/{defining.name}/Phones"),
        )
    }
    plain: dict[str, object] = {
        "unit": None,
        "allowedValues": [],
        "required": False,
        "variantAxis": False,
        "facet": False,
        "labels": {},
        "labelLanguage": None,
    }
    own, inherited = (
        {"definedIn": crumbs["Phones"], "inherited": False},
        {"definedIn": crumbs[defining.name], "inherited": True},
    )
    assert answer.json()["attributes"] == defining.seen(defining.below) == [
        {**plain, **COLOUR, **own}, {**plain, **nearer, **own}, {**plain, **WEIGHT, **inherited},
    ]  # fmt: skip
    assert [one["label"] for one in defining.seen(defining.above)] == ["Storage", "Weight"]
    assert defining.define(defining.below).status_code == 200
    assert [one["inherited"] for one in defining.seen(defining.below)] == [True, True]


def test_labels_are_in_the_readers_language(shop: Shop, defining: Defining, seller: Person) -> None:
    """Each falls back for itself, on the page of attributes and where products are compared."""
    labels = {"de": "Speicher", "fr": "Mémoire"}
    assert defining.define(defining.below, {**STORAGE, "labels": labels}, COLOUR).status_code == 200
    products = [
        shop.product(seller, category=f"/{defining.name}/Phones", specifications={"storage": f"{size} GB"})["productId"]
        for size in (128, 256)
    ]

    def shown(language: str) -> list[tuple[str, str | None]]:
        address = f"/api/v1/categories/{defining.below}/attributes"
        answer = shop.client.get(address, headers={"Accept-Language": language})
        assert answer.headers["content-language"] == language
        assert answer.json()["attributes"][0]["labels"] == labels
        return [(one["label"], one["labelLanguage"]) for one in answer.json()["attributes"]]

    def compared(language: str) -> str:
        query = {"ids": ",".join(products), "language": language}
        rows = shop.client.get("/api/v1/products/compare", params=query).json()["attributes"]
        return next(str(row["label"]) for row in rows if row["name"] == "storage")

    assert shown("de") == [("Speicher", None), ("Colour", "en")]
    assert shown("es") == [("Storage", "en"), ("Colour", "en")]
    assert shown("en") == [("Storage", None), ("Colour", None)]
    assert [compared(language) for language in ("de", "es", "en")] == ["Speicher", "Storage", "Storage"]
    for wrong, pointer in (({"it": "Memoria"}, "it"), ({"en": "Memory"}, "en"), ({"de": ""}, "de")):
        refused = problem(defining.define(defining.below, {**STORAGE, "labels": wrong}), 422, "validation-failed")
        assert refused["errors"][0]["pointer"] == f"/attributes/0/labels/{pointer}"
    assert shown("fr")[0] == ("Mémoire", None)


def test_a_product_is_judged_by_its_category_when_it_is_saved(shop: Shop, seller: Person, defining: Defining) -> None:
    defining.define(defining.above, STORAGE, WEIGHT)
    defining.define(defining.below, COLOUR)
    body = {
        "title": "T", "category": defining.below, "price": 5, "specifications": {"storage": "256 kg", "free": 1},
        "variants": [{"attributes": {"colour": "red"}}, {"attributes": {"colour": "green", "size": "9"}}],
    }  # fmt: skip

    def send(method: str, path: str, **fields: Any) -> httpx.Response:
        return shop.client.request(method, f"/api/v1/products{path}", json=fields, headers=seller.headers)

    errors = problem(send("POST", "", **body), 422, "validation-failed")["errors"]
    assert {error["pointer"] for error in errors} == {
        "/specifications/storage", "/specifications/weight", "/variants/1/attributes/colour",
    }  # fmt: skip
    assert "red, blue" in next(error["message"] for error in errors if "colour" in error["pointer"])

    good = {**body, "specifications": {"storage": "256 GB", "weight": 0.4}, "variants": body["variants"][:1]}  # type: ignore[index]
    made = send("POST", "", **good)
    assert made.status_code == 201, made.text
    path = f"/{made.json()['productId']}"
    problem(send("PATCH", path, specifications={"storage": 1}), 422, "validation-failed")
    problem(send("PATCH", path, variants=[{"attributes": {"colour": "pink"}}]), 422, "validation-failed")
    problem(send("PUT", path, **body), 422, "validation-failed")
    # What is defined later is asked for when that is saved, not when the price is.
    defining.define(defining.below, COLOUR, {**WEIGHT, "name": "depth", "unit": "cm"})
    assert send("PATCH", path, price=6).status_code == 200
    (error,) = problem(send("PATCH", path, specifications={"weight": 1}), 422, "validation-failed")["errors"]
    assert error["pointer"] == "/specifications/depth"
    other = str(shop.category(f"/{defining.name}/Other"))
    assert send("PATCH", path, category=other).status_code == 200
    problem(send("PATCH", path, category=defining.below), 422, "validation-failed")


@pytest.mark.parametrize(
    ("attribute", "pointer"),
    [
        ({**STORAGE, "name": "a:b"}, "/attributes/0/name"),
        ({**STORAGE, "name": ""}, "/attributes/0/name"),
        ({**STORAGE, "type": "text"}, "/attributes/0/unit"),
        ({**STORAGE, "type": "colour"}, "/attributes/0/type"),
        ({**COLOUR, "type": "text"}, "/attributes/0/allowedValues"),
        ({**COLOUR, "allowedValues": []}, "/attributes/0/allowedValues"),
        ({**COLOUR, "allowedValues": ["red", "red"]}, "/attributes/0/allowedValues"),
        ({"name": "n", "type": "text"}, "/attributes/0/label"),
    ],
)
def test_a_definition_that_is_none_is_refused(defining: Defining, attribute: dict[str, Any], pointer: str) -> None:
    errors = problem(defining.define(defining.above, attribute), 422, "validation-failed")["errors"]
    assert pointer in {error["pointer"] for error in errors}
    assert defining.seen(defining.above) == []


def test_a_name_is_defined_once_and_by_administrators(shop: Shop, seller: Person, defining: Defining) -> None:
    twice = problem(defining.define(defining.above, STORAGE, {**STORAGE, "name": "STORAGE"}), 422, "validation-failed")
    assert twice["errors"] == [{"pointer": "/attributes/1/name", "message": "is there twice"}]
    problem(defining.define(str(uuid4()), STORAGE), 404, "category-not-found")
    problem(shop.client.get(f"/api/v1/categories/{uuid4()}/attributes"), 404, "category-not-found")
    address = f"/api/v1/categories/{defining.above}/attributes"
    problem(shop.client.put(address, json={"attributes": []}, headers=seller.headers), 403, "forbidden")
    problem(shop.client.put(address, json={"attributes": []}), 401, "not-authenticated")


@pytest.fixture
def worker(api_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("worker"), api_server.env)
    worker.start()
    yield worker
    worker.stop()


@pytest.mark.usefixtures("worker")
def test_search_names_the_attributes_that_it_knows(shop: Shop, seller: Person, defining: Defining) -> None:
    product = shop.product(
        seller, category=f"/{defining.name}", specifications={"Ports": 3},
        variants=[{"attributes": {"colour": "Teal"}, "stock": 1}],
    )  # fmt: skip
    address = f"/api/v1/categories/{defining.above}/attributes"
    assert soon(lambda: {"colour", "ports"} <= {*shop.client.get(address).json()["searchNames"]}, 20)

    def found(filters: str) -> httpx.Response:
        return shop.client.get("/api/v1/search", params={"filters": f"category:/{defining.name},{filters}"})

    for filters in ("attr.colour:teal", "attr.color:Teal", "attr.PORTS:3"):
        assert [one["productId"] for one in found(filters).json()["results"]] == [product["productId"]]
    assert found("attr.colour:pink").json()["results"] == []
    (error,) = problem(found("attr.colur:teal"), 422, "bad-filter")["errors"]
    assert error["message"].endswith("no product has this attribute; known are attr.colour")
