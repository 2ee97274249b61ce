"""Product feeds and the site map: every variant on sale and nothing else, in the words of the common shopping feeds."""

import csv
import gzip
import io
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from api.kernel.context import Context
from api.syndication import sitemap
from api.syndication.items import FIELDS
from api.syndication.making import folder_of, make, make_when_due
from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person, Shop, problem

G = "{http://base.google.com/ns/1.0}"
XHTML = "{http://www.w3.org/1999/xhtml}"
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def items_of(shop: Shop) -> list[dict[str, str]]:
    """The items of the CSV feed, which are those of the XML feed."""
    table = shop.client.get("/feeds/products.csv")
    assert table.status_code == 200, table.text
    rows = [*csv.DictReader(io.StringIO(table.text, newline=""))]
    document = ET.fromstring(shop.client.get("/feeds/products.xml").content)  # noqa: S314 - our own
    items = document.findall("./channel/item")
    assert [item.findtext(f"{G}id") for item in items] == [row["id"] for row in rows]
    for item, row in zip(items, rows, strict=True):
        assert {part.tag.removeprefix(G) for part in item} == {name for name in FIELDS if row[name]}
        assert item.findtext(f"{G}shipping/{G}price") == row["shipping"].rpartition(":")[2]
    return rows


async def test_feeds_are_made_by_the_worker_and_not_before(shop: Shop) -> None:
    for path in (
        *(f"/feeds/products.{form}" for form in ("xml", "csv", "jsonl")),
        "/feeds/metadata.json",
        "/sitemap.xml",
    ):
        problem(shop.client.get(path), 404, "feed-not-made")
    for part in ("sitemap-1.xml.gz", "sitemap-0.xml.gz", "..%2Fmade.json"):
        assert shop.client.get(f"/sitemaps/{part}").status_code == 404


async def test_each_variant_on_sale_is_an_item(shop: Shop, seller: Person, context: Context) -> None:
    variants: list[dict[str, Any]] = [
        {"sku": "F-1", "gtin": "4006381333931", "attributes": {"Color": "red"}},
        {"sku": "F-2", "attributes": {"Color": "blue"}, "price": 12.0},
    ]
    product = shop.product(
        seller, title='<Lamp> & "more"', brand="Acme", listPrice=15, price=9.5, variants=variants,
        images=[base64_of(one_of(1)), base64_of(one_of(2))], weightGrams=500, condition="used_like_new",
    )  # fmt: skip
    shop.product(seller, title="=Draft", stock=0)
    hidden = shop.product(seller, title="Withdrawn")
    shop.client.delete(f"/api/v1/products/{hidden['productId']}", headers=seller.headers)
    shop.stock(product["variants"][1]["variantId"], 0)

    assert await make(context) == 2
    first, second, draft = items_of(shop)

    assert first["title"] == '<Lamp> & "more" (red)'
    assert (first["price"], first["sale_price"]) == ("15.00 USD", "9.50 USD")
    assert (second["price"], second["sale_price"]) == ("15.00 USD", "12.00 USD")
    assert [row["availability"] for row in (first, second, draft)] == ["in_stock", "out_of_stock", "out_of_stock"]
    assert first["item_group_id"] == second["item_group_id"] == product["productId"]
    assert first["link"].endswith(f"/api/v1/products/{product['productId']}")
    shop_address = first["link"].removesuffix(f"/api/v1/products/{product['productId']}")
    pictures = [f"{shop_address}{image}" for image in product["images"]]
    assert [first["image_link"], first["additional_image_link"]] == pictures
    assert (first["brand"], first["mpn"], first["condition"], first["color"]) == ("Acme", "F-1", "used", "red")
    assert [(row["gtin"], row["condition"]) for row in (second, draft)] == [("", "used"), ("", "new")]
    assert first["gtin"] == "04006381333931"
    assert (first["product_type"], first["shipping_weight"]) == ("Electronics > Phones", "500 g")
    assert first["shipping"].startswith("US::Standard:")
    assert draft["title"] == "'=Draft"
    assert draft["image_link"].startswith("http")


async def test_a_reader_that_has_the_newest_gets_nothing_again(shop: Shop, seller: Person, context: Context) -> None:
    await make(context)
    first = shop.client.get("/feeds/products.xml")
    same = shop.client.get("/feeds/products.xml", headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert await make_when_due(context) == 0

    shop.product(seller, title="Another")
    await make(context)

    assert shop.client.get("/feeds/products.xml", headers={"If-None-Match": first.headers["etag"]}).status_code == 200
    await make(context)
    assert (
        len([*folder_of(context.settings).iterdir()]) == 7
    )  # three feeds and what is said of the last, the site map and its part, what is the newest


async def test_the_site_map_has_every_product_in_parts(
    shop: Shop, seller: Person, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap, "MAX_URLS", 2)
    made = [shop.product(seller, title=f"Mapped {number}") for number in range(3)]

    products = await make(context)

    index = ET.fromstring(shop.client.get("/sitemap.xml").content)  # noqa: S314 - our own
    parts = [str(one.text) for one in index.iter(f"{MAP}loc")]
    assert len(parts) == -(-products // 2)
    listed: list[str] = []
    for address in parts:
        answer = shop.client.get(address.removeprefix(str(context.settings.api_url)))
        part = ET.fromstring(gzip.decompress(answer.content))  # noqa: S314 - our own
        listed += [str(one.text) for one in part.iter(f"{MAP}loc")]
    assert len(listed) == len({*listed}) == products
    assert {f"{context.settings.api_url}/api/v1/products/{product['productId']}" for product in made} <= {*listed}


async def test_the_site_map_names_the_pages_of_a_product_in_each_language(
    shop: Shop, seller: Person, context: Context
) -> None:
    translations = {"de": {"title": "Lampe & mehr"}, "fr": {"description": "Sans titre"}}
    product = shop.product(seller, title="Told in two languages", translations=translations)
    await make(context)

    page = f"{context.settings.api_url}/api/v1/products/{product['productId']}"
    part = ET.fromstring(gzip.decompress(shop.client.get("/sitemaps/sitemap-1.xml.gz").content))  # noqa: S314 - our own
    found = {
        str(url.findtext(f"{MAP}loc")): [(link.get("hreflang"), link.get("href")) for link in url.iter(f"{XHTML}link")]
        for url in part.iter(f"{MAP}url")
        if page in str(url.findtext(f"{MAP}loc"))
    }
    named = [("de", f"{page}?language=de"), ("en", f"{page}?language=en"), ("x-default", page)]
    assert found == dict.fromkeys((page, f"{page}?language=de", f"{page}?language=en"), named)
    titles = [
        shop.client.get(address, params={"language": language}).json()["title"] for language, address in named[:2]
    ]
    assert titles == ["Lampe & mehr", "Told in two languages"]
