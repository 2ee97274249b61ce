"""The files of docs/catalog-files.md are taken as the page says, and an export sent back changes nothing."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.api import ROOT, Server
from tests.harness.bulk import Files, csv_of, reading_context
from tests.harness.invariants import assert_invariants
from tests.harness.shop import Shop

PAGE = Path(ROOT) / "docs" / "catalog-files.md"
FILES = re.findall(r"^```(csv|json)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
AWKWARD: list[dict[str, Any]] = [  # Any: values of several fields
    {"title": "=1+1", "description": "a\r\nb, \"c\"; 'd'", "brand": "-5", "specifications": {"=x": "=y", "n": "7"}},
    {"title": "'quoted", "specifications": {"n": 7, "list": ["a,b", "=c"], "no": False, "blank": ""}},
    {
        "title": "Ä 漢 \u200e",
        "listPrice": 99,
        "weightGrams": 5,
        "primeEligible": True,
        "restrictions": {"minAge": 18, "deniedCountries": ["FR"]},
        "condition": "used_good",
        "language": "fr",
        "translations": {"de": {"title": "=Lampe", "description": "a, b", "labels": {"=x": "'=y"}}},
    },
]


@pytest.fixture
async def files(shop: Shop, api_server: Server, database_url: str, redis_url: str) -> AsyncIterator[Files]:
    for path in ("/Clothing/Shirts", "/Home/Kitchen"):
        shop.category(path)
    async with reading_context(database_url, redis_url, api_server.log.parent) as context:
        yield Files(shop, shop.person("seller"), context)
    assert_invariants(database_url)


async def test_the_files_of_the_page_say_what_it_says(files: Files) -> None:
    assert [kind for kind, _ in FILES] == ["csv", "csv", "json"]
    (_, first), (_, stock), (_, lines) = FILES

    results = [
        await files.read(first.encode()),
        await files.read(stock.encode()),
        await files.read(lines.encode(), "jsonl"),
    ]

    assert [(job["created"], job["updated"], job["failed"]) for job in results] == [(3, 0, 0), (0, 2, 0), (2, 0, 0)]
    lamp, shirt, mug = files.products()
    assert [(v["sku"], v["price"], v["stock"], v["attributes"]) for v in shirt["variants"]] == [
        ("SH-S", 39.9, 10, {"size": "S"}),
        ("SH-M", 39.9, 7, {"size": "M"}),
    ]
    assert (mug["specifications"], mug["variants"][0]["stock"]) == ({"material": "stoneware"}, 35)
    assert [(v["price"], v["stock"]) for v in lamp["variants"]] == [(25.0, 3), (27.5, 0)]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_an_export_sent_back_changes_nothing(files: Files, form: str) -> None:
    for number, body in enumerate(AWKWARD):
        variants = [
            {"sku": f"{form}-{number}-{n}", "attributes": {"size": size, "+a": "@b"}}
            for n, size in enumerate(["S", "M"])
        ]
        files.shop.product(files.seller, variants=variants, stock=4, **body)
    client, headers = files.shop.client, files.seller.headers
    export = client.get("/api/v1/products/export", params={"format": form}, headers=headers)
    before = files.products()

    job = await files.read(export.content, form)

    assert (job["state"], job["unchanged"], job["rows"]) == ("done", 6, 6)
    assert files.products() == before
    assert client.get("/api/v1/products/export", params={"format": form}, headers=headers).content == export.content
    empty = client.get("/api/v1/products/export", headers=files.shop.person("seller").headers)
    assert empty.text.startswith("product,title,")


async def test_what_is_new_in_an_export_joins_its_product(files: Files) -> None:
    await files.read(csv_of([{"sku": "J-1", "title": "J", "category": "/Home/Kitchen", "price": "5"}]))
    (product,) = files.products()
    rows = [{"product": product["productId"], "sku": "J-2", "attributes.size": "L"}]

    assert (await files.read(csv_of(rows)))["created"] == 1
    assert [variant["sku"] for variant in files.products()[0]["variants"]] == ["J-1", "J-2"]
    stranger = Files(files.shop, files.shop.person("seller"), files.context)
    job = await stranger.read(csv_of([{**rows[0], "sku": "J-3"}]))
    assert stranger.failures(job) == [(2, "product", "you sell no product with this id")]
