"""Files of products are read to their end whoever dies when: no row is lost, none is taken twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.bulk import ENDED, PATH, csv_of
from tests.harness.buying import wait_until
from tests.harness.fleet import Fleet
from tests.harness.invariants import assert_invariants
from tests.harness.processes import KILLED
from tests.harness.shop import Person, Shop

ROWS = 250
FRESH_SECONDS = 1.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_BULK_LEASE_SECONDS": "0.5"}
    with Fleet(Path(tmp_path_factory.mktemp("bulk")), env) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def killed_shop(fleet: Fleet, database_url: str) -> Iterator[Shop]:
    shop = Shop(fleet.api(), database_url)
    shop.category("/Home/Lamps")
    yield shop
    shop.close()
    assert_invariants(database_url)


def rows_of(name: str) -> list[dict[str, Any]]:
    return [
        {"sku": f"{name}-{n}", "title": f"{name} lamp {n}", "category": "/Home/Lamps", "price": "9.00", "stock": "3"}
        for n in range(ROWS)
    ]


def send(shop: Shop, seller: Person, content: bytes, **asked: str) -> str:
    answer = shop.client.post(PATH, params={"format": "csv", **asked}, content=content, headers=seller.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["jobId"])


def job_of(shop: Shop, seller: Person, job_id: str) -> dict[str, Any]:
    body: dict[str, Any] = shop.client.get(f"{PATH}/{job_id}", headers=seller.headers).json()
    return body


@pytest.mark.parametrize(
    ("point", "dry_run"),
    [
        ("in_chunk", "false"),
        *(
            pytest.param(*other, marks=pytest.mark.slow)
            for other in (
                ("after_chunk", "true"),
                ("before_chunk", "false"),
                ("after_chunk", "false"),
                ("before_chunk", "true"),
                ("in_chunk", "true"),
            )
        ),
    ],
)
def test_a_file_goes_on_after_the_last_chunk(fleet: Fleet, killed_shop: Shop, point: str, dry_run: str) -> None:
    shop, seller = killed_shop, killed_shop.person("seller")
    job_id = send(shop, seller, csv_of(rows_of(f"{point}-{dry_run}")), dryRun=dry_run)

    dying = fleet.worker(SOUK_FAILPOINTS=f"bulk.{point}@2=kill")
    assert dying.wait(60) == KILLED
    before = job_of(shop, seller, job_id)
    living = fleet.worker()
    wait_until(lambda: job_of(shop, seller, job_id)["state"] in ENDED, 60)
    living.stop()

    job = job_of(shop, seller, job_id)
    assert (before["state"], before["rows"]) == ("running", 200 if point == "after_chunk" else 100)
    assert (job["state"], job["rows"], job["created"], job["progress"]) == ("done", ROWS, ROWS, 1)
    made = 0 if dry_run == "true" else ROWS
    owned = "from products where seller_id = %s"
    assert shop.scalar(f"select count(*) {owned}", (seller.user_id,)) == made
    assert shop.scalar(f"select count(*) {owned} and version = 1", (seller.user_id,)) == made
    numbers = shop.sql.execute("select row from bulk_rows where job_id = %s order by row", (job_id,)).fetchall()
    assert [number for (number,) in numbers] == [*range(2, ROWS + 2)]


@pytest.mark.slow
def test_a_changed_row_is_on_the_page_within_a_second_of_its_chunk(fleet: Fleet, killed_shop: Shop) -> None:
    shop, seller = killed_shop, killed_shop.person("seller")
    rows = rows_of("fresh")
    worker = fleet.worker()
    first = send(shop, seller, csv_of(rows))
    wait_until(lambda: job_of(shop, seller, first)["state"] in ENDED, 60)
    last = shop.scalar(
        "select product_id::text from products where seller_id = %s and title = %s",
        (seller.user_id, f"fresh lamp {ROWS - 1}"),
    )
    assert shop.detail(last)["price"] == 9.0

    second = send(shop, seller, csv_of([{**row, "price": "8.00"} for row in rows]))
    wait_until(lambda: job_of(shop, seller, second)["state"] in ENDED, 60)
    began = time.monotonic()
    wait_until(lambda: shop.detail(last)["price"] == 8.0, 10)
    took = time.monotonic() - began
    worker.stop()

    assert job_of(shop, seller, second)["updated"] == ROWS
    assert took < FRESH_SECONDS
