"""The category tree as administrators change it: old addresses lead to the new, and it stays a tree under races."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.api import PLAIN, Server, api_of
from tests.harness.buying import Worker
from tests.harness.invariants import assert_invariants
from tests.harness.shop import Person, Shop, problem
from tests.harness.soon import soon

API = "/api/v1/categories"


@pytest.fixture(scope="module")
def admin(shop: Shop) -> Person:
    return shop.admin()


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


@pytest.fixture(autouse=True)
def still_a_tree(database_url: str) -> Iterator[None]:
    yield
    assert_invariants(database_url)


class Tree:
    """Changes of the tree by an administrator, each under a department of its own."""

    def __init__(self, shop: Shop, admin: Person) -> None:
        self.shop, self.headers = shop, admin.headers
        self.department = f"D{uuid4().hex[:6]}"
        self.root = self.made(self.department)

    def made(self, name: str, parent: str | None = None) -> str:
        answer = self.post(name, parent)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["categoryId"])

    def post(self, name: str, parent: str | None = None) -> httpx.Response:
        body = {"name": name, "parentCategoryId": parent}
        return self.shop.client.post(API, json=body, headers=self.headers)

    def change(self, category: str, **body: Any) -> httpx.Response:
        return self.shop.client.patch(f"{API}/{category}", json=body, headers=self.headers)

    def merge(self, category: str, into: str) -> httpx.Response:
        return self.shop.client.post(f"{API}/{category}/merge", json={"into": into}, headers=self.headers)

    def delete(self, category: str) -> httpx.Response:
        return self.shop.client.delete(f"{API}/{category}", headers=self.headers)

    def path(self, category: str) -> str:
        return str(self.shop.client.get(f"{API}/{category}").json()["path"])


@pytest.fixture
def tree(shop: Shop, admin: Person) -> Tree:
    return Tree(shop, admin)


def test_a_category_says_what_is_above_and_below_it(shop: Shop, tree: Tree) -> None:
    phones = tree.made("Phones", tree.root)
    cases, cables = tree.made("Cases", phones), tree.made("Cables", phones)
    top = f"/{tree.department}"

    for address in (phones, f"{tree.department}/phones", f"{tree.department}/Phones/"):
        answer = shop.client.get(f"{API}/{address}")
        assert (answer.status_code, answer.json()) == (
            200,
            {
                "categoryId": phones, "name": "Phones", "nameLanguage": None, "names": {}, "path": f"{top}/Phones",
                "level": 1,
                "parentCategoryId": tree.root,
                "breadcrumbs": [
                    {"categoryId": tree.root, "name": tree.department, "path": top, "nameLanguage": None},
                    {"categoryId": phones, "name": "Phones", "path": f"{top}/Phones", "nameLanguage": None},
                ],
                "children": [
                    {"categoryId": cables, "name": "Cables", "path": f"{top}/Phones/Cables", "nameLanguage": None},
                    {"categoryId": cases, "name": "Cases", "path": f"{top}/Phones/Cases", "nameLanguage": None},
                ],
            },
        )  # fmt: skip
    problem(shop.client.get(f"{API}/{tree.department}/Nothing"), 404, "category-not-found")
    problem(shop.client.get("/api/v1/products", params={"category": "/Nothing/Here"}), 404, "category-not-found")


def test_old_addresses_of_a_renamed_and_moved_category_lead_to_it(shop: Shop, tree: Tree, seller: Person) -> None:
    phones, away = tree.made("Phones", tree.root), tree.made("Away", tree.root)
    cases = tree.made("Cases", phones)
    product = shop.product(seller, category=f"/{tree.department}/Phones/Cases")
    old = f"/{tree.department}/Phones/Cases"

    assert tree.change(phones, name="Mobiles").json()["path"] == f"/{tree.department}/Mobiles"
    moved = tree.change(phones, parentCategoryId=away)

    new = f"/{tree.department}/Away/Mobiles"
    assert (moved.status_code, moved.json()["path"], moved.json()["level"]) == (200, new, 2)
    assert tree.path(cases) == f"{new}/Cases"
    for path in (old, f"/{tree.department}/Mobiles/Cases"):
        answer = shop.client.get(f"{API}{path}")
        assert (answer.status_code, answer.json()) == (308, {"categoryId": cases, "path": f"{new}/Cases"})
        assert answer.headers["location"] == f"{API}/{cases}"
        listed = shop.client.get("/api/v1/products", params={"category": path}).json()["products"]
        assert [one["productId"] for one in listed] == [product["productId"]]
    for path in (old, cases):
        body = {"title": f"Found by {path}", "category": path, "price": 1}
        answer = shop.client.post("/api/v1/products", json=body, headers=seller.headers)
        assert (answer.status_code, answer.json()["categoryId"]) == (201, cases)
    # A category that gets the path goes before what was there.
    assert tree.made("Phones", tree.root) == shop.client.get(f"{API}/{tree.department}/Phones").json()["categoryId"]


def test_breadcrumbs_of_a_product_follow_its_category(shop: Shop, tree: Tree, seller: Person) -> None:
    phones, away = tree.made("Phones", tree.root), tree.made("Away")
    product = shop.product(seller, category=f"/{tree.department}/Phones")
    crumbs = [crumb["name"] for crumb in product["breadcrumbs"]]
    assert (crumbs, product["category"]) == ([tree.department, "Phones"], f"{tree.department} > Phones")

    tree.change(phones, parentCategoryId=away, name="Mobiles")

    seen = shop.client.get(f"/api/v1/products/{product['productId']}", headers=seller.headers).json()
    assert seen["breadcrumbs"] == [
        {"categoryId": away, "name": "Away", "path": "/Away", "nameLanguage": None},
        {"categoryId": phones, "name": "Mobiles", "path": "/Away/Mobiles", "nameLanguage": None},
    ]
    tree.change(away, name=f"Away {tree.department}")


def test_a_merged_category_is_found_as_the_one_that_has_everything(shop: Shop, tree: Tree, seller: Person) -> None:
    phones, mobiles = tree.made("Phones", tree.root), tree.made("Mobiles", tree.root)
    both, theirs = tree.made("Cases", phones), tree.made("cases", mobiles)
    only = tree.made("Chargers", phones)
    first = shop.product(seller, category=f"/{tree.department}/Phones")
    second = shop.product(seller, category=f"/{tree.department}/Phones/Cases")
    third = shop.product(seller, category=f"/{tree.department}/Phones/Chargers")

    answer = tree.merge(phones, mobiles)

    assert (answer.status_code, answer.json()["categoryId"]) == (200, mobiles)
    assert [(child["name"], child["categoryId"]) for child in answer.json()["children"]] == [
        ("Chargers", only), ("cases", theirs),
    ]  # fmt: skip
    for address, now in (
        (phones, mobiles), (f"{tree.department}/Phones", mobiles),
        (both, theirs), (f"{tree.department}/Phones/Cases", theirs),
        (f"{tree.department}/Phones/Chargers", only),
    ):  # fmt: skip
        moved = shop.client.get(f"{API}/{address}")
        assert (moved.status_code, moved.json()["categoryId"]) == (308, now)
    listed = shop.client.get("/api/v1/products", params={"category": phones, "sort": "newest"}).json()
    assert [one["productId"] for one in listed["products"]] == [
        third["productId"], second["productId"], first["productId"],
    ]  # fmt: skip
    # A second merge leads on.
    last = tree.made("Handys", tree.root)
    assert tree.merge(mobiles, last).status_code == 200
    assert shop.client.get(f"{API}/{phones}").json()["categoryId"] == last
    assert shop.client.get(f"{API}/{tree.department}/Phones").json()["categoryId"] == last
    problem(tree.change(phones, name="Back"), 404, "category-not-found")
    problem(tree.merge(last, phones), 404, "category-not-found")


def test_a_category_is_merged_into_the_one_above_it(shop: Shop, tree: Tree) -> None:
    below = tree.made("Phones", tree.root)
    namesake = tree.made("Phones", below)

    assert tree.merge(below, tree.root).status_code == 200

    assert tree.path(namesake) == f"/{tree.department}/Phones"
    problem(tree.merge(tree.root, namesake), 409, "category-cycle")
    problem(tree.merge(tree.root, tree.root), 409, "category-cycle")


def test_only_an_empty_category_is_deleted(shop: Shop, tree: Tree, seller: Person) -> None:
    phones = tree.made("Phones", tree.root)
    product = shop.product(seller, category=f"/{tree.department}/Phones")

    problem(tree.delete(tree.root), 409, "category-not-empty")
    problem(tree.delete(phones), 409, "category-not-empty")
    assert shop.client.delete(f"/api/v1/products/{product['productId']}", headers=seller.headers).status_code == 204
    assert tree.delete(phones).status_code == 204
    problem(tree.delete(phones), 404, "category-not-found")
    problem(shop.client.get(f"{API}/{phones}"), 404, "category-not-found")
    assert tree.path(tree.made("Phones", tree.root)) == f"/{tree.department}/Phones"


def test_what_would_be_no_tree_is_refused(shop: Shop, tree: Tree) -> None:
    phones = tree.made("Phones", tree.root)
    cases = tree.made("Cases", phones)

    problem(tree.change(phones, parentCategoryId=cases), 409, "category-cycle")
    problem(tree.change(phones, parentCategoryId=phones), 409, "category-cycle")
    taken = problem(tree.post("PHONES", tree.root), 409, "category-name-taken")
    assert taken["categoryId"] == phones
    problem(tree.post("New", str(uuid4())), 404, "category-not-found")
    for name in ("a/b", "a > b", str(uuid4()), "", "x" * 101, None):
        answer = shop.client.post(API, json={"name": name}, headers=tree.headers)
        assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/name"
    problem(tree.change(phones, name=None), 422, "validation-failed")
    deep = cases
    for level in range(3, 8):
        deep = tree.made(f"Level {level}", deep)
    problem(tree.post("Level 8", deep), 409, "category-too-deep")
    other = tree.made("Other", tree.root)
    problem(tree.change(phones, parentCategoryId=other), 409, "category-too-deep")
    assert tree.change(phones, name="phones").json()["path"] == f"/{tree.department}/phones"


@pytest.mark.parametrize("who", ["customer", "seller", None])
def test_the_tree_belongs_to_administrators(shop: Shop, tree: Tree, who: str | None) -> None:
    headers = shop.person(who).headers if who else {}
    status, code = (403, "forbidden") if who else (401, "not-authenticated")

    problem(shop.client.post(API, json={"name": "N"}, headers=headers), status, code)
    problem(shop.client.patch(f"{API}/{tree.root}", json={"name": "N"}, headers=headers), status, code)
    problem(shop.client.post(f"{API}/{tree.root}/merge", json={"into": tree.root}, headers=headers), status, code)
    problem(shop.client.delete(f"{API}/{tree.root}", headers=headers), status, code)


def test_lists_search_and_pages_follow_a_move_within_a_second(
    shop: Shop, tree: Tree, seller: Person, api_server: Server, tmp_path: Path
) -> None:
    phones, away = tree.made("Phones", tree.root), tree.made("Away", tree.root)
    product = shop.product(seller, title=f"Thing of {tree.department}", category=f"/{tree.department}/Phones")
    page, titles = f"/api/v1/products/{product['productId']}", {"filters": f"category:/{tree.department}/Away"}
    worker = Worker(tmp_path, api_server.env)
    worker.start()
    try:
        assert soon(lambda: _found(shop, {"filters": f"category:/{tree.department}/Phones"}) == [product["title"]], 20)
        assert _found(shop, titles) == []
        soon(lambda: shop.client.get(page).headers["cache-status"] == "souk-process; hit", 20)

        tree.change(phones, parentCategoryId=away)
        began = time.monotonic()
        in_time = {
            "page": lambda: shop.client.get(page).json()["category"] == f"{tree.department} > Away > Phones",
            "list": lambda: shop.titles(category=f"/{tree.department}/Away") == [product["title"]],
            "search": lambda: _found(shop, titles) == [product["title"]],
            "old path in search": lambda: (
                _found(shop, {"filters": f"category:/{tree.department}/Phones"}) == [product["title"]]
            ),
            "tree": lambda: f"/{tree.department}/Away/Phones" in shop.client.get(API).text,
        }
        late = {name for name, seen in in_time.items() if not soon(seen, 1.0 - (time.monotonic() - began))}
        assert late == set()
        (error,) = problem(
            shop.client.get("/api/v1/search", params={"filters": "category:Nowhere"}), 422, "bad-filter"
        )["errors"]
        assert "there is no such category" in error["message"]
    finally:
        worker.stop()


def _found(shop: Shop, query: dict[str, str]) -> list[str]:
    answer = shop.client.get("/api/v1/search", params=query)
    return [one["title"] for one in answer.json()["results"]] if answer.status_code == 200 else [answer.text]


def _both_moves(url: str, tree: Tree, one: str, other: str) -> list[int]:
    """Each below the other, at the same moment."""

    def move(pair: tuple[str, str]) -> int:
        with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=PLAIN) as client:
            body = {"parentCategoryId": pair[1]}
            return client.patch(f"{API}/{pair[0]}", json=body, headers=tree.headers).status_code

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(move, [(one, other), (other, one)]))


def test_two_categories_that_move_below_each_other_make_no_cycle(tree: Tree, api_server: Server) -> None:
    for number in range(10):
        pair = tree.made(f"A{number}", tree.root), tree.made(f"B{number}", tree.root)
        assert _both_moves(api_server.url, tree, *pair) == [200, 409]


@pytest.mark.slow
def test_without_the_trees_lock_they_do(database_url: str, redis_url: str, tmp_path: Path) -> None:
    mutant = api_of(tmp_path, database_url, redis_url, {})
    mutant.start(mutant="no lock on the tree")
    shop = Shop(mutant, database_url)
    try:
        tree = Tree(shop, shop.admin())
        one, other = tree.made("A", tree.root), tree.made("B", tree.root)
        assert _both_moves(mutant.url, tree, one, other) == [200, 200]
        with pytest.raises(AssertionError, match="R-I30-path"):
            assert_invariants(database_url)
    finally:
        mended = (tree.root, tree.department, [one, other])
        shop.sql.execute(
            "update categories set parent_category_id = %s, path = '/' || %s || '/' || name, level = 1"
            " where category_id = any(%s::uuid[])",
            mended,
        )
        shop.close()
        mutant.stop()


def test_a_product_that_is_saved_during_a_merge_is_where_everything_is(
    shop: Shop, tree: Tree, seller: Person, api_server: Server
) -> None:
    """Products are created in a category while it is merged: none is left in it."""
    url, into = api_server.url, tree.made("Into", tree.root)

    def create(category: str) -> str:
        with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=PLAIN) as client:
            body = {"title": uuid4().hex, "category": category, "price": 1}
            answer = client.post("/api/v1/products", json=body, headers=seller.headers)
            assert answer.status_code == 201, answer.text
            return str(answer.json()["categoryId"])

    for number in range(4):
        source = tree.made(f"Source {number}", tree.root)
        with ThreadPoolExecutor(7) as pool:
            made = [pool.submit(create, source) for _ in range(6)]
            assert pool.submit(tree.merge, source, into).result().status_code == 200
            assert {one.result() for one in made} <= {source, into}
        assert shop.scalar("select count(*) from products where category_id = %s", (source,)) == 0
