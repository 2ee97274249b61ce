"""The versions of a product: what each changed and whose change it was, and the way back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.operations.invariants.run import violations
from tests.harness.api import Server, api_of
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person, problem
from tests.integration.api.catalog.test_saves import BIRCH, OAK, Saves

Json = dict[str, Any]


def versions(saves: Saves, reader: Person | None = None, **query: Any) -> Json:
    answer = saves.market.client.get(f"{saves.path}/versions", params=query, headers=(reader or saves.seller).headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def version(saves: Saves, number: int) -> Json:
    answer = saves.market.client.get(f"{saves.path}/versions/{number}", headers=saves.seller.headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def restore(saves: Saves, number: int, etag: str | None = None) -> Any:
    headers = {**saves.seller.headers, **({"If-Match": etag} if etag else {})}
    return saves.market.client.post(f"{saves.path}/versions/{number}/restore", headers=headers)


def restored(saves: Saves, number: int) -> Json:
    answer = restore(saves, number)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def told(saves: Saves) -> list[tuple[int, str, list[str]]]:
    """Number, action and changed fields of each version, the oldest first."""
    rows = [(one["version"], one["action"], one["fields"]) for one in versions(saves, limit=100)["versions"]]
    return rows[::-1]


@pytest.fixture
def chair(market: Market, seller: Person) -> Saves:
    return Saves(market, seller, [{**OAK, "price": 150.0, "stock": 3}, {**BIRCH, "stock": 1}])


def test_every_change_is_a_version_with_its_author_and_what_it_changed(chair: Saves) -> None:
    (oak, birch) = chair.variants()
    chair.patch(title="Chair, renamed " + uuid4().hex, specifications={"legs": 4})
    chair.patch([{"variantId": oak["variantId"], "price": 140.0}])
    chair.put([{**OAK}], listPrice=300.0)
    found = versions(chair)

    assert told(chair) == [
        (1, "created", []),
        (2, "changed", ["specifications", "title"]),
        (3, "changed", ["variants"]),
        (4, "changed", ["listPrice", "specifications", "title", "variants"]),
    ]
    assert found["pagination"] == {"page": 1, "limit": 20, "total": None, "hasMore": False, "nextCursor": None}
    assert {(one["author"]["kind"], one["author"]["userId"]) for one in found["versions"]} == {
        ("seller", chair.seller.user_id)
    }
    times = [one["at"] for one in found["versions"]]
    assert times == sorted(times, reverse=True)
    third = version(chair, 3)
    assert third["diff"] == [
        {
            "op": "changed",
            "pointer": "/variants/0/price",
            "variantId": oak["variantId"],
            "before": 150.0,
            "after": 140.0,
        }
    ]
    fourth = version(chair, 4)
    kept = {"variantId": oak["variantId"], "sku": oak["sku"], "gtin": None, "price": None, "components": None, **OAK}
    assert fourth["body"]["variants"] == [kept]
    gone = {
        "variantId": birch["variantId"],
        "sku": birch["sku"],
        "gtin": None,
        "price": None,
        "components": None,
        **BIRCH,
    }
    assert [(one["op"], one["pointer"], one["before"], one["after"]) for one in fourth["diff"]] == [
        ("changed", "/listPrice", None, 300.0),
        ("removed", "/specifications/legs", 4, None),
        ("changed", "/title", third["body"]["title"], chair.body["title"]),
        ("removed", "/variants/1", gone, None),
        ("changed", "/variants/0/price", 140.0, None),
    ]


def test_what_changes_nothing_of_the_body_is_no_version(chair: Saves) -> None:
    (oak, _) = chair.variants()
    assert chair.patch([{"variantId": oak["variantId"], "stock": 9}]).status_code == 200
    assert chair.patch(title=chair.body["title"]).status_code == 200
    assert told(chair) == [(1, "created", [])]

    chair.patch(price=101.0)
    assert told(chair) == [(1, "created", []), (4, "changed", ["price"])]
    assert version(chair, 4)["diff"] == [
        {"op": "changed", "pointer": "/price", "variantId": None, "before": 100.0, "after": 101.0}
    ]
    answer = chair.market.client.get(f"{chair.path}/versions/3", headers=chair.seller.headers)
    problem(answer, 404, "version-not-found")


def test_a_version_is_what_put_takes(chair: Saves) -> None:
    before = version(chair, 1)["body"]
    chair.put([{"attributes": {"wood": "elm"}}], price=7.0, brand="Elm & Co")

    answer = chair.market.client.put(chair.path, json=_without_ids(before), headers=chair.seller.headers)

    assert answer.status_code == 200, answer.text
    after = version(chair, 3)["body"]
    assert _without_ids(after) == _without_ids(before)
    assert chair.told("sku", "price", "stock") == [(one["sku"], one["price"] or 100.0, 0) for one in before["variants"]]


def _without_ids(body: Json) -> Json:
    variants = [{name: one[name] for name in one if name != "variantId"} for one in body["variants"]]
    return {**body, "variants": variants}


def test_a_restored_version_is_a_save_that_changes_no_stock(chair: Saves) -> None:
    first = version(chair, 1)["body"]
    (oak, birch) = chair.variants()
    chair.put([{**OAK, "stock": 30}, {"attributes": {"wood": "elm"}, "stock": 5}], title="Stool " + uuid4().hex)

    answer = restored(chair, 1)

    assert (answer["restored"], answer["version"], answer["missingPictures"]) == (True, 3, [])
    assert answer["title"] == chair.body["title"]
    variants = chair.variants()
    assert [(one["sku"], one["price"], one["stock"]) for one in variants] == [
        (oak["sku"], 150.0, 30),
        (birch["sku"], 100.0, 0),
    ]
    assert variants[0]["variantId"] == oak["variantId"]
    assert variants[1]["variantId"] != birch["variantId"], "what was removed is made anew"
    assert told(chair)[2] == (3, "restored", ["title", "variants"])
    row = versions(chair)["versions"][0]
    assert (row["restoredFrom"], row["author"]["kind"]) == (1, "seller")
    assert _without_ids(version(chair, 3)["body"]) == _without_ids(first)

    again = restored(chair, 1)
    assert (again["restored"], again["version"]) == (False, 3)
    assert chair.market.scalar("select version from products where product_id = %s", (chair.product_id,)) == 3
    assert len(told(chair)) == 3
    events = "select count(*) from outbox_events where aggregate_id = %s and event_type = 'ProductChanged'"
    assert chair.market.scalar(events, (chair.product_id,)) == 2


def test_a_restored_version_needs_the_newest_one_if_asked(chair: Saves) -> None:
    _, etag = chair.read()
    chair.patch(price=120.0)
    problem(restore(chair, 1, etag), 412, "product-changed")
    _, etag = chair.read()
    chair.sell(0, 2)
    answer = restore(chair, 1, etag)
    assert answer.status_code == 200, "what was sold since is no conflict: no stock is set"
    assert (answer.json()["price"], chair.told("stock")) == (100.0, [1, 1])
    repeated = chair.patch(price=130.0, etag=answer.headers["etag"])
    assert repeated.status_code == 200


def test_what_cannot_be_saved_today_is_refused_as_put_refuses_it(market: Market, seller: Person) -> None:
    key = uuid4().hex[:8]
    saves = Saves(market, seller, [{**OAK, "sku": f"V-{key}"}])
    saves.put([{**OAK, "sku": f"W-{key}"}])
    other = Saves(market, seller, [{**BIRCH, "sku": f"V-{key}"}])
    refusal = problem(restore(saves, 1), 409, "sku-taken")
    assert refusal["productId"] == other.product_id

    first = Saves(market, seller, [{**OAK}])
    title = first.body["title"]
    first.patch(title=f"Not {title}")
    market.product(seller, title=title, variants=[{**OAK}])
    problem(restore(first, 1), 409, "duplicate-product")
    assert [action for _, action, _ in told(first)] == ["created", "changed"]
    problem(restore(first, 99), 404, "version-not-found")


def test_only_the_seller_and_administrators_read_versions(chair: Saves, market: Market) -> None:
    other, buyer, admin = market.person("seller"), market.person(), market.admin()
    for who in (other, buyer):
        for path in ("versions", "versions/1"):
            problem(market.client.get(f"{chair.path}/{path}", headers=who.headers), 404, "product-not-found")
    problem(market.client.get(f"{chair.path}/versions"), 401, "not-authenticated")
    problem(market.client.post(f"{chair.path}/versions/1/restore", headers=other.headers), 404, "product-not-found")
    for who in (buyer, admin):
        problem(market.client.post(f"{chair.path}/versions/1/restore", headers=who.headers), 403, "forbidden")
    assert versions(chair, admin) == versions(chair)

    assert market.client.delete(chair.path, headers=chair.seller.headers).status_code == 204
    assert told(chair) == [(1, "created", []), (2, "deleted", ["status", "variants"])]
    assert version(chair, 2)["body"]["variants"] == []
    problem(restore(chair, 1), 404, "product-not-found")


def test_the_list_goes_on_by_its_cursor(chair: Saves) -> None:
    for price in (101.0, 102.0, 103.0, 104.0):
        chair.patch(price=price)
    seen: list[int] = []
    page = versions(chair, limit=2)
    chair.patch(price=105.0)
    while True:
        seen += [one["version"] for one in page["versions"]]
        if not page["pagination"]["hasMore"]:
            break
        page = versions(chair, limit=2, cursor=page["pagination"]["nextCursor"])
    assert seen == [5, 4, 3, 2, 1]


def test_pictures_come_back_with_what_was_said_of_them(chair: Saves) -> None:
    (_, birch) = chair.variants()
    chair.patch(images=[base64_of(one_of(601)), base64_of(one_of(602))])
    media = chair.read()[0]["media"]
    client, headers = chair.market.client, chair.seller.headers
    for image, said in zip(media, ({"alt": "oak"}, {"alt": "birch", "variantId": birch["variantId"]}), strict=True):
        assert client.patch(f"{chair.path}/images/{image['imageId']}", json=said, headers=headers).status_code == 200
    before = chair.read()[0]
    assert told(chair)[1:] == [(2, "changed", ["images"]), (3, "changed", ["media"]), (4, "changed", ["media"])]
    client.delete(f"{chair.path}/images/{media[0]['imageId']}", headers=headers)
    chair.put([{**OAK}, {**BIRCH, "sku": f"B-{uuid4().hex}"}], images=[])

    answer = restored(chair, 4)

    assert answer["images"] == before["images"]
    shown = [(one["alt"], one["variantId"]) for one in chair.read()[0]["media"]]
    assert shown == [("oak", None), ("birch", birch["variantId"])]
    assert [(one["url"], one["alt"]) for one in version(chair, 4)["media"]] == [
        (before["images"][0], "oak"),
        (before["images"][1], "birch"),
    ]


MAKER = {"name": "Acme", "address": "1 Mill Lane, Leeds, GB", "email": "safety@acme.example"}


def declare(chair: Saves, *warnings: str) -> Json:
    """Say who answers for its safety; returns it as versions have it."""
    body: Json = {"manufacturer": MAKER, "responsiblePerson": None, "warnings": list(warnings)}
    answer = chair.market.client.put(f"{chair.path}/safety", json=body, headers=chair.seller.headers)
    assert answer.status_code == 204, answer.text
    return body


def test_safety_data_is_a_part_of_versions_and_comes_back(chair: Saves) -> None:
    one, two = declare(chair, "Not for children."), declare(chair, "Not for children.", "Keep dry.")
    declare(chair, "Not for children.", "Keep dry.")  # the same

    assert told(chair) == [(1, "created", []), (2, "changed", ["safety"]), (3, "changed", ["safety"])]
    assert versions(chair)["versions"][0]["author"] == {"kind": "seller", "userId": chair.seller.user_id}
    assert [version(chair, number)["safety"] for number in (1, 2, 3)] == [None, one, two]
    assert [(d["op"], d["pointer"], d["before"], d["after"]) for d in version(chair, 3)["diff"]] == [
        ("changed", "/safety/warnings", one["warnings"], two["warnings"])
    ]
    assert restored(chair, 2)["safety"] == one
    assert restored(chair, 1)["safety"] is None
    assert chair.read()[0]["safety"] is None
    assert not restored(chair, 1)["restored"]
    assert told(chair)[3:] == [(5, "restored", ["safety"]), (6, "restored", ["safety"])]


def test_a_version_that_knows_no_safety_data_changes_none(chair: Saves) -> None:
    """Versions that were kept before they held it."""
    sql = chair.market.sql
    safety = declare(chair, "Keep dry.")
    sql.execute("alter table product_versions disable trigger user")
    sql.execute("update product_versions set safety = null where product_id = %s", (chair.product_id,))
    sql.execute("alter table product_versions enable trigger user")
    chair.patch(price=90.0)

    assert told(chair)[2:] == [(3, "changed", ["price"])]
    assert [d["pointer"] for d in version(chair, 3)["diff"]] == ["/price"]
    assert version(chair, 2)["safety"] is None
    again = restored(chair, 1)
    assert (again["price"], again["safety"]) == (100.0, safety)


def test_a_product_older_than_versions_gets_its_first_with_its_first_change(chair: Saves) -> None:
    sql = chair.market.sql
    sql.execute("alter table product_versions disable trigger user")
    sql.execute("delete from product_versions where product_id = %s", (chair.product_id,))
    sql.execute("alter table product_versions enable trigger user")
    assert told(chair) == []
    problem(restore(chair, 1), 404, "version-not-found")

    chair.patch(price=90.0)

    assert told(chair) == [(1, "known", []), (2, "changed", ["price"])]
    known = versions(chair)["versions"][1]
    assert known["author"] == {"kind": "service", "userId": None}
    assert restored(chair, 1)["price"] == 100.0


def test_a_merge_of_categories_is_a_version_of_every_product_in_them(chair: Saves) -> None:
    market, admin = chair.market, chair.market.admin()
    made = [
        market.client.post("/api/v1/categories", json={"name": f"N {uuid4().hex}"}, headers=admin.headers).json()
        for _ in range(2)
    ]
    source, target = (one["categoryId"] for one in made)
    chair.patch(category=source)
    _, etag = chair.read()

    merged = market.client.post(f"/api/v1/categories/{source}/merge", json={"into": target}, headers=admin.headers)

    assert merged.status_code == 200
    newest = versions(chair)["versions"][0]
    assert (newest["action"], newest["fields"], newest["author"]) == (
        "changed",
        ["category"],
        {"kind": "admin", "userId": None},
    )
    assert versions(chair, admin)["versions"][0]["author"]["userId"] == admin.user_id
    assert version(chair, newest["version"])["body"]["category"] == target
    problem(chair.patch(price=9.0, etag=etag), 412, "product-changed")
    assert restored(chair, 2)["categoryId"] == target, "what was merged leads to where it is"


def test_savers_at_once_get_consecutive_versions_and_none_is_lost(chair: Saves) -> None:
    race(chair)


def race(chair: Saves, savers: int = 12) -> None:
    """Savers of one product each set a field of their own; a version must have each of them."""

    def save(number: int) -> int:
        answer = chair.market.client.patch(chair.path, json={"price": 200.0 + number}, headers=chair.seller.headers)
        return int(answer.status_code)

    with ThreadPoolExecutor(savers) as pool:
        assert list(pool.map(save, range(savers))) == [200] * savers
    rows = told(chair)[1:]
    assert [number for number, _, _ in rows] == list(range(2, 2 + savers))
    prices = {version(chair, number)["body"]["price"] for number, _, _ in rows}
    assert prices == {200.0 + number for number in range(savers)}


@pytest.fixture
def altered(
    request: pytest.FixtureRequest, server: Server, database_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Market]:
    """The shop behind an API without one of its rules."""
    address = api_of(tmp_path, database_url, server.env["REDIS_URL"], buying_env(sandbox))
    address.start(mutant=request.param)
    shop = Market(address, database_url, sandbox)
    yield shop
    shop.close()
    address.stop()


@pytest.mark.parametrize("altered", ["saves without a lock"], indirect=True)
def test_savers_without_a_lock_lose_a_version(altered: Market) -> None:
    with pytest.raises(AssertionError):
        race(Saves(altered, altered.person("seller"), [{**OAK}]), 3)


@pytest.mark.parametrize("altered", ["pictures without versions"], indirect=True)
def test_a_change_without_a_version_is_seen_by_the_invariants(altered: Market, database_url: str) -> None:
    saves = Saves(altered, altered.person("seller"), [{**OAK}])
    sent = {"image": base64_of(one_of(603))}
    answer = altered.client.post(f"{saves.path}/images", json=sent, headers=saves.seller.headers)
    assert answer.status_code == 201
    assert [one.check for one in violations(database_url)] == ["R-I33-newest"]

    saves.patch(title=f"Mended {uuid4()}")  # the next version says what is there
    assert violations(database_url) == []
