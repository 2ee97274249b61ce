"""The catalog over HTTP as sellers write it: products, prices, drafts, stock."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person, Shop, problem


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


def test_only_sellers_sell(shop: Shop) -> None:
    body = {"title": "X", "category": str(shop.category("/Home")), "price": 1.0}

    problem(shop.client.post("/api/v1/products", json=body), 401, "not-authenticated")
    problem(shop.client.post("/api/v1/products", json=body, headers=shop.person().headers), 403, "forbidden")
    assert shop.scalar("select count(*) from products where title = 'X'") == 0


def test_a_new_product_answers_201_with_its_place_and_starts_without_stock(shop: Shop, seller: Person) -> None:
    body = {"title": "Lamp", "category": "/Home", "price": 12.34, "variants": [{"attributes": {"color": "Red"}}]}
    shop.category("/Home")

    answer = shop.client.post("/api/v1/products", json=body, headers=seller.headers)

    assert answer.status_code == 201
    product = answer.json()
    assert answer.headers["location"] == f"/api/v1/products/{product['productId']}"
    assert [(variant["price"], variant["stock"]) for variant in product["variants"]] == [(12.34, 0)]
    assert product["inStock"] is False
    assert shop.sql.execute(
        "select seller_id::text, base_price, currency, version from products where product_id = %s",
        (product["productId"],),
    ).fetchone() == (seller.user_id, shop.scalar("select 12.34::numeric"), "USD", 1)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": 0}, "/price"),
        ({"price": -1}, "/price"),
        ({"price": 1.234}, "/price"),
        ({"price": 1e13}, "/price"),
        ({"price": "NaN"}, "/price"),
        ({"price": None}, "/price"),
        ({"title": ""}, "/title"),
        ({"title": "x" * 501}, "/title"),
        ({"title": "a\u0000b"}, "/title"),
        ({"listPrice": 0.5}, "/listPrice"),
        ({"title": "a\u202eb"}, "/title"),
        ({"specifications": {"ports": {"a": 1}}}, "/specifications/ports"),
        ({"specifications": {"sizes": ["s", 5]}}, "/specifications/sizes/1"),
        ({"variants": [{"attributes": {"color": "re\u0007d"}}]}, "/variants/0/attributes/color"),
        ({"stock": 5}, "/stock"),
        ({"variants": [{"stock": -1}]}, "/variants/0/stock"),
        ({"variants": [{"stock": 10**9}]}, "/variants/0/stock"),
        ({"variants": [{"variantId": "x"}]}, "/variants/0/variantId"),
        ({"images": ["javascript:alert(1)"]}, "/images/0"),
        ({"status": "sold"}, "/status"),
    ],
)
def test_a_wrong_field_is_named(shop: Shop, seller: Person, change: dict[str, Any], pointer: str) -> None:
    before = shop.scalar("select count(*) from products")

    answer = shop.client.post(
        "/api/v1/products",
        json={"title": "T", "category": str(shop.category("/Home")), "price": 1.0, **change},
        headers=seller.headers,
    )

    assert pointer in {error["pointer"] for error in problem(answer, 422, "validation-failed")["errors"]}
    assert shop.scalar("select count(*) from products") == before


def test_unknown_category_and_taken_sku_leave_nothing_behind(shop: Shop, seller: Person) -> None:
    shop.product(seller, variants=[{"sku": "TAKEN-1"}])
    before = shop.scalar("select count(*) from products")
    body = {"title": "T", "category": str(shop.category("/Home")), "price": 1.0}

    missing = shop.client.post("/api/v1/products", json={**body, "category": str(uuid4())}, headers=seller.headers)
    taken = shop.client.post(
        "/api/v1/products", json={**body, "variants": [{"sku": "TAKEN-1"}]}, headers=seller.headers
    )
    twice = shop.client.post(
        "/api/v1/products",
        json={**body, "variants": [{"sku": "D"}, {"sku": "d", "attributes": {"size": "L"}}]},
        headers=seller.headers,
    )

    problem(missing, 404, "category-not-found")
    problem(taken, 409, "sku-taken")
    problem(twice, 422, "validation-failed")
    assert shop.scalar("select count(*) from products") == before


def test_patch_changes_what_was_sent_and_variants_follow_the_price(shop: Shop, seller: Person) -> None:
    product = shop.product(
        seller,
        price=10.0,
        description="Old",
        brand="B",
        variants=[{"sku": "FOLLOWS"}, {"sku": "OWN", "price": 20.0, "attributes": {"size": "L"}}],
    )

    answer = shop.client.patch(
        f"/api/v1/products/{product['productId']}", json={"price": 11.0, "description": None}, headers=seller.headers
    )

    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["price"], changed["description"], changed["brand"], changed["title"]) == (
        11.0,
        None,
        "B",
        product["title"],
    )
    assert [(variant["sku"], variant["price"]) for variant in changed["variants"]] == [("FOLLOWS", 11.0), ("OWN", 20.0)]
    assert shop.scalar("select version from products where product_id = %s", (product["productId"],)) == 2


def test_put_resets_what_was_not_sent(shop: Shop, seller: Person) -> None:
    product = shop.product(
        seller, description="Old", brand="B", specifications={"a": "b"}, images=[base64_of(one_of(1))]
    )
    body = {"title": "New", "category": product["categoryId"], "price": 3.0}

    changed = shop.client.put(f"/api/v1/products/{product['productId']}", json=body, headers=seller.headers).json()

    assert (changed["title"], changed["description"], changed["brand"], changed["specifications"]) == (
        "New",
        None,
        None,
        {},
    )
    assert [image["imageId"] for image in changed["media"]] == [None]
    assert [variant["stock"] for variant in changed["variants"]] == [10]


@pytest.mark.parametrize("field", ["title", "price", "category"])
def test_patch_cannot_remove_what_a_product_needs(shop: Shop, seller: Person, field: str) -> None:
    product = shop.product(seller)

    answer = shop.client.patch(f"/api/v1/products/{product['productId']}", json={field: None}, headers=seller.headers)

    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == f"/{field}"


def test_a_lost_update_is_412_and_a_sale_in_between_is_not(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)
    url = f"/api/v1/products/{product['productId']}"
    seen = shop.client.get(url).headers["etag"]
    shop.stock(product["variants"][0]["variantId"], 3)

    first = shop.client.patch(url, json={"title": "First"}, headers={**seller.headers, "If-Match": seen})
    lost = shop.client.patch(url, json={"title": "Lost"}, headers={**seller.headers, "If-Match": seen})
    lost_delete = shop.client.delete(url, headers={**seller.headers, "If-Match": seen})
    garbage = shop.client.patch(url, json={"title": "Garbage"}, headers={**seller.headers, "If-Match": "xyz"})

    assert first.status_code == 200
    for answer in (lost, lost_delete, garbage):
        problem(answer, 412, "product-changed")
    assert shop.detail(product["productId"])["title"] == "First"


def test_another_sellers_product_cannot_be_touched(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, title="Mine")
    url = f"/api/v1/products/{product['productId']}"
    thief = shop.person("seller").headers

    for answer in (
        shop.client.patch(url, json={"title": "Stolen"}, headers=thief),
        shop.client.put(url, json={"title": "Stolen", "category": product["categoryId"], "price": 1.0}, headers=thief),
        shop.client.delete(url, headers=thief),
    ):
        problem(answer, 404, "product-not-found")
    assert shop.detail(product["productId"]) == product


def test_a_deleted_product_is_gone_for_everyone_but_its_row_stays(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, title="Short-lived")
    url = f"/api/v1/products/{product['productId']}"

    assert shop.client.delete(url, headers=seller.headers).status_code == 204

    problem(shop.client.get(url), 404, "product-not-found")
    problem(shop.client.get(url, headers=seller.headers), 404, "product-not-found")
    problem(shop.client.delete(url, headers=seller.headers), 404, "product-not-found")
    assert "Short-lived" not in shop.titles(limit=100, sort="newest")
    assert shop.sql.execute(
        "select status, deleted_at is not null from products where product_id = %s", (product["productId"],)
    ).fetchone() == ("inactive", True)


def test_a_draft_is_seen_by_its_seller_only(shop: Shop, seller: Person) -> None:
    body = {"title": "Draft", "category": str(shop.category("/Home")), "price": 1.0, "status": "draft"}
    url = shop.client.post("/api/v1/products", json=body, headers=seller.headers).headers["location"]

    assert shop.client.get(url, headers=seller.headers).json()["status"] == "draft"
    # The drawn picture says the title.
    problem(shop.client.get(f"{url}/image.svg"), 404, "product-not-found")
    assert "<title>Draft</title>" in shop.client.get(f"{url}/image.svg", headers=seller.headers).text
    problem(shop.client.get(url), 404, "product-not-found")
    problem(shop.client.get(url, headers=shop.person("seller").headers), 404, "product-not-found")
    assert "Draft" not in shop.titles(limit=100, sort="newest")


def test_a_seller_stocks_variants_and_every_change_is_journalled(shop: Shop, seller: Person) -> None:
    body = {
        "title": "Stocked",
        "category": str(shop.category("/Home")),
        "price": 1.0,
        "variants": [{"sku": "ST-1", "stock": 50}, {"sku": "ST-2", "attributes": {"size": "L"}}],
    }
    product = shop.client.post("/api/v1/products", json=body, headers=seller.headers).json()
    url = f"/api/v1/products/{product['productId']}"
    assert [(variant["sku"], variant["stock"]) for variant in product["variants"]] == [("ST-1", 50), ("ST-2", 0)]

    for change in (
        [{"sku": "ST-1", "stock": 60}],
        [{"sku": "ST-1", "stock": 7}, {"sku": "ST-2", "stock": 3}],
        [{"sku": "ST-1"}],
    ):
        answer = shop.client.patch(url, json={"variants": change}, headers=seller.headers)
        assert answer.status_code == 200, answer.text

    assert [(variant["sku"], variant["stock"]) for variant in shop.detail(product["productId"])["variants"]] == [
        ("ST-1", 7),
        ("ST-2", 3),
    ]
    journal = (
        "select t.quantity_change, t.transaction_type, t.previous_quantity, t.new_quantity from inventory_transactions"
        " t join product_variants v using (variant_id) where v.sku = %s order by transaction_no"
    )
    assert shop.sql.execute(journal, ("ST-1",)).fetchall() == [
        (50, "initial", 0, 50),
        (10, "adjustment", 50, 60),
        (-53, "adjustment", 60, 7),
    ]
    assert shop.sql.execute(journal, ("ST-2",)).fetchall() == [(3, "initial", 0, 3)]
    unequal = (
        "select count(*) from product_variants v where stock_quantity <> "
        "(select coalesce(sum(available), 0) from warehouse_stock s where s.variant_id = v.variant_id)"
    )
    assert shop.scalar(unequal) == 0


def test_taking_stock_down_empties_the_fullest_levels_first(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, stock=4)
    variant = product["variants"][0]
    other = uuid4()
    with shop.sql.transaction():
        shop.sql.execute(
            "insert into warehouses values (%s, %s, 'Other', 'Leeds', 'GB', 53.8, -1.5)", (other, uuid4().hex[:10])
        )
        shop.sql.execute(
            "insert into warehouse_stock (variant_id, warehouse_id, available) values (%s, %s, 9)",
            (variant["variantId"], other),
        )
        shop.sql.execute(
            "update product_variants set stock_quantity = 13 where variant_id = %s", (variant["variantId"],)
        )

    change = {"variants": [{"sku": variant["sku"], "stock": 2}]}
    assert (
        shop.client.patch(f"/api/v1/products/{product['productId']}", json=change, headers=seller.headers).status_code
        == 200
    )

    levels = shop.sql.execute(
        "select available from warehouse_stock where variant_id = %s order by 1", (variant["variantId"],)
    ).fetchall()
    assert levels == [(0,), (2,)]


def test_what_sellers_do_leaves_through_the_outbox(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)["productId"]
    shop.client.patch(f"/api/v1/products/{product}", json={"title": "Renamed"}, headers=seller.headers)
    shop.client.delete(f"/api/v1/products/{product}", headers=seller.headers)

    events = shop.sql.execute(
        "select sequence, event_type from outbox_events where aggregate_id = %s order by sequence", (product,)
    ).fetchall()
    assert events == [(1, "ProductCreated"), (2, "ProductChanged"), (3, "ProductWithdrawn")]
