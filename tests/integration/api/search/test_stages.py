"""Search with its stages over HTTP: a serving process that answers, is slow, answers nonsense or is dead, next to the
same shop without stages on the same index."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.kernel.context import open_context
from api.kernel.outbound import WINDOW
from api.kernel.settings import Settings
from api.search import weights
from api.search.engine.store import IndexStore
from api.search.sync import Indexer
from tests.harness.api import running_api
from tests.harness.fake_serving import RecommenderProcess, running_recommender
from tests.harness.sessions import guest_headers
from tests.harness.shop import Shop

# Long, so that a busy machine fails no test; what is late is late by seconds.
DEADLINE = 0.6
BROKEN = ["slow", "error", "rubbish", "wrong", "huge"]
# Equal words, so that the engine's order is theirs by length alone.
TITLES = [f"Oak lamp {'and more ' * more}{name}".strip() for more, name in enumerate(["one", "two", "three", "four"])]


@pytest.fixture(scope="module")
def serving() -> Iterator[RecommenderProcess]:
    with running_recommender() as process:
        yield process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages-home")


@pytest.fixture(scope="module")
def staged(serving: RecommenderProcess, home: Path, database_url: str, redis_url: str) -> Iterator[Shop]:
    with running_api(
        home,
        database_url,
        redis_url,
        SOUK_SERVING_URL=serving.url,
        SOUK_SEARCH_SEMANTIC="true",
        SOUK_SEARCH_PERSONAL="true",
        SOUK_SEARCH_STAGES_SECONDS=str(DEADLINE),
    ) as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def goods(staged: Shop, database_url: str, redis_url: str, home: Path) -> AsyncIterator[dict[str, str]]:
    """Title -> product of the lamps, and of a chair, in an index."""
    seller = staged.person("seller")
    ids = {title: staged.product(seller, title=title)["productId"] for title in [*TITLES, "Chair"]}
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        assert await Indexer(IndexStore(home / "search")).refresh(context) == len(ids)
        await asyncio.sleep(0.3)  # readers look for a new index five times a second
        yield ids


@pytest.fixture(scope="module")
def plain(
    goods: dict[str, str], home: Path, database_url: str, redis_url: str, serving: RecommenderProcess
) -> Iterator[httpx.Client]:
    """The shop without stages, next to the same serving process."""
    with running_api(home, database_url, redis_url, SOUK_SERVING_URL=serving.url) as server, server.client() as client:
        yield client


def _asked(client: httpx.Client, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    answer = client.get("/api/v1/search", params={"q": "oak lamp", **params}, headers=headers or {})
    assert answer.status_code == 200, answer.text
    return answer


def _titles(answer: httpx.Response) -> list[str]:
    return [result["title"] for result in answer.json()["results"]]


def _guest(shop: Shop, title_ids: list[str]) -> dict[str, str]:
    """The headers of a guest who has looked at these products."""
    headers = guest_headers()
    for product in title_ids:
        event = {"type": "view", "productId": product}
        answer = shop.client.post("/api/v1/events", json={"events": [event]}, headers=headers)
        assert answer.json() == {"accepted": 1}
    return headers


def test_without_its_switches_serving_is_not_asked(plain: httpx.Client, serving: RecommenderProcess) -> None:
    serving.score()

    assert _titles(_asked(plain)) == TITLES
    assert serving.asked() == []


def test_what_is_nearer_to_the_query_comes_first(
    staged: Shop, plain: httpx.Client, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    serving.score(similarity={goods[title]: 0.1 + place / 10 for place, title in enumerate(TITLES)})

    answer = _asked(staged.client)

    assert _titles(answer)[0] == TITLES[-1]
    assert sorted(_titles(answer)) == sorted(TITLES)
    # Nothing but the order of the results is another.
    others = [{**_asked(client).json(), "results": None} for client in (staged.client, plain)]
    assert others[0] == others[1]
    (asked, _) = serving.asked()
    assert asked == {
        "path": "/v1/search-scores", "text": "oak lamp", "productIds": [goods[title] for title in TITLES],
        "userId": None, "recent": [],
    }  # fmt: skip
    assert "Cache-Control" not in answer.headers


def test_pages_are_cut_from_one_order(staged: Shop, serving: RecommenderProcess, goods: dict[str, str]) -> None:
    serving.score(similarity={goods[title]: 0.1 + place / 10 for place, title in enumerate(TITLES)})
    whole = _titles(_asked(staged.client))

    assert [_titles(_asked(staged.client, limit=1, page=page))[0] for page in (1, 2, 3, 4)] == whole
    assert _titles(_asked(staged.client, limit=3, page=2)) == whole[3:]
    assert _titles(_asked(staged.client, limit=weights.STAGED, page=2)) == []


def test_a_product_without_a_vector_keeps_its_place_among_the_others(
    staged: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    serving.score(similarity={goods[TITLES[2]]: 0.1, goods[TITLES[3]]: 0.9})

    # The first two count as their words do; of the others, words and meaning are half each.
    assert _titles(_asked(staged.client)).index(TITLES[0]) < _titles(_asked(staged.client)).index(TITLES[1])
    assert _titles(_asked(staged.client))[-1] == TITLES[2]


@pytest.mark.parametrize("params", [{"sort": "price_asc"}, {"q": ""}, {"page": 3}, {"q": "chair"}, {"q": "nothing"}])
def test_there_is_nothing_to_ask(
    staged: Shop, plain: httpx.Client, serving: RecommenderProcess, params: dict[str, Any]
) -> None:
    serving.score(similarity={})

    assert _asked(staged.client, **params).content == _asked(plain, **params).content
    assert serving.asked() == []


def test_the_shoppers_own_come_before_their_equals_and_the_answer_is_theirs_alone(
    staged: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    person = staged.person()
    guest = _guest(staged, [goods["Chair"], goods[TITLES[3]]])
    # Nearness makes the first two nearly equal.
    near = dict.fromkeys((goods[title] for title in TITLES), 0.2) | {goods[TITLES[1]]: 0.21}
    serving.score(near)
    assert _titles(_asked(staged.client))[:2] == [TITLES[1], TITLES[0]]
    serving.score(near, dict.fromkeys((goods[title] for title in TITLES), 0.0) | {goods[TITLES[2]]: 1.0})

    for headers in (person.headers, guest):
        answer = _asked(staged.client, headers)

        assert answer.headers["Cache-Control"] == "private, no-store"
    assert [(asked["userId"], asked["recent"]) for asked in serving.asked()] == [
        (person.user_id, []),
        (None, [goods["Chair"], goods[TITLES[3]]]),
    ]


def test_a_bonus_decides_between_near_equals_and_lifts_nothing_over_a_better_match(
    staged: Shop, serving: RecommenderProcess, goods: dict[str, str]
) -> None:
    guest = _guest(staged, [goods["Chair"]])
    serving.score(None, dict.fromkeys((goods[title] for title in TITLES), 0.0) | {goods[TITLES[1]]: 1.0})
    scores = _titles(_asked(staged.client, guest))

    assert sorted(scores) == sorted(TITLES)
    assert scores.index(TITLES[1]) <= 1


def test_a_token_that_is_not_valid_is_as_none(staged: Shop, plain: httpx.Client, serving: RecommenderProcess) -> None:
    serving.score()
    headers = {"Authorization": "Bearer nonsense"}

    assert _asked(staged.client, headers).content == _asked(plain, headers).content
    assert [asked["userId"] for asked in serving.asked()] == [None]


@pytest.mark.parametrize("mode", BROKEN)
def test_without_an_answer_in_time_the_order_is_that_of_the_words(
    staged: Shop, plain: httpx.Client, serving: RecommenderProcess, goods: dict[str, str], mode: str
) -> None:
    serving.score(similarity={goods[title]: 0.1 + place / 10 for place, title in enumerate(TITLES)})
    serving.behave(mode)
    started = time.monotonic()

    answer = _asked(staged.client)

    assert time.monotonic() - started < DEADLINE + 0.5
    assert answer.content == _asked(plain).content
    assert "Cache-Control" not in answer.headers


def test_a_serving_process_that_is_gone_is_soon_asked_no_more(
    staged: Shop, plain: httpx.Client, serving: RecommenderProcess
) -> None:
    serving.stop()
    expected = _asked(plain).content

    for _ in range(WINDOW):
        assert _asked(staged.client).content == expected
    started = time.monotonic()
    assert _asked(staged.client).content == expected
    # The breaker is open: nothing is waited for.
    assert time.monotonic() - started < DEADLINE
