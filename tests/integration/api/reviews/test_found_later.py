"""What is found of reviews and votes after they were written: in the marts, by the model of language, among voters."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, patch
from uuid import UUID, uuid4

import duckdb
import pytest
from sqlalchemy import true

from api.analytics import suspicions
from api.analytics.suspicions import Suspects
from api.kernel.context import Context
from api.reviews import commands
from api.reviews.moderation import commands as moderation
from api.reviews.moderation.jobs import read_languages
from api.reviews.votes import brigades
from api.reviews.votes.brigades import FEWEST, Brigades
from tests.harness.buying import Market
from tests.harness.fake_serving import RecommenderProcess, running_recommender
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import mailing_context
from tests.harness.reviews import Reviewing
from tests.harness.shop import Person

SPAM = "Great one. Call me: +49 170 1234567"
QUEUE = "/api/v1/admin/reviews/queue"


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


@pytest.fixture
def reviewing(market: Market, seller: Person) -> Reviewing:
    return Reviewing(market, seller)


@pytest.fixture(scope="module")
def serving() -> Iterator[RecommenderProcess]:
    with running_recommender() as process:
        yield process


@pytest.fixture
async def worker(
    database_url: str, redis_url: str, tmp_path: Path, serving: RecommenderProcess
) -> AsyncIterator[Context]:
    """The context of a worker whose marts are a file of the test."""
    changed = {"SOUK_MARTS_PATH": tmp_path / "souk.duckdb", "SOUK_SERVING_URL": serving.url}
    async with mailing_context(database_url, redis_url, tmp_path, **changed) as ctx:
        yield ctx


def queued(market: Market, admin: Person) -> dict[str, dict[str, Any]]:
    answer = market.client.get(QUEUE, params={"limit": 100}, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return {one["reviewId"]: one for one in answer.json()["reviews"]}


def publish(path: Path, lsn: str, suspicions: list[tuple[str, str, int, float]]) -> None:
    """Marts with these suspicions, at a watermark."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as marts:
        marts.execute("create table mart_watermark as select ? as lsn_text, now() as as_of", (lsn,))
        marts.execute(
            "create table fct_review_suspicions (review_id varchar, pattern varchar, accounts bigint, score double,"
            " written_at timestamptz default now())"
        )
        for one in suspicions:
            marts.execute(
                "insert into fct_review_suspicions (review_id, pattern, accounts, score) values (?, ?, ?, ?)", one
            )


async def test_what_the_marts_suspect_waits_and_what_is_published_then_does_not_wait_again(
    market: Market, reviewing: Reviewing, admin: Person, worker: Context, database_url: str
) -> None:
    ring, other = (reviewing.review(market.person())["reviewId"] for _ in range(2))
    found = [(ring, "ring", 5, 0.75), (ring, "burst", 9, 0.95), (str(uuid4()), "ring", 4, 0.7)]
    publish(worker.settings.marts_path, "0/1", found)
    suspects = Suspects()

    assert await suspects.gather(worker) == 1

    seen = queued(market, admin)
    assert (seen[ring]["cause"], seen[ring]["status"], seen[ring]["score"]) == ("suspected", "queued", 0.95)
    assert [one["words"] for one in seen[ring]["reasons"]] == [
        "9 new accounts that bought nothing agree about its product within a day.",
        "5 accounts that share a place agree about its seller.",
    ]
    assert [one["reviewId"] for one in reviewing.listed()["reviews"]] == [other]
    assert await suspects.gather(worker) == 0
    body = {"version": 1, "decision": "publish"}
    path = f"/api/v1/admin/reviews/{ring}/decision"
    assert market.client.put(path, json=body, headers=admin.headers).json()["status"] == "published"
    publish(worker.settings.marts_path, "0/2", found)
    assert await suspects.gather(worker) == 0
    assert {one["reviewId"] for one in reviewing.listed()["reviews"]} == {ring, other}
    assert_invariants(database_url)


async def test_toxic_words_are_found_when_the_model_is_back(
    market: Market, reviewing: Reviewing, admin: Person, worker: Context, serving: RecommenderProcess
) -> None:
    kind, rude = (
        reviewing.review(market.person(), comment=text, rating=1) for text in ("It broke.", "You stupid fools.")
    )
    assert [kind["status"], rude["status"]] == ["published", "published"]
    serving.behave("error")
    assert await read_languages(worker) == 0

    serving.find_toxic({"You stupid fools.": 0.99})
    while await read_languages(worker):
        pass

    seen = queued(market, admin)
    assert kind["reviewId"] not in seen
    assert (seen[rude["reviewId"]]["cause"], seen[rude["reviewId"]]["status"]) == ("language", "queued")
    assert [one["rule"] for one in seen[rude["reviewId"]]["reasons"]] == ["toxic"]


async def test_votes_of_a_brigade_count_no_more_until_they_are_released(
    market: Market, reviewing: Reviewing, admin: Person, worker: Context, database_url: str
) -> None:
    review = reviewing.review(market.person())["reviewId"]
    brigade, friend = [market.person() for _ in range(FEWEST)], market.person()
    market.sql.execute("update users set created_at = now() - interval '1 year' where user_id = %s", (friend.user_id,))
    for who in (*brigade, friend):
        assert reviewing.on(who, "POST", review, "/helpful").status_code == 200

    assert await Brigades().set_aside(worker) == FEWEST

    def counts(who: Person | None = None) -> tuple[int, int, str | None]:
        body = reviewing.on(who, "GET", review).json()
        return body["helpfulCount"], body["notHelpfulCount"], body["vote"]

    assert (counts(), counts(brigade[0]), counts(friend)) == ((1, 0, None), (1, 0, "helpful"), (1, 0, "helpful"))
    assert await Brigades().set_aside(worker) == 0
    # A member of it changes and takes back their vote, and nothing is counted twice.
    assert reviewing.on(brigade[0], "POST", review, "/not-helpful").json()["notHelpfulCount"] == 0
    assert reviewing.on(brigade[1], "DELETE", review, "/vote").json()["helpfulCount"] == 1
    assert_invariants(database_url)
    path = f"/api/v1/admin/reviews/{review}/votes/release"
    released = market.client.put(path, headers=admin.headers).json()
    assert (released["released"], released["helpfulCount"], released["notHelpfulCount"]) == (FEWEST - 1, FEWEST - 1, 1)
    assert market.client.put(path, headers=admin.headers).json()["released"] == 0
    assert await Brigades().set_aside(worker) == 0
    assert counts() == (FEWEST - 1, 1, None)
    assert_invariants(database_url)


async def test_reviews_without_new_votes_are_not_looked_at_again(
    market: Market, reviewing: Reviewing, worker: Context
) -> None:
    busy, other = (reviewing.review(market.person())["reviewId"] for _ in range(2))
    looked_at: list[str] = []

    async def seen(_: object, review_id: UUID) -> int:
        looked_at.append(str(review_id))
        return 0

    def vote(review: str) -> None:
        assert reviewing.on(market.person(), "POST", review, "/helpful").status_code == 200

    for review in [busy] * FEWEST + [other] * (FEWEST - 1):
        vote(review)
    brigades_of_process = Brigades()
    with patch.object(brigades, "_set_aside", seen), patch.object(brigades, "LATE", timedelta(0)):
        for _ in range(2):
            await brigades_of_process.set_aside(worker)
        assert looked_at == [busy]
        vote(other)
        await brigades_of_process.set_aside(worker)
        assert looked_at == [busy, other]
    assert await Brigades().set_aside(worker) == 2 * FEWEST


async def test_a_brigade_counts_where_its_votes_are_not_set_aside(
    market: Market, reviewing: Reviewing, worker: Context, admin: Person, database_url: str
) -> None:
    """Controls: without the rule, and where a count takes every vote."""
    review = reviewing.review(market.person())["reviewId"]
    for _ in range(FEWEST):
        assert reviewing.on(market.person(), "POST", review, "/helpful").status_code == 200

    with patch.object(brigades, "brigade", lambda votes: set()):
        assert await Brigades().set_aside(worker) == 0
    assert reviewing.on(None, "GET", review).json()["helpfulCount"] == FEWEST
    with patch.object(commands, "_COUNTED", true()):
        assert await Brigades().set_aside(worker) == FEWEST
    assert reviewing.on(None, "GET", review).json()["helpfulCount"] == FEWEST
    with pytest.raises(AssertionError, match="R-I11-votes"):
        assert_invariants(database_url)

    path = f"/api/v1/admin/reviews/{review}/votes/release"
    assert market.client.put(path, headers=admin.headers).json()["helpfulCount"] == FEWEST
    assert_invariants(database_url)


async def test_what_is_found_of_another_kind_waits_again_once(
    market: Market, reviewing: Reviewing, admin: Person, worker: Context, database_url: str
) -> None:
    """An administrator who published spam knew of the telephone number, not of the ring, and then not of the burst."""
    author = market.person()
    review = reviewing.review(author, comment=SPAM)["reviewId"]
    ring, burst = (review, "ring", 5, 0.75), (review, "burst", 9, 0.95)
    marks = map("0/{}".format, range(1, 20))

    async def waits(*found: tuple[str, str, int, float]) -> list[tuple[str, float, str]]:
        """The cause, the score and each reason for which it waits when the marts say this."""
        publish(worker.settings.marts_path, next(marks), list(found))
        count = await Suspects().gather(worker)
        seen = queued(market, admin).get(review)
        assert count == (seen is not None)
        return [] if seen is None else [(seen["cause"], seen["score"], one["rule"]) for one in seen["reasons"]]

    def decide() -> None:
        version = reviewing.on(author, "GET", review).json()["version"]
        path, body = f"/api/v1/admin/reviews/{review}/decision", {"version": version, "decision": "publish"}
        assert market.client.put(path, json=body, headers=admin.headers).json()["status"] == "published"

    decide()
    assert await waits(ring) == [("suspected", 0.75, "ring")]
    # The author's edit is published by the rules, and answers nothing.
    assert reviewing.on(author, "PATCH", review, json={"comment": "My own words."}).json()["status"] == "published"
    assert await waits(ring) == [("suspected", 0.75, "ring")]
    decide()
    assert await waits(ring) == []
    assert await waits(ring, burst) == [("suspected", 0.95, "burst")]
    decide()
    assert await waits(ring, burst) == []
    assert_invariants(database_url)


async def test_what_an_administrator_published_would_wait_again_without_its_decision(
    market: Market, reviewing: Reviewing, admin: Person, worker: Context
) -> None:
    """A control of the tests above, for what is asked of all and for what is asked under the lock."""
    ring = reviewing.review(market.person())["reviewId"]
    publish(worker.settings.marts_path, "0/1", [(ring, "ring", 5, 0.75)])
    assert await Suspects().gather(worker) == 1
    path, body = f"/api/v1/admin/reviews/{ring}/decision", {"version": 1, "decision": "publish"}
    assert market.client.put(path, json=body, headers=admin.headers).json()["status"] == "published"

    assert await Suspects().gather(worker) == 0
    every = AsyncMock(return_value={(UUID(ring), "ring")})
    with patch.object(suspicions, "unanswered", every):
        assert await Suspects().gather(worker) == 0
        with patch.object(moderation, "unanswered", every):
            assert await Suspects().gather(worker) == 1

    assert queued(market, admin)[ring]["cause"] == "suspected"
