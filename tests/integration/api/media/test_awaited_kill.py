"""Pictures are fetched whoever dies when: none is lost, none is shown twice, and a page shows one within a second."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.bulk import ENDED, PATH, csv_of
from tests.harness.buying import wait_until
from tests.harness.elsewhere import Elsewhere, elsewhere
from tests.harness.fleet import Fleet
from tests.harness.invariants import assert_invariants
from tests.harness.pictures import one_of
from tests.harness.processes import KILLED
from tests.harness.shop import Person, Shop

PICTURES = 6
FRESH_SECONDS = 1.0


@pytest.fixture(scope="module")
def other() -> Iterator[Elsewhere]:
    with elsewhere({f"/{number}.png": (200, {}, one_of(30_000 + number)) for number in range(100)}, {}) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, other: Elsewhere
) -> Iterator[Fleet]:
    env = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SOUK_MEDIA_FETCH_SECONDS": "0.5",
        "SOUK_MEDIA_TRUSTED_HOSTS": json.dumps([other.host]),
    }
    with Fleet(Path(tmp_path_factory.mktemp("pictures")), env) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def killed_shop(fleet: Fleet, database_url: str) -> Iterator[Shop]:
    shop = Shop(fleet.api(), database_url)
    shop.category("/Home/Lamps")
    yield shop
    shop.close()
    assert_invariants(database_url)


def send(shop: Shop, seller: Person, name: str, urls: list[str]) -> str:
    rows = [
        {"sku": f"{name}-{n}", "title": f"{name} lamp {n}", "category": "/Home/Lamps", "price": "9.00", "images": url}
        for n, url in enumerate(urls)
    ]
    answer = shop.client.post(PATH, params={"format": "csv"}, content=csv_of(rows), headers=seller.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["jobId"])


def job_of(shop: Shop, seller: Person, job_id: str) -> dict[str, Any]:
    body: dict[str, Any] = shop.client.get(f"{PATH}/{job_id}", headers=seller.headers).json()
    return body


@pytest.mark.parametrize(
    "point",
    [
        "media.in_arrival",
        *(
            pytest.param(other, marks=pytest.mark.slow)
            for other in (
                "media.before_arrival",
                "media.after_arrival",
                "media.before_store",
                "media.after_store",
            )
        ),
    ],
)
def test_a_picture_is_fetched_whoever_dies(fleet: Fleet, killed_shop: Shop, other: Elsewhere, point: str) -> None:
    shop, seller = killed_shop, killed_shop.person("seller")
    place = 10 * (1 + len(point) % 7)
    other.asked.clear()
    paths = [f"/{place + n}.png" for n in range(PICTURES)]

    job_id = send(shop, seller, point, [other.url(path) for path in paths])
    dying = fleet.worker(SOUK_FAILPOINTS=f"{point}@3=kill")
    assert dying.wait(60) == KILLED
    before = job_of(shop, seller, job_id)["imagesPending"]
    living = fleet.worker()
    wait_until(lambda: job_of(shop, seller, job_id)["imagesPending"] == 0, 60)
    living.stop()

    assert job_of(shop, seller, job_id)["imagesFailed"] == 0
    assert PICTURES - 3 <= before < PICTURES
    owned = "from product_images i join products p using (product_id) where p.seller_id = %s"
    assert shop.scalar(f"select count(*) {owned}", (seller.user_id,)) == PICTURES
    assert shop.scalar(f"select count(distinct picture) {owned}", (seller.user_id,)) == PICTURES
    assert set(other.asked) == set(paths)
    changes = "select count(*) from outbox_events where event_type = 'ProductChanged' and payload->>'sellerId' = %s"
    assert shop.scalar(changes, (seller.user_id,)) == PICTURES


def test_a_picture_is_on_the_page_within_a_second(fleet: Fleet, killed_shop: Shop, other: Elsewhere) -> None:
    shop, seller = killed_shop, killed_shop.person("seller")
    other.slow["/90.png"] = 0.4
    worker = fleet.worker()
    job_id = send(shop, seller, "fresh", [other.url("/90.png")])
    wait_until(lambda: job_of(shop, seller, job_id)["state"] in ENDED, 60)
    product = shop.scalar("select product_id::text from products where seller_id = %s", (seller.user_id,))
    assert shop.detail(product)["media"][0]["imageId"] is None

    wait_until(lambda: job_of(shop, seller, job_id)["imagesPending"] == 0, 60)
    began = time.monotonic()
    wait_until(lambda: shop.detail(product)["media"][0]["imageId"] is not None, 10)
    took = time.monotonic() - began
    worker.stop()

    assert took < FRESH_SECONDS
    card = shop.client.get("/api/v1/products", params={"sellerId": seller.user_id}).json()["products"][0]
    assert card["thumbnail"] == shop.detail(product)["media"][0]["url480"]
