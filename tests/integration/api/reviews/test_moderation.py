"""Moderation of reviews: what waits, what is decided about it and by whom, what authors are told, and appeals."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import httpx
import pytest

from api.kernel.context import Context
from api.reviews.reports.commands import REPORTS
from tests.harness.buying import Market
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import mailing_context, mails_to
from tests.harness.reviews import Reviewing
from tests.harness.shop import Person, problem

Mailing: TypeAlias = Callable[[], AbstractAsyncContextManager[Context]]
SPAM = "Great one. Call me: +49 170 1234567"
QUEUE = "/api/v1/admin/reviews/queue"


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


@pytest.fixture
def reviewing(market: Market, seller: Person) -> Reviewing:
    return Reviewing(market, seller)


@pytest.fixture
def mailing(database_url: str, redis_url: str, tmp_path: Path) -> Mailing:
    """The mail of the shop, sent when it is entered."""
    return partial(mailing_context, database_url, redis_url, tmp_path)


def queued(market: Market, admin: Person) -> dict[str, dict[str, Any]]:
    answer = market.client.get(QUEUE, params={"limit": 100}, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return {one["reviewId"]: one for one in answer.json()["reviews"]}


def decide(
    reviewing: Reviewing, admin: Person, review: str, decision: str, statement: str | None = None, *, version: int = 1
) -> httpx.Response:
    body = {"version": version, "decision": decision, **({} if statement is None else {"statement": statement})}
    return reviewing.market.client.put(f"/api/v1/admin/reviews/{review}/decision", json=body, headers=admin.headers)


def case(reviewing: Reviewing, who: Person, review: str) -> dict[str, Any]:
    answer = reviewing.on(who, "GET", review, "/decisions")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_what_waits_is_published_or_rejected_and_its_author_is_told(
    market: Market, reviewing: Reviewing, admin: Person, mailing: Mailing, database_url: str
) -> None:
    kind, rude = market.person(), market.person()
    good, bad = (reviewing.review(who, comment=SPAM)["reviewId"] for who in (kind, rude))
    assert [reviewing.on(kind, "GET", good).json()["status"], reviewing.listed()["reviews"]] == ["queued", []]
    seen = queued(market, admin)[good]
    assert (seen["product"], seen["cause"], seen["status"], seen["version"], seen["appeal"], seen["reports"]) == (
        reviewing.product["title"], "submitted", "queued", 1, None, 0,
    )  # fmt: skip
    assert [(one["rule"], one["words"]) for one in seen["reasons"]] == [
        ("contact", "It gives a way to contact somebody."),
        ("new-account", "Its author's account is new."),
        ("unverified", "Its author did not buy the product here."),
    ]
    assert seen["score"] == round(1 - 0.4 * 0.88 * 0.9, 3)

    published = decide(reviewing, admin, good, "publish")
    rejected = decide(reviewing, admin, bad, "reject", "It advertises.")

    assert (published.status_code, published.json()["status"]) == (200, "published")
    assert decide(reviewing, admin, bad, "reject", "It advertises.").json() == rejected.json()
    problem(decide(reviewing, admin, bad, "publish"), 409, "review-decided")
    assert not {good, bad} & set(queued(market, admin))
    assert [one["reviewId"] for one in reviewing.listed()["reviews"]] == [good]
    told = case(reviewing, rude, bad)
    assert [(one["decision"], one["cause"], one["statement"], one["byAdministrator"]) for one in told["decisions"]] == [
        ("rejected", "administrator", "It advertises.", True), ("queued", "submitted", None, False),
    ]  # fmt: skip
    assert (told["status"], told["appealable"]) == ("rejected", True)
    problem(reviewing.on(kind, "GET", bad, "/decisions"), 404, "review-not-found")
    async with mailing() as ctx:
        (to_kind,), (to_rude,) = await mails_to(ctx, kind.email), await mails_to(ctx, rude.email)
    title = reviewing.product["title"]
    assert (to_kind.subject, to_rude.subject) == (
        f"Your review of {title} is published", f"Your review of {title} is not published",
    )  # fmt: skip
    assert "The reason: It advertises." in to_rude.text
    assert_invariants(database_url)


def test_administrators_who_decide_at_the_same_moment_decide_once(
    market: Market, reviewing: Reviewing, database_url: str
) -> None:
    review, admins = reviewing.review(market.person(), comment=SPAM)["reviewId"], [market.admin() for _ in range(4)]
    wanted = [(one, "publish" if place % 2 else "reject") for place, one in enumerate(admins)]

    with ThreadPoolExecutor(len(admins)) as crowd:
        answers = list(crowd.map(lambda one: decide(reviewing, one[0], review, one[1], "So."), wanted))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (made,) = [answer.json() for answer in answers if answer.status_code == 200]
    told = case(reviewing, admins[0], review)
    assert (told["status"], len(told["decisions"])) == (made["status"], 2)
    assert_invariants(database_url)


async def test_an_author_appeals_once_and_is_told_the_end(
    market: Market, reviewing: Reviewing, admin: Person, mailing: Mailing
) -> None:
    author = market.person()
    review = reviewing.review(author, comment=SPAM)["reviewId"]

    def appeal(comment: str) -> httpx.Response:
        return reviewing.on(author, "PUT", review, "/appeal", json={"comment": comment})

    problem(appeal("Too early."), 409, "not-appealable")
    assert decide(reviewing, admin, review, "reject", "It advertises.").status_code == 200
    first = appeal("It is my own address, I took it out of the picture.")
    assert (first.status_code, first.json()["appealable"]) == (200, False)
    assert appeal("It is my own address, I took it out of the picture.").json() == first.json()
    problem(appeal("And another thing."), 409, "already-appealed")
    problem(reviewing.on(market.person(), "PUT", review, "/appeal", json={"comment": "x"}), 404, "review-not-found")
    seen = queued(market, admin)[review]
    assert (seen["cause"], seen["status"], seen["appeal"]) == (
        "appeal", "rejected", "It is my own address, I took it out of the picture.",
    )  # fmt: skip
    assert reviewing.listed()["reviews"] == []

    assert decide(reviewing, market.admin(), review, "reject", "It is still there.").status_code == 200

    assert review not in queued(market, admin)
    problem(appeal("Again."), 409, "already-appealed")
    async with mailing() as ctx:
        last = (await mails_to(ctx, author.email))[0]
    assert "It is still there." in last.text
    assert "An administrator has read what you said to that." in last.text


def test_an_edit_is_judged_anew_and_a_rejected_one_waits_for_a_person(
    market: Market, reviewing: Reviewing, admin: Person
) -> None:
    author, other = market.person(), market.person()
    waiting = reviewing.review(author, comment=SPAM)["reviewId"]
    problem(decide(reviewing, admin, waiting, "publish", version=2), 412, "review-changed")
    assert reviewing.on(author, "PATCH", waiting, json={"comment": "Great one."}).json()["status"] == "published"
    assert waiting not in queued(market, admin)

    refused = reviewing.review(other, comment=SPAM)["reviewId"]
    assert decide(reviewing, admin, refused, "reject", "It advertises.").status_code == 200
    edited = reviewing.on(other, "PATCH", refused, json={"comment": "Great one."}).json()
    assert edited["status"] == "queued"
    assert queued(market, admin)[refused]["reasons"][0]["rule"] == "refused"
    assert decide(reviewing, admin, refused, "publish", version=2).json()["status"] == "published"
    assert reviewing.on(other, "PATCH", refused, json={"comment": "Great one!!"}).json()["status"] == "published"


def test_a_decided_review_is_looked_at_again(market: Market, reviewing: Reviewing, admin: Person) -> None:
    author = market.person()
    review = reviewing.review(author)["reviewId"]
    path = f"/api/v1/admin/reviews/{review}/reopening"

    answer = market.client.put(path, json={"statement": "A new report came by mail."}, headers=admin.headers)

    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert market.client.put(path, json={"statement": "Again."}, headers=admin.headers).json() == answer.json()
    assert reviewing.listed()["reviews"] == []
    assert queued(market, admin)[review]["cause"] == "reopened"
    assert decide(reviewing, admin, review, "publish").json()["status"] == "published"
    problem(market.client.put(path, json={"statement": "x"}, headers=author.headers), 403, "forbidden")
    problem(market.client.get(QUEUE, headers=author.headers), 403, "forbidden")


def test_reported_reviews_wait_and_stay_until_it_is_decided(
    market: Market, reviewing: Reviewing, admin: Person
) -> None:
    author, shoppers = market.person(), [market.person() for _ in range(REPORTS + 1)]
    review = reviewing.review(author)["reviewId"]

    def report(who: Person) -> None:
        assert reviewing.on(who, "POST", review, "/report", json={"reason": "paid"}).status_code == 204

    for who in shoppers[:REPORTS]:
        assert review not in queued(market, admin)
        report(who)
    seen = queued(market, admin)[review]
    assert (seen["cause"], seen["status"], seen["reports"]) == ("reported", "published", REPORTS)
    assert [one["words"] for one in seen["reasons"]] == [f"{REPORTS} shoppers reported it."]
    report(shoppers[0])
    report(shoppers[REPORTS])
    later = queued(market, admin)[review]
    assert [one["words"] for one in later["reasons"]] == [f"{REPORTS + 1} shoppers reported it."]
    assert later["queuedAt"] == seen["queuedAt"]
    # An edit does not take it out of the queue.
    assert reviewing.on(author, "PATCH", review, json={"rating": 4}).json()["status"] == "published"
    assert decide(reviewing, admin, review, "publish", version=2).status_code == 200
    # What was reported before somebody decided counts no more; what the same shoppers report then does.
    for who in shoppers[:REPORTS]:
        assert review not in queued(market, admin)
        report(who)
    assert review in queued(market, admin)


def test_sellers_may_take_reviews_of_buyers_only(market: Market) -> None:
    seller, visitor, buyer = market.person("seller"), market.person(), market.person()
    reviewing = Reviewing(market, seller)
    reviewing.bought(buyer)

    def only(wanted: bool, path: str, who: Person = seller) -> httpx.Response:
        return market.client.put(path, json={"buyersOnly": wanted}, headers=who.headers)

    product, store = f"{reviewing.path}/buyers-only", "/api/v1/sellers/me/reviews/buyers-only"
    for path in (product, store):
        assert only(True, path).status_code == 204
        problem(reviewing.send(visitor), 403, "buyers-only")
        assert only(False, path).status_code == 204
    assert only(True, product).status_code == 204
    assert reviewing.review(buyer)["verifiedPurchase"] is True
    problem(only(True, product, market.person("seller")), 403, "not-your-product")
    problem(only(True, f"/api/v1/products/{uuid4()}/reviews/buyers-only"), 404, "product-not-found")


def test_copies_and_shared_places_are_seen_across_products_and_accounts(market: Market, seller: Person) -> None:
    first, second = Reviewing(market, seller), Reviewing(market, seller)
    text = "The handle is solid, the lid closes well, and after a month of daily use it looks like new."
    assert first.review(market.person(), comment=text)["status"] == "published"
    copy = second.review(market.person(), comment=text.replace("month", "year").upper())
    assert copy["status"] == "queued"

    def from_address(who: Person, address: str) -> str:
        body = {"rating": 5, "comment": f"Nice {uuid4().hex}"}
        headers = {**who.headers, "X-Forwarded-For": address}
        answer = market.client.post(first.path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        status: str = answer.json()["status"]
        return status

    # Two of a household pass, the third account of one address about one product waits.
    assert [from_address(market.person(), "203.0.113.7") for _ in range(3)] == ["published"] * 3
    household = [from_address(market.person(), "9.9.9.9") for _ in range(4)]
    assert household == ["published", "queued", "queued", "queued"]
