"""Synonyms: suggested by log and catalog, decided by administrators, in every process; and what is searched for."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import duckdb
import httpx
import pytest
import pytest_asyncio

from api.kernel.cache import PageCache
from api.kernel.context import Context, open_context
from api.kernel.outbox import Pending
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.engine.synonyms import Current
from api.search.log import marts
from api.search.sync import Indexer
from api.search.synonyms import kept, queries
from api.search.synonyms.drops import DROPS
from api.search.synonyms.kept import SYNONYMS, KeptSynonyms
from tests.harness.api import running_api
from tests.harness.shop import Person, Shop, problem

ROOT = "/api/v1/admin/search"
# As rows of `fct_search_queries`, in the order of the table below.
SEARCHES = [
    ("2026-03-01", "v0", "old", 5, 1, 0, False, False),
    ("2026-03-30", "v1", "lamp", 12, 1, 0, True, True),
    ("2026-03-30", "v1", "lamp", 12, 1, 3, False, False),
    ("2026-03-31", "v2", "lamp", None, 0, None, False, False),
    ("2026-03-31", "v3", "lamp", 12, 1, None, False, False),
    ("2026-03-30", "v1", "couch", 0, 0, None, False, False),
    ("2026-03-30", "v2", "couch", 0, 0, None, False, False),
    ("2026-03-30", "v3", "rug", 3, 0, None, False, False),
    ("2026-03-30", "v3", "rug", 3, 0, None, False, False),
    ("2026-03-30", "v3", "rug", 0, 0, None, False, False),
    ("2026-03-30", "v3", "", 40, 0, None, False, False),
]
CANDIDATES = [
    ("couch", "sofa", "log", 9, 4, 0, 0),
    ("sofa", "couch", "catalog", 0, 0, 3, 2),
    ("Télé", "television", "log", 2, 2, 0, 0),
    ("rug", "Rüg", "log", 2, 2, 0, 0),
]
POPULAR = [("lamp", "en", 40, 9, 30), ("desk lamp", None, 60, 12, 20)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synonyms-home")


@pytest.fixture(scope="module")
def settings(database_url: str, redis_url: str, home: Path) -> Settings:
    return Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )


@pytest.fixture(scope="module")
def shop(database_url: str, redis_url: str, home: Path) -> Iterator[Shop]:
    with running_api(home, database_url, redis_url) as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


@pytest.fixture(scope="module")
def admin(shop: Shop) -> Person:
    return shop.admin()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(settings: Settings) -> AsyncIterator[Context]:
    async with open_context(settings) as context:
        yield context


@pytest.fixture
def published(settings: Settings) -> Iterator[None]:
    """Marts with the rows above, as a build publishes them."""
    path = settings.marts_path
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with duckdb.connect(str(new)) as con:
        con.execute(
            "CREATE TABLE fct_search_queries (search_date DATE, visitor_id VARCHAR, term VARCHAR, result_count INTEGER,"
            " clicks BIGINT, first_click_position INTEGER, is_carted BOOLEAN, is_ordered BOOLEAN)"
        )
        con.executemany("INSERT INTO fct_search_queries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", SEARCHES)
        con.execute(
            "CREATE TABLE mart_search__synonym_candidates (word VARCHAR, synonym VARCHAR, source VARCHAR,"
            " searches BIGINT, shoppers BIGINT, products BIGINT, sellers BIGINT)"
        )
        con.executemany("INSERT INTO mart_search__synonym_candidates VALUES (?, ?, ?, ?, ?, ?, ?)", CANDIDATES)
        con.execute(
            "CREATE TABLE mart_search__popular (term VARCHAR, language VARCHAR, searches BIGINT, shoppers BIGINT,"
            " clicked_searches BIGINT)"
        )
        con.executemany("INSERT INTO mart_search__popular VALUES (?, ?, ?, ?, ?)", POPULAR)
    new.rename(path)
    yield
    path.unlink()


def _asked(shop: Shop, admin: Person, path: str, **params: Any) -> dict[str, Any]:
    answer = shop.client.get(f"{ROOT}{path}", params=params, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def _decide(shop: Shop, admin: Person, synonym: str, decision: str) -> httpx.Response:
    body = {"decision": decision}
    return shop.client.put(f"{ROOT}/synonyms/{synonym}/decision", json=body, headers=admin.headers)


def _add(shop: Shop, admin: Person, word: str, synonym: str, language: str | None = None) -> httpx.Response:
    body = {"word": word, "synonym": synonym, "language": language}
    return shop.client.post(f"{ROOT}/synonyms", json=body, headers=admin.headers)


def _said(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["decision"], one["decidedBy"]) for one in body["decisions"]]


def test_only_administrators_may_look_and_decide(shop: Shop, published: None) -> None:
    for who, status, code in (({}, 401, "not-authenticated"), (shop.person("seller").headers, 403, "forbidden")):
        for path in ("/queries", "/synonyms"):
            problem(shop.client.get(f"{ROOT}{path}", headers=who), status, code)
        for path, body in (("/synonyms", {"word": "a", "synonym": "b"}), ("/synonyms/suggestions", None)):
            problem(shop.client.post(f"{ROOT}{path}", json=body, headers=who), status, code)
        decision = shop.client.put(f"{ROOT}/synonyms/{uuid4()}/decision", json={"decision": "accepted"}, headers=who)
        problem(decision, status, code)


def test_without_marts_nothing_is_searched_for_and_nothing_suggested(shop: Shop, admin: Person) -> None:
    report = _asked(shop, admin, "/queries")

    assert (report["firstDay"], report["lastDay"], report["queries"]) == (None, None, [])
    assert set(report["totals"].values()) == {0}
    suggested = shop.client.post(f"{ROOT}/synonyms/suggestions", headers=admin.headers)
    assert suggested.json() == {"added": 0}


def test_what_is_searched_for_in_each_order(shop: Shop, admin: Person, published: None) -> None:
    report = _asked(shop, admin, "/queries", days=2)

    assert (report["firstDay"], report["lastDay"]) == ("2026-03-30", "2026-03-31")
    assert report["totals"] == {
        "searches": 9, "shoppers": 3, "terms": 3, "emptySearches": 3, "clickedSearches": 3, "cartedSearches": 1,
    }  # fmt: skip
    assert report["queries"][0] == {
        "term": "lamp", "searches": 4, "shoppers": 3, "emptySearches": 0, "clickedSearches": 3, "cartedSearches": 1,
        "orderedSearches": 1, "zeroResultRate": 0.0, "clickThroughRate": 0.75,
        "meanReciprocalRank": pytest.approx((1 + 1 / 4 + 0) / 3), "cartRate": 0.25,
    }  # fmt: skip

    def terms(**params: Any) -> list[str]:
        return [one["term"] for one in _asked(shop, admin, "/queries", **params)["queries"]]

    assert terms(days=2) == ["lamp", "rug", "couch"]
    assert terms(days=2, order="worst") == ["rug", "couch", "lamp"]
    assert terms(days=2, order="empty") == ["couch", "rug"]
    assert terms(days=400) == ["lamp", "rug", "couch", "old"]
    assert terms(limit=1) == ["lamp"]
    refused = shop.client.get(f"{ROOT}/queries", params={"order": "best"}, headers=admin.headers)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/order")


def test_suggestions_are_decided_once_and_not_suggested_again(shop: Shop, admin: Person, published: None) -> None:
    asked = shop.client.post(f"{ROOT}/synonyms/suggestions", headers=admin.headers)
    again = shop.client.post(f"{ROOT}/synonyms/suggestions", headers=admin.headers)
    assert (asked.json(), again.json()) == ({"added": 2}, {"added": 0})

    suggested = {one["word"]: one for one in _asked(shop, admin, "/synonyms")["synonyms"]}
    assert suggested.keys() == {"couch", "tele"}
    couch = suggested["couch"]
    shown = ("synonym", "language", "state", "source", "searches", "shoppers", "products", "sellers", "decisions")
    assert [couch[name] for name in shown] == ["sofa", None, "suggested", "log", 9, 4, 3, 2, []]

    accepted = _decide(shop, admin, couch["synonymId"], "accepted").json()
    assert (accepted["state"], _said(accepted)) == ("accepted", [("accepted", admin.user_id)])
    assert _decide(shop, admin, couch["synonymId"], "accepted").json() == accepted
    other = shop.admin()
    removed = _decide(shop, other, couch["synonymId"], "removed").json()
    assert _said(removed) == [("removed", other.user_id), ("accepted", admin.user_id)]
    refused = _decide(shop, other, suggested["tele"]["synonymId"], "refused").json()
    assert refused["state"] == "refused"
    assert shop.client.post(f"{ROOT}/synonyms/suggestions", headers=admin.headers).json() == {"added": 0}
    assert _asked(shop, admin, "/synonyms")["synonyms"] == []
    assert [one["word"] for one in _asked(shop, admin, "/synonyms", state="removed")["synonyms"]] == ["couch"]
    problem(_decide(shop, admin, suggested["tele"]["synonymId"], "removed"), 409, "synonym-unused")
    problem(_decide(shop, admin, str(uuid4()), "accepted"), 404, "synonym-not-found")


def test_a_person_may_add_a_pair_in_any_order_and_spelling(shop: Shop, admin: Person) -> None:
    first, again = _add(shop, admin, "  Trousers ", "PANTS"), _add(shop, admin, "pants", "trousers")

    assert (first.status_code, again.json()) == (201, first.json())
    assert (first.json()["word"], first.json()["synonym"], first.json()["source"]) == ("pants", "trousers", "person")
    german = _add(shop, admin, "hose", "trousers", "de").json()
    assert (german["language"], german["synonymId"] != first.json()["synonymId"]) == ("de", True)
    same = _add(shop, admin, "Café", "cafe")
    assert (same.status_code, "same" in same.json()["errors"][0]["message"]) == (422, True)
    long = _add(shop, admin, "a thing to sit on", "sofa")
    assert (long.status_code, "four" in long.text or "4 words" in long.text) == (422, True)
    card = _add(shop, admin, "4111 1111 1111 1111", "card")
    assert (card.status_code, card.json()["errors"][0]["pointer"]) == (422, "/word")


def test_administrators_at_once_decide_once(shop: Shop, admin: Person) -> None:
    synonym = _add(shop, admin, f"word {uuid4().hex[:8]}", "other").json()["synonymId"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _decide(shop, admin, synonym, "removed"), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert _said(answers[0].json()) == [("removed", admin.user_id), ("accepted", admin.user_id)]
    kept_rows = shop.scalar("select count(*) from search_synonym_decisions where synonym_id = %s", (synonym,))
    assert kept_rows == 2


def test_pages_continue_where_the_last_one_ended(shop: Shop, admin: Person) -> None:
    for number in range(5):
        _add(shop, admin, f"page {number}", f"sheet {number}")
    everything = _asked(shop, admin, "/synonyms", state="accepted", limit=100)["synonyms"]
    found: list[Any] = []
    cursor = None
    while True:
        page = _asked(shop, admin, "/synonyms", state="accepted", limit=2, **({"cursor": cursor} if cursor else {}))
        found += page["synonyms"]
        cursor = page["pagination"]["nextCursor"]
        if cursor is None:
            break

    assert found == everything
    assert [one["word"] for one in found[:5]] == [f"page {number}" for number in range(4, -1, -1)]
    second = _asked(shop, admin, "/synonyms", state="accepted", limit=2, page=2)["synonyms"]
    assert second == everything[2:4]


def _kept(context: Context) -> KeptSynonyms:
    cache = PageCache(context.settings.redis_url.get_secret_value(), "test", 1_000_000, 0)
    return KeptSynonyms(context, cache, Current())


async def test_a_process_has_what_is_accepted_within_seconds_and_asks_seldom(
    shop: Shop, admin: Person, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    async def counted(tx: Any) -> Any:
        nonlocal reads
        reads += 1
        return await queries.accepted(tx)

    monkeypatch.setattr(kept, "accepted", counted)
    synonyms, word = _kept(context), uuid4().hex
    await synonyms.look()
    assert reads == 1
    assert synonyms.current.of(word) == []

    synonym = (await asyncio.to_thread(_add, shop, admin, word, "wanted")).json()["synonymId"]
    began = time.monotonic()
    while not synonyms.current.of(word) and time.monotonic() < began + 5:
        await synonyms.look()
        await asyncio.sleep(0.002)
    assert synonyms.current.of(word) == ["wanted"]
    assert time.monotonic() - began < 3
    assert reads <= 2 + (time.monotonic() - began) / kept.PAUSE_SECONDS

    await asyncio.to_thread(_decide, shop, admin, synonym, "removed")
    while synonyms.current.of(word) and time.monotonic() < began + 10:
        await synonyms.look()
        await asyncio.sleep(0.002)
    assert synonyms.current.of(word) == []


async def test_the_last_synonyms_stay_in_use_while_the_database_does_not_answer(
    shop: Shop, admin: Person, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(_add, shop, admin, "kettle", "teapot")
    synonyms = _kept(context)
    await synonyms.look()

    async def refused(_: Any) -> Any:
        raise OSError("gone")

    monkeypatch.setattr(kept, "accepted", refused)
    await asyncio.sleep(kept.PAUSE_SECONDS)
    await synonyms.look()
    await asyncio.sleep(0.1)
    assert synonyms.current.of("kettle") == ["teapot"]


async def test_a_decision_drops_the_table_of_every_process(shop: Shop, admin: Person, context: Context) -> None:
    synonym = (await asyncio.to_thread(_add, shop, admin, uuid4().hex, "told")).json()["synonymId"]
    said = shop.sql.execute(
        "select event_type from outbox_events where aggregate_type = 'search_synonym' and aggregate_id = %s", (synonym,)
    ).fetchall()

    assert [row[0] for row in said] == ["SynonymsChanged"]
    async with context.db.read() as tx:
        assert await DROPS[0](tx, [_pending("search_synonym")]) == {SYNONYMS}
        assert await DROPS[0](tx, [_pending("product")]) == set()


def _pending(kind: str) -> Pending:
    return Pending(UUID(int=1), kind, UUID(int=2), 1, "Changed", "{}", datetime.now(UTC))


async def test_searches_find_by_accepted_synonyms_within_seconds_and_by_removed_ones_no_longer(
    shop: Shop, admin: Person, context: Context
) -> None:
    shop.product(shop.person("seller"), title="Chesterfield sofa, green", brand="Comfy")
    await Indexer(IndexStore.of(context.settings)).refresh(context)
    await asyncio.sleep(0.3)

    def found(q: str) -> list[str]:
        answer = shop.client.get("/api/v1/search", params={"q": q})
        assert answer.status_code == 200, answer.text
        return [result["title"] for result in answer.json()["results"]]

    def seconds_until(q: str, expected: list[str]) -> float:
        began = time.monotonic()
        while (now := found(q)) != expected and time.monotonic() < began + 10:
            time.sleep(0.05)
        assert now == expected
        return time.monotonic() - began

    assert found("chesterfield couch") == ["Chesterfield sofa, green"]
    assert found("couch") == []
    synonym = _add(shop, admin, "couch", "sofa").json()["synonymId"]
    assert seconds_until("couch", ["Chesterfield sofa, green"]) < 3
    assert found("green couch") == ["Chesterfield sofa, green"]
    _decide(shop, admin, synonym, "removed")
    assert seconds_until("couch", []) < 3


async def test_completions_begin_with_what_many_found_something_by(
    shop: Shop, context: Context, published: None
) -> None:
    for number in range(2):
        shop.product(shop.person("seller"), title=f"Lamp for a desk {number}", brand=f"Lumen {number}")
    found = await marts.frequent_queries(context)
    indexer = Indexer(IndexStore.of(context.settings), marts.frequent_queries)
    await indexer.refresh(context)
    asked = {"q": "desk la", "language": "en"}
    await asyncio.sleep(0.3)
    completed = (await asyncio.to_thread(shop.client.get, "/api/v1/search/autocomplete", params=asked)).json()

    assert [(one.text, one.language, one.count) for one in found] == [("desk lamp", None, 60), ("lamp", "en", 40)]
    assert completed["suggestions"][0] == "desk lamp"


async def test_there_is_nothing_to_complete_to_before_the_first_build_or_when_the_marts_are_damaged(
    context: Context, published: None
) -> None:
    path = context.settings.marts_path
    kept_file = path.read_bytes()
    path.unlink()
    assert list(await marts.frequent_queries(context)) == []
    path.write_bytes(b"not a database" * 100)
    assert list(await marts.frequent_queries(context)) == []
    path.write_bytes(kept_file)
    assert len(await marts.frequent_queries(context)) == 2
