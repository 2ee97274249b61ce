"""The catalogue over HTTP: browsing, one product, and what sellers may do to it."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.shop import Person, Shop, problem

CARD = {
    "productId",
    "title",
    "brand",
    "price",
    "currency",
    "rating",
    "reviewCount",
    "thumbnail",
    "primeEligible",
    "inStock",
}
DETAIL = {
    "productId", "title", "description", "brand", "category", "categoryId", "price", "listPrice", "currency",
    "discount", "variants",
    "images", "specifications", "seller", "shipping", "rating", "reviewCount", "primeEligible", "inStock", "status",
}  # fmt: skip
WARDROBE = (  # title, brand, price, rating, views, prime, stock, category
    ("Alpha", "Acme", 5.0, 4.5, 50, True, 3, "/Home/Garden/Chairs"),
    ("Beta", "Acme", 15.0, 3.5, 40, False, 0, "/Home/Garden/Chairs"),
    ("Gamma", "Bolt", 30.0, 2.0, 30, True, 9, "/Home/Garden/Tables"),
    ("Delta", "Bolt", 300.0, 4.0, 20, False, 1, "/Home/Garden"),
    ("Epsilon", "Core", 1200.0, 0.0, 10, False, 2, "/Home/Gardening"),
)


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


@pytest.fixture(scope="module")
def stocked(shop: Shop, seller: Person) -> dict[str, str]:
    """Five products of known price, rating and popularity; their ids by title."""
    ids = {}
    for title, brand, price, rating, views, prime, stock, category in WARDROBE:
        product = shop.product(
            seller, stock=stock, category=category, title=title, brand=brand, price=price, primeEligible=prime
        )
        ids[title] = product["productId"]
        shop.sql.execute(
            "update products set average_rating = %s, view_count = %s where product_id = %s",
            (rating, views, product["productId"]),
        )
    return ids


def _titles(shop: Shop, **query: Any) -> list[str]:
    answer = shop.client.get("/api/v1/products", params=query)
    assert answer.status_code == 200, answer.text
    return [product["title"] for product in answer.json()["products"]]


@pytest.mark.usefixtures("stocked")
def test_a_list_is_the_seeds_body(shop: Shop) -> None:
    body = shop.client.get("/api/v1/products", params={"category": "/Home/Garden"}).json()

    assert body.keys() == {"products", "pagination", "filters"}
    assert all(product.keys() == CARD for product in body["products"])
    assert body["pagination"] == {"page": 1, "limit": 20, "total": 4, "hasMore": False, "nextCursor": None}
    assert body["filters"] == {
        "brands": ["Acme", "Bolt"],
        "priceRanges": [
            {"range": "0-10", "count": 1}, {"range": "10-25", "count": 1}, {"range": "25-50", "count": 1},
            {"range": "250-500", "count": 1},
        ],
        "ratings": [{"rating": 4, "count": 2}, {"rating": 3, "count": 3}, {"rating": 2, "count": 4}, {"rating": 1,
        "count": 4}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"category": "Chairs"}, ["Alpha", "Beta"]),
        ({"category": "home/garden/chairs"}, ["Alpha", "Beta"]),
        ({"category": "Home > Garden"}, ["Alpha", "Beta", "Gamma", "Delta"]),
        ({"category": "garden"}, ["Alpha", "Beta", "Gamma", "Delta"]),
        ({"category": "Nowhere"}, []),
        ({"category": "%"}, []),
        ({"category": str(uuid4())}, []),
        ({"category": "/Home", "sort": "price_asc"}, ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"]),
        ({"category": "/Home", "sort": "price_desc"}, ["Epsilon", "Delta", "Gamma", "Beta", "Alpha"]),
        ({"category": "/Home", "sort": "rating"}, ["Alpha", "Delta", "Beta", "Gamma", "Epsilon"]),
        ({"category": "/Home", "sort": "newest"}, ["Epsilon", "Delta", "Gamma", "Beta", "Alpha"]),
        ({"category": "/Home", "sort": "popularity"}, ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"]),
        ({"category": "/Home", "brand": "Acme"}, ["Alpha", "Beta"]),
        ({"category": "/Home", "brand": ["Acme", "Core"]}, ["Alpha", "Beta", "Epsilon"]),
        ({"category": "/Home", "minPrice": 15, "maxPrice": 300}, ["Beta", "Gamma", "Delta"]),
        ({"category": "/Home", "minRating": 4}, ["Alpha", "Delta"]),
        ({"category": "/Home", "prime": True}, ["Alpha", "Gamma"]),
        ({"category": "/Home", "inStock": False}, ["Beta"]),
        ({"category": "/Home", "limit": 2, "page": 2}, ["Gamma", "Delta"]),
    ],
)
@pytest.mark.usefixtures("stocked")
def test_lists_filter_and_sort(shop: Shop, query: dict[str, Any], expected: list[str]) -> None:
    assert _titles(shop, **query) == expected


def test_a_categorys_name_is_no_pattern(shop: Shop, seller: Person) -> None:
    for title, path in (("Inside", "/Odd_Name/Inside"), ("Beside", "/OddXName/Inside"), ("Per cent", "/%/Inside")):
        shop.product(seller, title=title, category=path)

    assert _titles(shop, category="/Odd_Name") == ["Inside"]
    assert _titles(shop, category="/%") == ["Per cent"]


@pytest.mark.parametrize("sort", ["relevance", "popularity", "price_asc", "price_desc", "rating", "newest"])
@pytest.mark.usefixtures("stocked")
def test_the_cursor_walks_every_sort_without_skipping_or_repeating(shop: Shop, sort: str) -> None:
    everything = _titles(shop, category="/Home", sort=sort)
    walked: list[str] = []
    cursor = None
    for _ in range(5):
        body = shop.client.get(
            "/api/v1/products",
            params={"category": "/Home", "sort": sort, "limit": 1, **({"cursor": cursor} if cursor else {})},
        ).json()
        walked += [product["title"] for product in body["products"]]
        cursor = body["pagination"]["nextCursor"]

    assert walked == everything
    assert len(walked) == 5
    assert cursor is None


@pytest.mark.usefixtures("stocked")
def test_a_cursor_of_another_sort_or_altered_is_refused(shop: Shop) -> None:
    cursor = shop.client.get("/api/v1/products", params={"limit": 1, "sort": "newest"}).json()["pagination"][
        "nextCursor"
    ]

    for params in (
        {"cursor": cursor, "sort": "rating"},
        {"cursor": "A" + cursor[1:], "sort": "newest"},
        {"cursor": "x", "sort": "newest"},
    ):
        problem(shop.client.get("/api/v1/products", params=params), 422, "validation-failed")


def test_a_product_is_the_seeds_body(shop: Shop, seller: Person) -> None:
    product = shop.product(
        seller,
        stock=50,
        title="iPhone 15 Pro",
        description="Titanium",
        brand="Apple",
        price=999.99,
        listPrice=1099.99,
        primeEligible=True,
        specifications={"screen": "6.1 inch", "sims": 2},
        images=["https://cdn.example.com/1.jpg", "https://cdn.example.com/2.jpg"],
        variants=[
            {"sku": "IPHONE15-PRO-256-TI", "attributes": {"color": "Natural Titanium", "storage": "256GB"}},
            {
                "sku": "IPHONE15-PRO-512-TI",
                "attributes": {"color": "Natural Titanium", "storage": "512GB"},
                "price": 1199.99,
            },
        ],
    )

    assert product.keys() == DETAIL
    assert product["category"] == "Electronics > Phones"
    assert (product["price"], product["listPrice"], product["discount"], product["currency"]) == (
        999.99,
        1099.99,
        9,
        "USD",
    )
    assert [(v["sku"], v["price"], v["stock"], v["attributes"]["storage"]) for v in product["variants"]] == [
        ("IPHONE15-PRO-256-TI", 999.99, 50, "256GB"),
        ("IPHONE15-PRO-512-TI", 1199.99, 50, "512GB"),
    ]
    assert product["variants"][0].keys() == {"variantId", "attributes", "price", "sku", "stock"}
    assert product["images"] == ["https://cdn.example.com/1.jpg", "https://cdn.example.com/2.jpg"]
    assert product["specifications"] == {"screen": "6.1 inch", "sims": 2}
    assert product["seller"] == {"sellerId": seller.user_id, "name": "Some Seller", "rating": 0.0}
    assert product["shipping"] == {"primeDelivery": "Tomorrow", "standardDelivery": "3-5 days", "freeShipping": True}
    assert (product["rating"], product["reviewCount"], product["primeEligible"], product["inStock"]) == (
        0.0,
        0,
        True,
        True,
    )
    variants = shop.client.get(f"/api/v1/products/{product['productId']}/variants").json()
    assert variants == {"productId": product["productId"], "currency": "USD", "variants": product["variants"]}


@pytest.mark.parametrize("product_id", [str(uuid4()), "abc", "1", "%20", "0" * 90])
@pytest.mark.parametrize("suffix", ["", "/variants", "/image.svg"])
def test_an_unknown_or_malformed_id_is_not_found(shop: Shop, product_id: str, suffix: str) -> None:
    problem(shop.client.get(f"/api/v1/products/{product_id}{suffix}"), 404, "product-not-found")


def test_an_unchanged_product_is_304_and_a_sale_changes_the_tag(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, stock=5)
    url = f"/api/v1/products/{product['productId']}"
    etag = shop.client.get(url).headers["etag"]

    same = shop.client.get(url, headers={"If-None-Match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert shop.client.get(url, headers={"If-None-Match": f'"other", W/{etag}'}).status_code == 304

    shop.stock(product["variants"][0]["variantId"], 4)

    changed = shop.client.get(url, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.json()["variants"][0]["stock"] == 4


def test_products_without_a_photograph_get_the_same_artwork_every_time(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, title='Tom & "Jerry" <script>')

    first, second = (shop.client.get(product["images"][0]) for _ in range(2))

    assert first.headers["content-type"].startswith("image/svg+xml")
    assert first.content == second.content
    assert "<script>" not in first.text
    assert "Generated artwork" in first.text


def test_the_category_tree_nests_what_lies_below(shop: Shop) -> None:
    shop.category("/Books/Fiction/Crime")

    tree = shop.client.get("/api/v1/categories").json()["categories"]

    books = next(node for node in tree if node["path"] == "/Books")
    assert [child["path"] for child in books["children"]] == ["/Books/Fiction"]
    assert [child["name"] for child in books["children"][0]["children"]] == ["Crime"]
    assert books.keys() == {"categoryId", "name", "path", "level", "children"}


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
        ({"listPrice": 0.5}, "/"),
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
        "/api/v1/products", json={**body, "variants": [{"sku": "D"}, {"sku": "D"}]}, headers=seller.headers
    )

    problem(missing, 404, "category-not-found")
    problem(taken, 409, "sku-taken")
    problem(twice, 422, "validation-failed")
    assert shop.scalar("select count(*) from products") == before


def test_patch_changes_what_was_sent_and_variants_follow_the_price(shop: Shop, seller: Person) -> None:
    product = shop.product(
        seller, price=10.0, description="Old", brand="B", variants=[{"sku": "FOLLOWS"}, {"sku": "OWN", "price": 20.0}]
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
        seller, description="Old", brand="B", specifications={"a": "b"}, images=["https://cdn.example.com/1.jpg"]
    )
    body = {"title": "New", "category": product["categoryId"], "price": 3.0}

    changed = shop.client.put(f"/api/v1/products/{product['productId']}", json=body, headers=seller.headers).json()

    assert (changed["title"], changed["description"], changed["brand"], changed["specifications"]) == (
        "New",
        None,
        None,
        {},
    )
    assert changed["images"] == [f"/api/v1/products/{product['productId']}/image.svg"]
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
    assert "Short-lived" not in _titles(shop, limit=100, sort="newest")
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
    assert "Draft" not in _titles(shop, limit=100, sort="newest")


def test_a_seller_stocks_variants_and_every_change_is_journalled(shop: Shop, seller: Person) -> None:
    body = {
        "title": "Stocked",
        "category": str(shop.category("/Home")),
        "price": 1.0,
        "variants": [{"sku": "ST-1", "stock": 50}, {"sku": "ST-2"}],
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


def test_taking_stock_down_empties_the_fullest_shelves_first(shop: Shop, seller: Person) -> None:
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

    shelves = shop.sql.execute(
        "select available from warehouse_stock where variant_id = %s order by 1", (variant["variantId"],)
    ).fetchall()
    assert shelves == [(0,), (2,)]


def test_what_sellers_do_leaves_through_the_outbox(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)["productId"]
    shop.client.patch(f"/api/v1/products/{product}", json={"title": "Renamed"}, headers=seller.headers)
    shop.client.delete(f"/api/v1/products/{product}", headers=seller.headers)

    events = shop.sql.execute(
        "select sequence, event_type from outbox_events where aggregate_id = %s order by sequence", (product,)
    ).fetchall()
    assert events == [(1, "ProductCreated"), (2, "ProductChanged"), (3, "ProductWithdrawn")]
