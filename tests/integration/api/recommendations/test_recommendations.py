"""Recommendations over HTTP with a serving process that answers, is slow, answers with invalid JSON, or is dead: the
next source answers, and no request fails."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.kernel.outbound import PROBE_SECONDS, WINDOW
from tests.harness.api import running_api
from tests.harness.fake_serving import VERSION, RecommenderProcess, running_recommender
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, Shop, problem

BROKEN = ["slow", "error", "rubbish", "wrong", "huge"]


@pytest.fixture(scope="module")
def serving() -> Iterator[RecommenderProcess]:
    with running_recommender() as process:
        yield process


@pytest.fixture(scope="module")
def shop(
    serving: RecommenderProcess, database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("recommendations")
    with running_api(folder, database_url, redis_url, SOUK_SERVING_URL=serving.url) as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


@pytest.fixture(scope="module")
def goods(shop: Shop) -> dict[str, str]:
    """Three things to sit on, two to eat from, one sold out; sales make Bench and Plate popular."""
    seller = shop.person("seller")
    rows = {
        "Chair": ("/Home/Seats", 5), "Stool": ("/Home/Seats", 5), "Bench": ("/Home/Seats", 5),
        "Plate": ("/Home/Table", 5),
        "Bowl": ("/Home/Table", 5), "Sold out": ("/Home/Seats", 0),
    }  # fmt: skip
    ids = {}
    for title, (category, stock) in rows.items():
        product = shop.product(seller, title=title, category=category, stock=stock)
        ids[title] = product["productId"]
    for title, units in {"Bench": 5, "Stool": 3, "Plate": 9, "Sold out": 50}.items():
        _sell(shop, seller, ids[title], units)
    return ids


def _sell(shop: Shop, seller: Person, product_id: str, units: int) -> None:
    """A delivered order, as a load writes it."""
    order = uuid4()
    variant = shop.scalar("select variant_id from product_variants where product_id = %s", (product_id,))
    with shop.sql.transaction():
        shop.sql.execute(
            "insert into orders (order_id, order_number, status, currency, subtotal, tax, shipping_fee, total,"
            " shipping_address, country) values (%s, %s, 'delivered', 'USD', %s, 0, 0, %s, '{}', 'US')",
            (order, str(order), units * 10, units * 10),
        )
        shop.sql.execute(
            "insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, quantity,"
            " price_at_purchase, subtotal) values (%s, %s, %s, %s, %s, %s, 10, %s)",
            (uuid4(), order, product_id, variant, seller.user_id, units, units * 10),
        )


def _for_you(shop: Shop, headers: dict[str, str] | None = None, **params: Any) -> dict[str, Any]:
    answer = httpx.get(
        f"{shop.client.base_url}/api/v1/recommendations/for-you",
        params=params,
        headers=headers or {},
        trust_env=False,
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _related(shop: Shop, product_id: str) -> dict[str, Any]:
    answer = shop.client.get(f"/api/v1/products/{product_id}/related")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _titles(body: dict[str, Any]) -> list[str]:
    return [item["title"] for item in body["recommendations"]]


def _until_closed(shop: Shop, person: Person) -> None:
    """Wait until the breaker lets calls through again after the tests that broke serving."""
    deadline = time.monotonic() + 30
    while _for_you(shop, person.headers)["source"] != "personal":
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_the_models_list_is_shown_with_titles_prices_and_reasons(
    shop: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    person = shop.person()
    serving.behave("ok", [goods["Chair"], goods["Sold out"], str(uuid4()), goods["Plate"], goods["Chair"]])

    body = _for_you(shop, person.headers, userId=person.user_id)

    assert (body["source"], body["modelVersion"]) == ("personal", VERSION)
    assert _titles(body) == ["Chair", "Plate"]
    assert body["recommendations"][0] == {
        "productId": goods["Chair"], "title": "Chair", "reason": "Because you looked at this", "score": 1.0,
        "titleLanguage": None, "price": 10.0,
        "currency": "USD", "rating": 0.0, "thumbnail": f"/api/v1/products/{goods['Chair']}/image.svg", "inStock": True,
    }  # fmt: skip
    assert serving.asked() == [{"path": "/v1/for-you", "userId": person.user_id, "recent": [], "limit": 40}]


def test_what_was_looked_at_a_moment_ago_is_sent_oldest_first(
    shop: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    serving.behave("ok", [goods["Bowl"]])
    session = guest_headers()
    for title in ("Chair", "Bench", "Chair"):
        event = {"type": "view", "productId": goods[title]}
        assert httpx.post(
            f"{shop.client.base_url}/api/v1/events", json={"events": [event]}, headers=session, trust_env=False
        ).json() == {"accepted": 1}

    assert _titles(_for_you(shop, session)) == ["Bowl"]

    assert serving.asked()[-1]["recent"] == [goods["Bench"], goods["Chair"]]
    assert serving.asked()[-1]["userId"] is None


def test_related_leaves_the_product_itself_out(shop: Shop, serving: RecommenderProcess, goods: dict[str, str]) -> None:
    serving.behave("ok", [goods["Chair"], goods["Stool"]])

    body = _related(shop, goods["Chair"])

    assert (_titles(body), body["source"]) == (["Stool"], "personal")
    assert serving.asked() == [{"path": "/v1/related", "productId": goods["Chair"], "limit": 32}]


@pytest.mark.parametrize("product_id", ["01890000-0000-7000-8000-000000000000", "abc"])
def test_related_of_an_unknown_product_is_not_found(shop: Shop, product_id: str) -> None:
    problem(shop.client.get(f"/api/v1/products/{product_id}/related"), 404, "product-not-found")


def test_other_peoples_recommendations_are_refused(shop: Shop) -> None:
    person, other = shop.person(), shop.person()
    url = f"{shop.client.base_url}/api/v1/recommendations/for-you"

    problem(httpx.get(url, params={"userId": other.user_id}, headers=person.headers, trust_env=False), 403, "forbidden")
    problem(httpx.get(url, params={"userId": other.user_id}, trust_env=False), 401, "not-authenticated")
    problem(httpx.get(url, params={"userId": "abc"}, trust_env=False), 422, "validation-failed")
    problem(httpx.get(url, params={"limit": 51}, trust_env=False), 422, "validation-failed")


@pytest.mark.parametrize("mode", BROKEN)
def test_a_broken_model_gives_the_last_good_answer(
    shop: Shop, serving: RecommenderProcess, goods: dict[str, str], mode: str
) -> None:
    person = shop.person()
    serving.behave("ok", [goods["Bowl"], goods["Stool"]])
    _until_closed(shop, person)
    serving.behave(mode)

    started = time.monotonic()
    body = _for_you(shop, person.headers)

    assert (body["source"], body["modelVersion"], _titles(body)) == ("cached", VERSION, ["Bowl", "Stool"])
    # The deadline is a quarter of a second; the rest is this machine's.
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("mode", BROKEN)
def test_without_a_last_answer_best_sellers_in_stock_are_shown(
    shop: Shop, serving: RecommenderProcess, goods: dict[str, str], mode: str
) -> None:
    serving.behave(mode)

    body = _for_you(shop)

    assert (body["source"], body["modelVersion"]) == ("popular", None)
    assert _titles(body) == ["Plate", "Bench", "Stool"]
    assert [item["score"] for item in body["recommendations"]] == [0.18, 0.1, 0.06]
    assert {item["reason"] for item in body["recommendations"]} == {"Popular right now"}


def test_related_falls_back_to_what_sells_in_the_same_category(
    shop: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    serving.behave("error")

    body = _related(shop, goods["Bench"])

    assert (body["source"], _titles(body)) == ("popular_in_category", ["Stool"])


@contextmanager
def _silent(port: int) -> Iterator[socket.socket]:
    """A process that hangs: it listens on the recommender's port and answers nobody."""
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        listener.setblocking(False)
        yield listener


def _connections(listener: socket.socket) -> int:
    """How many connections were opened to it; those that the client has closed again are counted too."""
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def _seconds(shop: Shop, person: Person) -> float:
    started = time.monotonic()
    _for_you(shop, person.headers)
    return time.monotonic() - started


@pytest.mark.slow
def test_a_dead_model_costs_nothing_once_the_breaker_is_open_and_comes_back_by_itself(
    shop: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    person = shop.person()
    serving.stop()
    sources = [_for_you(shop, person.headers)["source"] for _ in range(WINDOW)]
    assert sources == ["popular"] * WINDOW

    with _silent(serving.port) as listener:
        began = time.monotonic()
        took = [_seconds(shop, person) for _ in range(40)]
        probes = 1 + int((time.monotonic() - began) / PROBE_SECONDS)
        assert _connections(listener) <= probes, "the model was asked more often than the breaker's probe"
    # A request that asks this model waits for nine tenths of the deadline of a quarter of a second.
    assert median(took) < 0.2

    serving.start()
    serving.behave("ok", [goods["Chair"]])

    _until_closed(shop, person)
    assert _titles(_for_you(shop, person.headers)) == ["Chair"]


def test_an_empty_shop_answers_an_empty_list(shop: Shop, serving: RecommenderProcess, goods: dict[str, str]) -> None:
    serving.behave("ok", [])
    shop.sql.execute("update products set status = 'inactive'")
    try:
        body = _for_you(shop)
        assert body == {"recommendations": [], "source": "empty", "modelVersion": None}
    finally:
        shop.sql.execute("update products set status = 'active'")
    assert goods
