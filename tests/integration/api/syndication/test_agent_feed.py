"""The product feed for agents: every variant on sale and nothing else, in the forms of their protocol."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from api.kernel.context import Context
from api.syndication.making import make
from tests.harness.agents.feed import FeedMetadata, FeedProduct
from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person, Shop


def feed_of(shop: Shop) -> dict[str, dict[str, Any]]:
    """The products of the feed by id; each line is what the specification says."""
    answer = shop.client.get("/feeds/products.jsonl")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jsonl")
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    for line in lines:
        FeedProduct.model_validate(line)
    assert len({line["id"] for line in lines}) == len(lines)
    return {line["id"]: line for line in lines}


def metadata_of(shop: Shop) -> dict[str, Any]:
    said: dict[str, Any] = shop.client.get("/feeds/metadata.json").json()
    FeedMetadata.model_validate(said)
    return said


async def test_each_variant_on_sale_is_a_variant_of_its_product(shop: Shop, seller: Person, context: Context) -> None:
    variants = [
        {"sku": "A-1", "attributes": {"Color": "red", "Size": "S"}},
        {"sku": "A-2", "attributes": {"Color": "blue", "Size": "S"}, "price": 12.99, "gtin": "4006381333931"},
        {"sku": "A-3", "attributes": {"Color": "green", "Size": "S"}},
    ]
    product = shop.product(
        seller, title="Tee", description="Of cotton.", price=9.5, listPrice=12, condition="used_good",
        variants=variants, images=[base64_of(one_of(1)), base64_of(one_of(2))],
    )  # fmt: skip
    red, blue, green = (one["variantId"] for one in product["variants"])
    shop.stock(blue, 0)
    put = shop.client.put(
        f"/api/v1/products/{product['productId']}",
        json={
            "title": "Tee", "description": "Of cotton.", "category": str(shop.category("/Electronics/Phones")),
            "price": 9.5, "listPrice": 12, "condition": "used_good", "images": product["images"],
            "variants": variants[:2],
        },
        headers=seller.headers,
    )  # fmt: skip
    assert put.status_code == 200, put.text
    plain = shop.product(seller, title="Bare")
    hidden = shop.product(seller, title="Withdrawn")
    shop.client.delete(f"/api/v1/products/{hidden['productId']}", headers=seller.headers)

    assert await make(context) == 2
    feed = feed_of(shop)

    address = context.settings.api_url
    assert {*feed} == {product["productId"], plain["productId"]}
    tee = feed[product["productId"]]
    assert (tee["title"], tee["description"]) == ("Tee", {"plain": "Of cotton."})
    assert tee["url"] == f"{address}/api/v1/products/{product['productId']}"
    assert tee["media"] == [{"type": "image", "url": f"{address}{url}"} for url in product["images"]]
    assert tee["variants"] == [
        {
            "id": red,
            "title": "Tee - S / red",
            "url": tee["url"],
            "price": {"amount": 950, "currency": "USD"},
            "list_price": {"amount": 1200, "currency": "USD"},
            "availability": {"available": True, "status": "in_stock"},
            "categories": [{"value": "Electronics > Phones", "taxonomy": "merchant"}],
            "condition": ["used_good"],
            "variant_options": [{"name": "Size", "value": "S"}, {"name": "Color", "value": "red"}],
            "seller": {"name": "Some Seller"},
            "marketplace": {"name": "Souk"},
        },
        {
            "id": blue,
            "title": "Tee - S / blue",
            "url": tee["url"],
            "price": {"amount": 1299, "currency": "USD"},
            "availability": {"available": False, "status": "out_of_stock"},
            "categories": [{"value": "Electronics > Phones", "taxonomy": "merchant"}],
            "condition": ["used_good"],
            "barcodes": [{"type": "GTIN", "value": "04006381333931"}],
            "variant_options": [{"name": "Size", "value": "S"}, {"name": "Color", "value": "blue"}],
            "seller": {"name": "Some Seller"},
            "marketplace": {"name": "Souk"},
        },
    ]
    assert green not in {one["id"] for each in feed.values() for one in each["variants"]}
    (bare,) = feed[plain["productId"]]["variants"]
    assert (bare["title"], "variant_options" in bare, "list_price" in bare) == ("Bare", False, False)
    assert "description" not in feed[plain["productId"]]


async def test_a_variant_that_may_be_owed_can_be_bought(shop: Shop, seller: Person, context: Context) -> None:
    product = shop.product(seller, title="On its way", stock=0)
    variant = product["variants"][0]["variantId"]
    shop.sql.execute("update warehouse_stock set backorder_limit = 3 where variant_id = %s", (variant,))

    await make(context)

    (found,) = feed_of(shop)[product["productId"]]["variants"]
    assert found["availability"] == {"available": True, "status": "backorder"}


async def test_the_metadata_change_with_the_products_alone(shop: Shop, seller: Person, context: Context) -> None:
    await make(context)
    first = metadata_of(shop)
    assert (first["id"], first["target_country"]) == ("souk", "US")
    tag = shop.client.get("/feeds/metadata.json").headers["etag"]
    await make(context)
    same = shop.client.get("/feeds/metadata.json", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")

    shop.product(seller, title="Newer")
    await make(context)

    assert shop.client.get("/feeds/metadata.json", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    "line",
    [
        {"id": "p"},
        {"id": "p", "variants": [{"id": "v"}]},
        {"id": "p", "variants": [{"id": "v", "title": "T", "price": {"amount": 9.5, "currency": "USD"}}]},
        {"id": "p", "variants": [{"id": "v", "title": "T", "price": {"amount": 950, "currency": "usd"}}]},
        {"id": "p", "variants": [{"id": "v", "title": "T", "sku": "S"}]},
        {"id": "p", "variants": [], "url": "/products/p"},
        {"id": "p", "variants": [], "description": {}},
    ],
    ids=["no_variants", "no_title", "fraction", "small_currency", "unknown_field", "relative", "empty_description"],
)
def test_the_rules_refuse(line: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FeedProduct.model_validate(line)
