"""The catalog over HTTP as a visitor reads it: lists, one product, its artwork, the category tree."""

import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from PIL import Image

from api.delivery.promises import in_words
from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person, Shop, problem

CARD = {
    "productId",
    "title",
    "titleLanguage",
    "brand",
    "price",
    "currency",
    "rating",
    "reviewCount",
    "thumbnail",
    "primeEligible",
    "inStock",
    "condition",
}
DETAIL = {
    "productId", "title", "description", "brand", "category", "categoryId", "breadcrumbs", "price", "listPrice",
    "currency", "discount", "variants", "options", "combinations", "condition",
    "images", "media", "specifications", "seller", "safety", "shipping", "rating", "reviewCount", "primeEligible",
    "inStock", "status", "statusReason", "tax", "taxClass", "weightGrams", "basePrice",
    "baseListPrice", "restrictions", "lowestPrice30d", "kind", "otherOffers",
    "language", "fallbacks", "labels", "translations",
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
        counted = "update product_counters set view_count = %s where product_id = %s"
        shop.sql.execute(counted, (views, product["productId"]))
        rated = "update products set average_rating = %s where product_id = %s"
        shop.sql.execute(rated, (rating, product["productId"]))
    return ids


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
    assert shop.titles(**query) == expected


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("category", ["Nowhere", "%", "01890000-0000-7000-8000-000000000000"])
def test_a_list_of_no_category_is_not_there(shop: Shop, category: str) -> None:
    problem(shop.client.get("/api/v1/products", params={"category": category}), 404, "category-not-found")


def test_a_categorys_name_is_no_pattern(shop: Shop, seller: Person) -> None:
    for title, path in (("Inside", "/Odd_Name/Inside"), ("Next door", "/OddXName/Inside"), ("Per cent", "/%/Inside")):
        shop.product(seller, title=title, category=path)

    assert shop.titles(category="/Odd_Name") == ["Inside"]
    assert shop.titles(category="/%") == ["Per cent"]


@pytest.mark.parametrize("sort", ["relevance", "popularity", "price_asc", "price_desc", "rating", "newest"])
@pytest.mark.usefixtures("stocked")
def test_the_cursor_walks_every_sort_without_skipping_or_repeating(shop: Shop, sort: str) -> None:
    everything = shop.titles(category="/Home", sort=sort)
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
        {"cursor": ("B" if cursor[0] == "A" else "A") + cursor[1:], "sort": "newest"},
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
        images=[base64_of(one_of(1)), base64_of(one_of(2))],
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
    listed = {"variantId", "attributes", "price", "ownPrice", "lowestPrice30d", "sku", "gtin", "stock", "backordered"}
    assert product["variants"][0].keys() == {*listed, "standardFrom", "standardTo", "components"}
    assert product["images"] == [image["url1200"] for image in product["media"]]
    assert len(set(product["images"])) == 2
    assert product["specifications"] == {"screen": "6.1 inch", "sims": 2}
    assert product["seller"] == {"sellerId": seller.user_id, "name": "Some Seller", "rating": 0.0}
    shipping = product["shipping"]
    assert (shipping["freeShipping"], shipping["fee"], shipping["primeSpeed"]) == (True, 0.0, "prime_2day")
    days = {name: date.fromisoformat(shipping[name]) for name in ("standardFrom", "standardTo", "primeFrom", "primeTo")}
    assert shipping["standardDelivery"] == in_words(days["standardFrom"], days["standardTo"])
    assert shipping["primeDelivery"] == in_words(days["primeFrom"], days["primeTo"])
    assert datetime.now(UTC).date() < days["primeTo"] < days["standardTo"]
    assert product["tax"] == {"taxClass": "standard", "rate": 0.08, "amount": 80.0, "included": False}
    assert (product["rating"], product["reviewCount"], product["primeEligible"], product["inStock"]) == (
        0.0,
        0,
        True,
        True,
    )
    variants = shop.client.get(f"/api/v1/products/{product['productId']}/variants").json()
    shown = [{name: one[name] for name in listed} for one in product["variants"]]
    assert variants == {"productId": product["productId"], "currency": "USD", "variants": shown}


def test_a_product_costs_what_its_variants_cost_on_every_page(shop: Shop, seller: Person) -> None:
    """The product's own price is ten times its only variant's that can be had; a cheaper one is sold out."""
    variants = [{"attributes": {"color": "red"}, "price": 10.0}, {"attributes": {"color": "blue"}, "price": 5.0}]
    product = shop.product(
        seller, title="Paint", category="/Paints", price=100.0, listPrice=120.0, variants=variants, primeEligible=True
    )
    red, blue = product["variants"]
    shop.stock(blue["variantId"], 0)

    page = shop.client.get(f"/api/v1/products/{product['productId']}", headers=seller.headers).json()
    assert (page["price"], page["listPrice"], page["discount"]) == (10.0, 30.0, 66)
    assert (page["basePrice"], page["baseListPrice"]) == (100.0, 120.0)
    assert (page["shipping"]["freeShipping"], page["shipping"]["fee"], page["tax"]["amount"]) == (False, 4.99, 0.8)

    item = {"productId": product["productId"], "variantId": red["variantId"], "quantity": 1}
    cart = shop.client.post("/api/v1/cart/items", json=item, headers=shop.person().headers).json()
    assert (cart["items"][0]["price"], cart["shipping"], cart["savings"]) == (10.0, 4.99, 20.0)

    listed = shop.client.get("/api/v1/products", params={"category": "/Paints", "maxPrice": 20}).json()
    assert [(card["title"], card["price"]) for card in listed["products"]] == [("Paint", 10.0)]
    assert listed["filters"]["priceRanges"] == [{"range": "0-10", "count": 1}, {"range": "10-25", "count": 1}]
    assert shop.titles(category="/Paints", minPrice=50) == []
    assert shop.titles(category="/Paints", maxPrice=9) == []
    shop.stock(red["variantId"], 0)
    assert shop.titles(category="/Paints", maxPrice=9) == ["Paint"]


@pytest.mark.parametrize("product_id", ["01890000-0000-7000-8000-000000000000", "abc", "1", "%20", "0" * 90])
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

    first, second = (shop.client.get(f"/api/v1/products/{product['productId']}/image.svg") for _ in range(2))

    assert first.headers["content-type"].startswith("image/svg+xml")
    assert first.content == second.content
    assert "<script>" not in first.text
    assert "Drawn by the shop" in first.text


def test_a_drawn_picture_has_sizes_that_stay_and_leads_to_the_picture_of_now(shop: Shop, seller: Person) -> None:
    product = shop.product(seller, title="Blue Lamp")
    url = f"/api/v1/products/{product['productId']}"
    listed = shop.client.get(f"{url}/images").json()["images"]

    [image] = product["media"]
    assert (listed, product["images"]) == ([image], [image["url1200"]])
    assert (image["imageId"], image["alt"], image["width"], image["height"]) == (None, "Blue Lamp", 1200, 1200)
    assert image["blur"].startswith("data:image/svg+xml,")
    for size in (160, 480, 1200):
        first, second = (shop.client.get(image[f"url{size}"]) for _ in range(2))
        assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (first.headers["content-type"], first.content) == ("image/webp", second.content)
        with Image.open(io.BytesIO(first.content)) as picture:
            assert (picture.format, picture.size) == ("WEBP", (size, size))
        known = {"If-None-Match": first.headers["etag"]}
        assert shop.client.get(image[f"url{size}"], headers=known).status_code == 304
    problem(shop.client.get(image["url480"].replace("480", "481")), 404, "picture-not-found")

    changed = shop.client.patch(url, json={"title": "Red Kettle"}, headers=seller.headers).json()
    moved = shop.client.get(image["url480"], follow_redirects=False)
    assert changed["media"][0]["url480"] != image["url480"]
    assert (moved.status_code, moved.headers["location"]) == (302, changed["media"][0]["url480"])


def test_the_drawn_picture_of_a_draft_is_its_sellers_alone(shop: Shop, seller: Person) -> None:
    body = {"title": "Secret Lamp", "category": str(shop.category("/Home")), "price": 1.0, "status": "draft"}
    url = shop.client.post("/api/v1/products", json=body, headers=seller.headers).headers["location"]

    [image] = shop.client.get(url, headers=seller.headers).json()["media"]
    problem(shop.client.get(image["url160"]), 404, "product-not-found")
    assert shop.client.get(image["url160"], headers=seller.headers).status_code == 200


def test_the_category_tree_nests_what_lies_below(shop: Shop) -> None:
    shop.category("/Books/Fiction/Crime")

    tree = shop.client.get("/api/v1/categories").json()["categories"]

    books = next(node for node in tree if node["path"] == "/Books")
    assert [child["path"] for child in books["children"]] == ["/Books/Fiction"]
    assert [child["name"] for child in books["children"][0]["children"]] == ["Crime"]
    assert books.keys() == {"categoryId", "name", "nameLanguage", "path", "level", "children"}
