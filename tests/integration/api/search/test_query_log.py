"""Each search is an event of the shop: what was asked and answered, by whom, without contacts; nobody waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import redis
from fastapi import Request

from api.events import spool
from api.events.commands import EventSink
from api.events.stream import STREAM
from api.kernel.context import open_context
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.log import recorder
from api.search.log.recorder import Answered, QueryLog
from api.search.sync import Indexer
from tests.harness.api import running_api
from tests.harness.ports import free_port
from tests.harness.sessions import guest_session
from tests.harness.shop import Shop
from warehouse.events.entries import FORGET, Entry, row_of

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
SHOWN = Answered("desk  lamp", 1, ('{"productId":"p1","title":"x"}',), None, (), "relevance", (), 1, 20, "en")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("query-log-home")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(database_url: str, redis_url: str, home: Path) -> AsyncIterator[Shop]:
    settings = _settings(database_url, redis_url, home)
    with running_api(home, database_url, redis_url) as server:
        shop = Shop(server, database_url)
        seller = shop.person("seller")
        for number in range(12):
            shop.product(seller, title=f"Garden lamp number {number}", brand=f"Lumen {number}", price=10 + number)
        async with open_context(settings) as context:
            await Indexer(IndexStore(home / "search")).refresh(context)
        yield shop
        shop.close()


@pytest.fixture
def stream(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def _settings(database_url: str, redis_url: str, home: Path) -> Settings:
    return Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )


def _search(shop: Shop, headers: dict[str, str] | None = None, **params: str | int) -> httpx.Response:
    answer = shop.client.get("/api/v1/search", params=params, headers=BROWSER | (headers or {}))
    assert answer.status_code == 200, answer.text
    return answer


def _entries(stream: redis.Redis) -> list[dict[str, str]]:
    return [fields for _, fields in cast("list[tuple[str, dict[str, str]]]", stream.xrange(STREAM))]


def _logged(stream: redis.Redis, answer: httpx.Response) -> dict[str, str]:
    """The event of an answer, by the id in its header; asserts that it comes soon and once."""
    search_id = answer.headers["X-Search-Id"]
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found: list[dict[str, str]] = [fields for fields in _entries(stream) if fields.get("eventId") == search_id]
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(0.05)
    raise AssertionError("the search was not logged")


async def test_a_search_is_an_event_with_what_was_asked_and_answered(shop: Shop, stream: redis.Redis) -> None:
    person, session = shop.person(), guest_session()
    answer = _search(
        shop, {**person.headers, "X-Session-Id": session},
        q="  Garden \t lamp", filters="price:0-500,prime:false", sort="price_asc", limit=5,
    )  # fmt: skip
    body = answer.json()
    entry = _logged(stream, answer)

    assert body["totalResults"] == 12
    assert "searchId" not in body
    moment = entry.pop("occurredAt")
    session_key = entry.pop("sessionKey")
    assert entry == {
        "eventId": answer.headers["X-Search-Id"], "origin": "server", "type": "search", "query": "Garden lamp",
        "userId": person.user_id, "resultCount": "12", "sort": "price_asc", "filters": "price,prime", "page": "1",
        "pageSize": "5", "products": ",".join(result["productId"] for result in body["results"]), "language": "en",
        "timeSource": "server", "receivedAt": moment,
    }  # fmt: skip
    assert session not in session_key
    assert len(session_key) == 32


async def test_the_lake_takes_the_event_as_it_is(shop: Shop, stream: redis.Redis) -> None:
    person = shop.person()
    answer = _search(shop, person.headers, q="lamp", filters="price:0-500", page=2, limit=10)
    fields = _logged(stream, answer)
    row = row_of(
        Entry("p", 1, "1-0", datetime.now(UTC), {name.encode(): value.encode() for name, value in fields.items()}),
        datetime.now(UTC),
        timedelta(days=1),
    )

    assert (row["event_id"], row["origin"], row["event_type"]) == (fields["eventId"], "server", "search")
    assert (row["query"], row["result_count"], row["page"], row["page_size"]) == ("lamp", 12, 2, 10)
    assert (row["sort"], row["filter_names"], row["language"], row["user_id"]) == (
        "relevance", "price", "en", person.user_id,
    )  # fmt: skip
    assert row["shown_products"] == ",".join(result["productId"] for result in answer.json()["results"])


async def test_ten_products_are_logged_and_the_page_is_said(shop: Shop, stream: redis.Redis) -> None:
    first, second = _search(shop, q="lamp"), _search(shop, q="lamp", page=2, limit=10)

    assert _logged(stream, first)["products"].split(",") == [
        result["productId"] for result in first.json()["results"][:10]
    ]
    logged = _logged(stream, second)
    assert (logged["page"], logged["pageSize"], len(logged["products"].split(","))) == ("2", "10", 2)


@pytest.mark.parametrize(
    "text", ["ann@example.com lamp", "4111 1111 1111 1111", "4111111111111111", "+44 20 7946 0958"]
)
async def test_what_identifies_a_person_never_leaves_the_process(shop: Shop, stream: redis.Redis, text: str) -> None:
    answer = _search(shop, q=text)
    sent = shop.client.post("/api/v1/events", json={"events": [{"type": "search", "query": text}]}, headers=BROWSER)

    assert answer.json()["query"] == text
    assert _logged(stream, answer)["query"] == "***"
    assert sent.status_code == 202
    assert all(text not in fields.values() for fields in _entries(stream))


async def test_programs_are_marked_and_a_session_that_the_shop_never_issued_is_nobodys(
    shop: Shop, stream: redis.Redis
) -> None:
    shop.client.cookies.clear()
    made_up = {"X-Session-Id": "A" * 44, "User-Agent": "curl/8.5", "Authorization": "Bearer abc"}
    entry = _logged(stream, _search(shop, made_up, q=""))

    assert entry["bot"] == "1"
    assert not {"query", "sessionKey", "userId"} & entry.keys()


async def test_a_click_names_its_search(shop: Shop, stream: redis.Redis) -> None:
    answer = _search(shop, q="lamp")
    product = answer.json()["results"][0]["productId"]
    click = {
        "type": "click", "productId": product, "eventId": str(uuid4()), "searchId": answer.headers["X-Search-Id"],
    }  # fmt: skip

    assert shop.client.post("/api/v1/events", json={"events": [click]}, headers=BROWSER).json() == {"accepted": 1}
    entry = next(fields for fields in _entries(stream) if fields.get("eventId") == click["eventId"])
    assert entry["searchId"] == answer.headers["X-Search-Id"]
    refused = shop.client.post("/api/v1/events", json={"events": [click | {"searchId": "abc"}]}, headers=BROWSER)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/events/0/searchId")


@asynccontextmanager
async def _own_log(database_url: str, home: Path) -> AsyncIterator[QueryLog]:
    """A log whose Redis does not answer."""
    settings = _settings(database_url, f"redis://127.0.0.1:{free_port()}/0", home)
    async with open_context(settings) as context, QueryLog.running(context, EventSink(context)) as log:
        yield log


def _request(**headers: str) -> Request:
    return Request({"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]})


async def test_without_redis_searches_wait_in_the_spool_and_an_ending_process_sends_its_last(
    database_url: str, tmp_path: Path
) -> None:
    async with _own_log(database_url, tmp_path) as log:
        ids = [log.note(_request(), SHOWN) for _ in range(45)]

    lines = [line for path in spool.waiting(tmp_path / "spool") for line in path.read_text("utf-8").splitlines()]
    assert len(ids) == len(set(ids)) == len(lines) == 45
    assert all(f'"eventId":"{one}"' in "".join(lines) for one in ids)


async def test_what_is_noted_while_notes_are_sent_is_sent_too(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SECONDS", 0.01)
    async with _own_log(database_url, tmp_path) as log:
        for _ in range(20):
            log.note(_request(), SHOWN)
            await asyncio.sleep(0.005)

    lines = [line for path in spool.waiting(tmp_path / "spool") for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == 20


async def test_notes_are_bounded(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MOST", 3)
    async with _own_log(database_url, tmp_path) as log:
        assert all(isinstance(log.note(_request(), SHOWN), UUID) for _ in range(5))

    lines = [line for path in spool.waiting(tmp_path / "spool") for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == 3


async def test_who_asks_for_it_has_the_searches_until_then_erased(shop: Shop, stream: redis.Redis) -> None:
    """The lake does it: `tests/unit/warehouse/events/test_erasing.py`."""
    person, path = shop.person(), "/api/v1/users/me/searches"
    search_id = _search(shop, dict(person.headers), q="garden lamp").headers["X-Search-Id"]

    assert shop.client.delete(path).status_code == 401
    answer = shop.client.delete(path, headers=person.headers)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})

    entries = _entries(stream)
    ids = [one["eventId"] for one in entries]
    (asked,) = [one for one in entries if one["type"] == FORGET]
    assert ids.index(search_id) < ids.index(asked["eventId"])
    encoded = {name.encode(): value.encode() for name, value in asked.items()}
    row = row_of(Entry("p", 1, "1-0", datetime.now(UTC), encoded), datetime.now(UTC), timedelta(days=30))
    assert (row["event_type"], row["user_id"], row["origin"]) == (FORGET, person.user_id, "server")
