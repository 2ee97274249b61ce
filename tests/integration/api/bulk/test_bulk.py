"""Files of products: what becomes of each row, what a bad file is told, and that nothing is half done."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.harness.api import Server
from tests.harness.bulk import PATH, Files, csv_of, jsonl_of, reading_context
from tests.harness.invariants import assert_invariants
from tests.harness.shop import Person, Shop, problem

CATEGORY = "/Home/Lamps"


@pytest.fixture
async def files(shop: Shop, api_server: Server, database_url: str, redis_url: str) -> AsyncIterator[Files]:
    """A seller of their own; every invariant holds at the end."""
    shop.category(CATEGORY)
    home = api_server.log.parent
    async with reading_context(database_url, redis_url, home) as context:
        yield Files(shop, shop.person("seller"), context)
    assert_invariants(database_url)


def lamp(number: int, **more: Any) -> dict[str, Any]:
    return {"sku": f"L-{number}", "title": f"Lamp {number}", "category": CATEGORY, "price": "12.50", **more}


def counts(job: dict[str, Any]) -> tuple[str, int, int, int, int]:
    assert job["rows"] == job["created"] + job["updated"] + job["unchanged"] + job["failed"]
    return job["state"], job["created"], job["updated"], job["unchanged"], job["failed"]


async def test_a_row_is_a_variant_and_the_same_file_again_changes_nothing(files: Files) -> None:
    rows = [
        lamp(1, product="A", **{"attributes.color": "red", "specifications.watt": 7, "stock": 3, "variantPrice": ""}),
        {"sku": "L-2", "product": "A", "attributes.color": "blue", "stock": 4, "variantPrice": "13.00"},
        lamp(
            3, product="B", images="https://a.example/1.jpg https://a.example/2.jpg", description="=cmd|' /C calc'!A0"
        ),
    ]

    first, again = await files.read(csv_of(rows)), await files.read(csv_of(rows))

    assert counts(first) == ("done", 3, 0, 0, 0)
    assert counts(again) == ("done", 0, 0, 3, 0)
    assert first["progress"] == 1
    assert first["rowsPerSecond"] > 0
    one, two = files.products()
    assert [(v["sku"], v["attributes"], v["price"], v["stock"]) for v in one["variants"]] == [
        ("L-1", {"color": "red"}, 12.5, 3),
        ("L-2", {"color": "blue"}, 13.0, 4),
    ]
    assert one["specifications"] == {"watt": 7}
    assert (two["description"], first["imagesPending"], again["imagesPending"]) == ("=cmd|' /C calc'!A0", 2, 0)


async def test_kits_are_made_of_what_the_rows_before_them_made(files: Files) -> None:
    made_of = [{"sku": "L-1", "units": 1}, {"sku": "L-2", "units": 2}]
    rows = [
        lamp(1, stock=5),
        lamp(2, stock=4),
        lamp(3, kind="kit", components=json.dumps(made_of)),
        lamp(4, kind="kit", components=json.dumps([*made_of, {"sku": "NOT-THERE", "units": 1}])),
        lamp(5, kind="kit", components=json.dumps(made_of), stock=3),
        lamp(6, kind="kit"),
    ]

    first, again = await files.read(csv_of(rows)), await files.read(csv_of(rows))

    assert (counts(first), counts(again)) == (("done", 3, 0, 0, 3), ("done", 0, 0, 3, 3))
    assert files.failures(first) == [
        (5, "components", "you sell no such variant"),
        (6, "stock", "a kit has the stock of its components: change that"),
        (7, "components", "a kit is made of 2 to 20 variants: name them"),
    ]
    kit = files.products()[2]["variants"][0]
    assert ([(one["sku"], one["units"]) for one in kit["components"]], kit["stock"]) == ([("L-1", 1), ("L-2", 2)], 2)
    answer = files.shop.client.get("/api/v1/products/export", params={"format": "csv"}, headers=files.seller.headers)
    sent_back = await files.read(answer.content)
    assert counts(sent_back) == ("done", 0, 0, 3, 0)
    in_small = [{"sku": str(one["sku"]).lower(), "units": one["units"]} for one in made_of]
    spelled = await files.read(csv_of([lamp(3, kind="kit", components=json.dumps(in_small))]))
    assert counts(spelled) == ("done", 0, 0, 1, 0)
    # Other units are another kit.
    in_small[1]["units"] = 1
    fewer = await files.read(csv_of([lamp(3, kind="kit", components=json.dumps(in_small))]))
    assert counts(fewer) == ("done", 0, 1, 0, 0)


async def test_columns_that_a_file_does_not_name_stay_and_blank_cells_clear(files: Files) -> None:
    created = lamp(
        1, brand="Old", **{"attributes.color": "red", "specifications.watt": "7", "specifications.cap": "E27"}
    )
    await files.read(csv_of([created]))

    job = await files.read(csv_of([{"sku": "L-1", "brand": "", "stock": "5", "specifications.watt": "8"}]))

    assert counts(job) == ("done", 0, 1, 0, 0)
    (product,) = files.products()
    assert (product["brand"], product["title"], product["price"]) == (None, "Lamp 1", 12.5)
    assert product["specifications"] == {"watt": 8, "cap": "E27"}
    assert [(v["attributes"], v["stock"]) for v in product["variants"]] == [({"color": "red"}, 5)]


async def test_each_row_says_what_it_was(files: Files) -> None:
    rows = [lamp(1, product="A", **{"attributes.size": "S"}), {"sku": "L-2", "product": "A", "attributes.size": "M"}]
    await files.read(csv_of(rows))
    changed = [
        {**rows[0], "stock": ""},
        {**rows[1], "stock": "9"},
        {"sku": "L-9", "product": "A", "attributes.size": "L"},
        lamp(4),
    ]

    job = await files.read(csv_of(changed))

    assert counts(job) == ("done", 2, 1, 1, 0)
    assert [(row["row"], row["sku"], row["result"]) for row in files.report(job)] == [
        ("2", "L-1", "unchanged"),
        ("3", "L-2", "updated"),
        ("4", "L-9", "created"),
        ("5", "L-4", "created"),
    ]


async def test_a_product_is_taken_whole_or_not_at_all(files: Files) -> None:
    rows = [
        lamp(1, product="A", **{"attributes.size": "S"}),
        {"sku": "L-2", "product": "A", "attributes.size": "M", "stock": "-1"},
        lamp(3, price="1,299.00"),
        lamp(4, category="/Nowhere"),
        lamp(5, listPrice="3"),
        lamp(6),
        lamp(7, images="https://a.example/1.jpg http://127.0.0.1/2.jpg"),
    ]

    job = await files.read(csv_of(rows))

    assert counts(job) == ("done", 1, 0, 0, 6)
    assert files.failures(job) == [
        (2, "", "row 3 of the same product has a problem"),
        (3, "stock", "Input should be greater than or equal to 0"),
        (4, "price", "'1,299.00' has a thousands separator"),
        (5, "category", "no such category"),
        (6, "listPrice", "must not be lower than price"),
        (8, "images", "must be a public address"),
    ]
    assert all(row["fix"] for row in files.report(job) if row["result"] == "failed")
    assert [product["title"] for product in files.products()] == ["Lamp 6"]


async def test_a_sku_comes_once_in_a_file_also_hundreds_of_rows_later(files: Files) -> None:
    rows = [lamp(number) for number in range(250)] + [lamp(7, title="Another")]

    job = await files.read(csv_of(rows))

    assert counts(job) == ("done", 250, 0, 0, 1)
    assert files.failures(job) == [(252, "sku", "the SKU L-7 is already in row 9")]


async def test_ten_thousand_variants_of_one_product_are_refused_as_the_api_refuses_them(files: Files) -> None:
    rows = [lamp(0, product="A")] + [
        {"sku": f"V-{number}", "product": "A", "attributes.n": str(number)} for number in range(9_999)
    ]

    job = await files.read(csv_of(rows))

    assert counts(job) == ("done", 0, 0, 0, 10_000)
    assert files.products() == []
    messages = {message for _, _, message in files.failures(job) if "of the same product" not in message}
    assert messages == {
        "List should have at most 100 items after validation, not 101",
        "the rows of this product began in row 2: they follow each other, and are at most 100",
    }


async def test_a_dry_run_reports_what_the_real_run_does_and_changes_nothing(files: Files, shop: Shop) -> None:
    await files.read(csv_of([lamp(1), lamp(2)]))
    rows = [lamp(1), lamp(2, title="New title"), lamp(3), lamp(4, price="x"), lamp(3)]
    counted = "select (select count(*) from products), (select count(*) from outbox_events), max(version) from products"
    before = shop.sql.execute(counted).fetchone()

    dry = await files.read(csv_of(rows), dry_run=True)

    assert shop.sql.execute(counted).fetchone() == before
    real = await files.read(csv_of(rows))
    assert counts(dry) == counts(real) == ("done", 1, 1, 1, 2)
    assert files.report(dry) == files.report(real)


async def test_json_by_line_says_the_same_in_the_types_of_the_api(files: Files) -> None:
    rows = [
        {**lamp(1), "price": 12.5, "product": "A", "attributes": {"color": "red"}, "specifications": {"watt": [1, 2]}},
        {"sku": "L-2", "product": "A", "attributes": {"color": "blue"}, "variantPrice": 14, "colour": "x"},
        {**lamp(3), "price": 12.5, "images": ["https://a.example/1.jpg"], "specifications": {"watt": 7, "new": True}},
        {**lamp(4), "price": "a lot"},
    ]

    job = await files.read(jsonl_of(rows) + b'\n["x"]\n{"sku": "L-5"\n{"sku": 5}\n', "jsonl")

    assert counts(job) == ("done", 1, 0, 0, 6)
    first = {row: field for row, field, _ in reversed(files.failures(job))}
    assert sorted(first.items()) == [
        (1, "specifications.watt"),
        (2, "colour"),
        (4, "price"),
        (6, ""),
        (7, ""),
        (8, "sku"),
    ]
    (product,) = files.products()
    assert product["specifications"] == {"watt": 7, "new": True}


@pytest.mark.parametrize(
    ("content", "form", "field", "message"),
    [
        (b"", "csv", "", "the file is empty"),
        (b"\xef\xbb\xbf", "csv", "", "the file is empty"),
        (b"PK\x03\x04....", "csv", "", "the file is a workbook or an archive"),
        ("sku,title\n".encode("utf-16"), "csv", "", "the file is UTF-16 or no text"),
        (b"sku,titel\n", "csv", "/titel", "no column is called 'titel': write title"),
        (b"sku,sku\n", "csv", "/sku", "the first row names sku twice"),
        (b"title,price\n", "csv", "/sku", "the first row names no column sku"),
        (b"sku:title\nA:b\n", "csv", "", "the first row names no known column"),
        (b'{"sku": "A"}\n', "csv", "", "the file is JSON"),
        (b",".join([b"a"] * 1_000_000), "csv", "", "the first row names 1,000,000 columns, and at most 2,000"),
        (b"sku,caf\xe9\n", "csv", "", "byte 8 of line 1 is not UTF-8 (0xE9)"),
    ],
    ids=["empty", "mark", "workbook", "utf16", "unknown", "twice", "nosku", "delimiter", "json", "columns", "latin1"],
)
async def test_a_file_that_cannot_be_read_is_refused_at_once(
    files: Files, content: bytes, form: str, field: str, message: str
) -> None:
    answer = files.shop.client.post(PATH, params={"format": form}, content=content, headers=files.seller.headers)

    refused = problem(answer, 422, "file-refused")
    assert refused["errors"][0]["pointer"] == field
    assert refused["errors"][0]["message"].startswith(message)
    assert files.shop.client.get(PATH, headers=files.seller.headers).json()["jobs"] == []


async def test_a_form_and_a_body_without_a_length_are_files_too(files: Files) -> None:
    client, headers, content = files.shop.client, files.seller.headers, csv_of([lamp(1)], ";")

    def pieces() -> Any:
        yield from (content[i : i + 7] for i in range(0, len(content), 7))

    form = client.post(PATH, files={"file": ("lamps.csv", content)}, headers=headers)
    body = client.post(PATH, content=pieces(), headers={**headers, "Content-Type": "text/csv"})
    unknown = client.post(PATH, content=content, headers=headers)
    nothing = client.post(PATH, files={"file": ("lamps", content)}, headers=headers)

    assert (form.status_code, form.json()["fileName"], form.json()["format"]) == (202, "lamps.csv", "csv")
    assert (body.status_code, body.json()["bytes"]) == (202, len(content))
    for answer in (unknown, nothing):
        assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/query/format"


async def test_others_see_nothing_of_a_file_and_who_cancels_it_ends_it(files: Files, shop: Shop) -> None:
    job = files.send(csv_of([lamp(1)]))
    path = f"{PATH}/{job['jobId']}"
    other: Person = shop.person("seller")

    for answer in (
        shop.client.get(path, headers=other.headers),
        shop.client.get(f"{path}/report", headers=other.headers),
        shop.client.post(f"{path}/cancel", headers=other.headers),
    ):
        problem(answer, 404, "bulk-job-not-found")
    problem(shop.client.get(path, headers=shop.person().headers), 403, "forbidden")
    problem(shop.client.get(path), 401, "not-authenticated")
    assert shop.client.get(PATH, headers=other.headers).json()["jobs"] == []
    for _ in range(2):
        assert shop.client.post(f"{path}/cancel", headers=files.seller.headers).json()["state"] == "cancelled"
    assert (await files.read(csv_of([lamp(2)])))["state"] == "done"
    assert files.job(job["jobId"])["rows"] == 0
