"""Each guard of reviews and of their moderation holds; `test_guard_mutants.py` tries the same where it is gone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.harness.buying import Market
from tests.harness.reviews import Reviewing
from tests.harness.shop import Person

SPAM = "Great one. Call me: +49 170 1234567"


def decide(reviewing: Reviewing, who: Person, review: str, decision: str, version: int = 1) -> httpx.Response:
    body = {"version": version, "decision": decision, "statement": f"So says {who.email}."}
    return reviewing.market.client.put(f"/api/v1/admin/reviews/{review}/decision", json=body, headers=who.headers)


def waiting(reviewing: Reviewing) -> str:
    return str(reviewing.review(reviewing.market.person(), comment=SPAM)["reviewId"])


def at_once(attempt: Callable[[Any], httpx.Response], those: list[Any]) -> list[int]:
    with ThreadPoolExecutor(len(those)) as crowd:
        return sorted(answer.status_code for answer in crowd.map(attempt, those))


def decided_twice(reviewing: Reviewing) -> object:
    review = waiting(reviewing)
    first, second = reviewing.market.admin(), reviewing.market.admin()
    return [
        decide(reviewing, first, review, "reject").status_code,
        decide(reviewing, second, review, "publish").status_code,
    ]


def decided_at_once(reviewing: Reviewing) -> object:
    review = waiting(reviewing)
    return at_once(lambda who: decide(reviewing, who, review, "reject"), [reviewing.market.admin() for _ in range(3)])


def decided_unseen(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    review = reviewing.review(author, comment=SPAM)["reviewId"]
    assert reviewing.on(author, "PATCH", review, json={"comment": f"{SPAM} or call again"}).status_code == 200
    return decide(reviewing, reviewing.market.admin(), review, "publish").status_code


def appealed_twice(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    review = reviewing.review(author, comment=SPAM)["reviewId"]
    assert decide(reviewing, reviewing.market.admin(), review, "reject").status_code == 200
    return [
        reviewing.on(author, "PUT", review, "/appeal", json={"comment": words}).status_code
        for words in ("One.", "Two.")
    ]


def edited_after_a_rejection(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    review = reviewing.review(author, comment=SPAM)["reviewId"]
    assert decide(reviewing, reviewing.market.admin(), review, "reject").status_code == 200
    return reviewing.on(author, "PATCH", review, json={"comment": "Great one."}).json()["status"]


def edited_after_reports(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    review = reviewing.review(author)["reviewId"]
    reviewing.market.sql.execute(
        "insert into queued_reviews (review_id, cause, score, reasons) values (%s, 'reported', 0.5, '[]')", (review,)
    )
    assert reviewing.on(author, "PATCH", review, json={"rating": 4}).status_code == 200
    return reviewing.market.scalar("select count(*) from queued_reviews where review_id = %s", (review,))


def changed_after_it_was_set_aside(reviewing: Reviewing) -> object:
    review, voter = reviewing.review(reviewing.market.person())["reviewId"], reviewing.market.person()
    for who in (voter, reviewing.market.person()):
        assert reviewing.on(who, "POST", review, "/helpful").status_code == 200
    for change in (
        "update review_votes set standing = 'quarantined' where review_id = %s and user_id = %s",
        "update reviews set helpful_count = 1 where review_id = %s and user_id <> %s",
    ):
        reviewing.market.sql.execute(change, (review, voter.user_id))
    body = reviewing.on(voter, "POST", review, "/not-helpful").json()
    return body.get("helpfulCount"), body.get("notHelpfulCount")


def own_vote(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    review = reviewing.review(author)["reviewId"]
    return [reviewing.on(who, "POST", review, "/helpful").status_code for who in (author, reviewing.seller)]


def own_product(reviewing: Reviewing) -> object:
    return reviewing.send(reviewing.seller).status_code


def not_delivered(reviewing: Reviewing) -> object:
    buyer = reviewing.market.person()
    reviewing.bought(buyer, delivered=False)
    return reviewing.review(buyer)["verifiedPurchase"]


def delivered_to_another(reviewing: Reviewing) -> object:
    reviewing.bought(reviewing.market.person())
    return reviewing.review(reviewing.market.person())["verifiedPurchase"]


def twice(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    return [reviewing.send(author).status_code for _ in range(2)]


def twice_at_once(reviewing: Reviewing) -> object:
    author = reviewing.market.person()
    return at_once(lambda stars: reviewing.send(author, rating=stars), [1, 2, 3])


# The guard that is removed, what is tried, and how it ends in the shop.
GUARDS: dict[str, tuple[Callable[[Reviewing], object], object]] = {
    "decisions that are made again": (decided_twice, [200, 409]),
    "decisions without a lock": (decided_at_once, [200, 409, 409]),
    "decisions about what is there": (decided_unseen, 412),
    "appeals again": (appealed_twice, [200, 409]),
    "edits that undo a rejection": (edited_after_a_rejection, "queued"),
    "edits that leave the queue": (edited_after_reports, 1),
    "votes that come back": (changed_after_it_was_set_aside, (1, 0)),
    "authors who vote": (own_vote, [403, 403]),
    "sellers who review": (own_product, 403),
    "badges of orders": (not_delivered, False),
    "badges of anybody": (delivered_to_another, False),
    "reviews that nothing forbids": (twice, [201, 409]),
    "reviews without a lock": (twice_at_once, [201, 409, 409]),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_holds(market: Market, seller: Person, guard: str) -> None:
    attempt, end = GUARDS[guard]
    assert attempt(Reviewing(market, seller)) == end
