"""No text that the shop accepts stops change capture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.kernel.texts import one_line
from tests.harness.api import running_api
from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from tests.harness.shop import Person, Shop
from warehouse.lake.read import read_current

SEPARATORS = "\x85\u2028\u2029"
# Everything that the API takes in a title: no controls, no surrogates.
# A line takes fewer, see api/kernel/texts.py; a description takes the separators too.
EVERYTHING = "".join(map(chr, [*range(0x20, 0x7F), *range(0x80, 0xD800), *range(0xE000, 0x110000)]))


@pytest.fixture
def lab(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    """The shop's schema and a running reader."""
    lab = CdcLab.of_shop(postgres_server, tmp_path)
    lab.start_thread()
    lab.wait_state("streaming")
    yield lab
    lab.close()


@pytest.fixture
def shop(lab: CdcLab, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
    """The API on that database."""
    with running_api(tmp_path / "api", lab.url, redis_url) as server:
        shop = Shop(server, lab.url)
        yield shop
        shop.close()


def is_of_a_line(character: str) -> bool:
    try:
        return one_line(f"a{character}z") != ""
    except ValueError:
        return False


def sell(shop: Shop, seller: Person, **fields: str) -> str:
    body = {"category": str(shop.category("/Home/Lamps")), "price": 19.9, **fields}
    answer = shop.client.post("/api/v1/products", json=body, headers=seller.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["productId"])


@pytest.mark.slow
def test_a_description_with_a_line_separator_reaches_the_lake(lab: CdcLab, shop: Shop) -> None:
    seller = shop.person("seller")
    description = f"Desk lamp\u2028warm white{SEPARATORS}two"
    sell(shop, seller, title="Desk lamp", brand="Lux", description=description)
    lab.assert_exact()
    rows = read_current(lab.lake, "products", lab.watermark()).to_pylist()
    assert [row["description"] for row in rows] == [description]


@pytest.mark.slow
def test_all_of_unicode_through_the_text_fields_of_a_product(lab: CdcLab, shop: Shop) -> None:
    """Titles hold 500 characters, so every batch of the lake has texts of its own as minimum and maximum."""
    seller = shop.person("seller")
    product = sell(shop, seller, title="Desk lamp")
    for at in range(0, len(EVERYTHING), 480):
        part = "".join(character for character in EVERYTHING[at : at + 480] if character not in "\u202d\u202e")
        line = "".join(character for character in part if is_of_a_line(character))
        fields = {"title": f"a{line}z", "description": f"a{part}z", "brand": f"a{line[:240]}z"}
        answer = shop.client.patch(f"/api/v1/products/{product}", json=fields, headers=seller.headers)
        assert answer.status_code == 200, answer.text
    lab.assert_exact()
    assert lab.status()["stoppedTables"] == {}
    assert lab.status()["snapshots"] == 1
