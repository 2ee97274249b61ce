"""What follows from reviews and deliveries by event: ratings, badges, and the mail that asks for a review."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.catalog import drops
from api.catalog.pages import product_tag
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.outbox import Pending
from api.operations.invariants.run import violations
from api.reviews.requests.commands import send_due
from tests.harness.api import Server
from tests.harness.buying import Market, Worker, wait_until
from tests.harness.mailing import mailing_context, mails_to, settle, token_in
from tests.harness.processes import KILLED
from tests.harness.reviews import Reviewing
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem
from tests.harness.soon import soon

UNSUBSCRIBE = "/api/v1/reviews/requests/unsubscribe"


@pytest.fixture
async def ctx(market: Market, database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    """Asks for a review as soon as something is delivered."""
    async with mailing_context(database_url, redis_url, tmp_path, SOUK_REVIEW_REQUEST_SECONDS=0) as context:
        yield context


@pytest.fixture
def reviewing(market: Market, seller: Person) -> Reviewing:
    return Reviewing(market, seller)


def _rating(reviewing: Reviewing) -> tuple[float, int]:
    detail = reviewing.market.detail(reviewing.id)
    return detail["rating"], detail["reviewCount"]


def _store(reviewing: Reviewing) -> tuple[float, float, float]:
    """What the store, the product's page and its offers say of the seller."""
    market, seller = reviewing.market, reviewing.seller.user_id
    store = market.client.get(f"/api/v1/sellers/{seller}").json()["rating"]
    offers = market.client.get(f"/api/v1/products/{reviewing.id}/offers").json()["offers"]
    return store, market.detail(reviewing.id)["seller"]["rating"], offers[0]["seller"]["rating"]


async def _settle(ctx: Context) -> None:
    """Also what follows from a store's new rating."""
    for _ in range(2):
        await settle(ctx)


def _broken(ctx: Context) -> list[str]:
    """The checks of reviews that do not hold."""
    found = violations(ctx.settings.database_url.get_secret_value())
    return [one.check for one in found if one.check.startswith("R-I11")]


async def test_average_and_histogram_follow_every_change(market: Market, reviewing: Reviewing, ctx: Context) -> None:
    people = [market.person() for _ in range(4)]
    made = [reviewing.review(who, rating=stars)["reviewId"] for who, stars in zip(people, (5, 4, 4, 1), strict=True)]
    await settle(ctx)

    summary = reviewing.listed()["summary"]
    assert (summary["average"], summary["count"]) == (3.5, 4)
    assert [(row["rating"], row["count"], row["share"]) for row in summary["histogram"]] == [
        (5, 1, 0.25), (4, 2, 0.5), (3, 0, 0.0), (2, 0, 0.0), (1, 1, 0.25),
    ]  # fmt: skip
    assert market.client.get(f"{reviewing.path}/summary").json() == summary
    assert _rating(reviewing) == (3.5, 4)
    assert reviewing.listed(rating=4)["pagination"]["total"] == 2

    assert reviewing.on(people[3], "PATCH", made[3], json={"rating": 2}).status_code == 200
    assert reviewing.on(people[0], "DELETE", made[0]).status_code == 204
    await settle(ctx)
    assert _rating(reviewing) == (3.33, 3)
    for who, review in zip(people[1:], made[1:], strict=True):
        assert reviewing.on(who, "DELETE", review).status_code == 204
    await settle(ctx)
    assert _rating(reviewing) == (0.0, 0)
    assert reviewing.listed()["summary"]["count"] == 0


async def test_a_sellers_rating_is_the_average_over_the_reviews_of_all_products(market: Market, ctx: Context) -> None:
    """Not of the averages of products: 5 once and 1, 2 and 2 elsewhere are 2.5."""
    seller, admin = market.person("seller"), market.admin()
    reviewing, elsewhere = Reviewing(market, seller), Reviewing(market, seller)
    assert _store(reviewing) == (0.0, 0.0, 0.0)
    reviewing.review(market.person(), rating=5)
    author = market.person()
    changed = [elsewhere.review(who, rating=stars) for who, stars in ((author, 1), (market.person(), 2))]
    elsewhere.review(market.person(), rating=2)
    await _settle(ctx)

    assert _store(reviewing) == _store(elsewhere) == (2.5, 2.5, 2.5)
    assert (_rating(reviewing)[0], _rating(elsewhere)[0], _broken(ctx)) == (5.0, 1.67, [])

    decided = {"version": 1, "decision": "reject", "statement": "s"}
    path = f"/api/v1/admin/reviews/{changed[1]['reviewId']}/decision"
    assert market.client.put(path, json=decided, headers=admin.headers).status_code == 200
    assert elsewhere.on(author, "PATCH", changed[0]["reviewId"], json={"rating": 4}).status_code == 200
    await _settle(ctx)
    assert (_store(reviewing), _broken(ctx)) == ((3.67, 3.67, 3.67), [])

    assert elsewhere.on(author, "DELETE", changed[0]["reviewId"]).status_code == 204
    told = "select count(*) from outbox_events where event_type = 'SellerRated' and aggregate_id = %s"
    await _settle(ctx)
    assert (_store(reviewing), _broken(ctx)) == ((3.5, 3.5, 3.5), [])
    # Each change is told once, and what changes no average is not.
    assert market.scalar(told, (seller.user_id,)) == 3
    assert reviewing.on(market.person(), "POST", reviewing.listed()["reviews"][0]["reviewId"], "/helpful").is_success
    await settle(ctx)
    assert market.scalar(told, (seller.user_id,)) == 3


async def test_pages_of_a_store_with_many_products_are_not_dropped_for_its_rating(
    market: Market, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large, unknown = market.person("seller"), market.person("seller"), uuid4()
    products = {who.user_id: {product_tag(UUID(Reviewing(market, who).id)) for _ in range(count)}
                for who, count in ((small, 2), (large, 3))}  # fmt: skip
    monkeypatch.setattr(drops, "MOST_RATED", 2)

    async def dropped(kind: str, *stores: object) -> set[str]:
        events = [Pending(uuid4(), "seller", UUID(str(one)), 1, kind, "{}", clock.now()) for one in stores]
        async with ctx.db.read() as tx:
            return {tag for drop in drops.DROPS for tag in await drop(tx, events)}

    everybody = (small.user_id, large.user_id, unknown)
    assert await dropped("SellerRated", *everybody) == products[small.user_id]
    assert await dropped("SellerChanged", *everybody) == products[small.user_id] | products[large.user_id]


async def test_the_same_words_again_wait_and_are_not_counted(
    market: Market, reviewing: Reviewing, seller: Person, ctx: Context
) -> None:
    words = "The same eight words of praise are said here again."
    first, second = market.person(), market.person()
    elsewhere = Reviewing(market, seller)

    assert reviewing.review(first, comment=words)["status"] == "published"
    copy = elsewhere.review(second, comment=f"  {words.upper()} ")
    await settle(ctx)

    assert copy["status"] == "queued"
    assert elsewhere.listed()["reviews"] == []
    assert _rating(elsewhere) == (0.0, 0)
    problem(elsewhere.on(first, "GET", copy["reviewId"]), 404, "review-not-found")
    problem(elsewhere.on(first, "POST", copy["reviewId"], "/helpful"), 404, "review-not-found")
    assert elsewhere.on(second, "GET", copy["reviewId"]).json()["status"] == "queued"
    assert elsewhere.on(second, "PATCH", copy["reviewId"], json={"comment": "My own words."}).json()["status"] == (
        "published"
    )
    await settle(ctx)
    assert _rating(elsewhere) == (5.0, 1)


async def test_a_review_of_before_the_delivery_gets_its_badge(
    market: Market, reviewing: Reviewing, ctx: Context
) -> None:
    author = market.person()
    order = reviewing.bought(author, delivered=False)
    review = reviewing.review(author)
    await settle(ctx)
    assert review["verifiedPurchase"] is False

    market.deliver(reviewing.seller, order)
    await settle(ctx)

    assert reviewing.on(author, "GET", review["reviewId"]).json()["verifiedPurchase"] is True


async def test_a_guests_order_counts_once_it_is_claimed(market: Market, reviewing: Reviewing, ctx: Context) -> None:
    author = market.person()
    guest = guest_headers("reviews")
    placed = market.buy(guest, market.order_body((reviewing.product, 1), email=author.email))
    assert placed.status_code == 201, placed.text
    market.deliver(reviewing.seller, placed.json()["orderId"])
    review = reviewing.review(author)
    assert review["verifiedPurchase"] is False

    confirmation = next(one for one in await mails_to(ctx, author.email) if one.kind == "order-confirmation")
    claimed = market.post(author, "claim", {"token": token_in(confirmation)})
    assert claimed.status_code == 200, claimed.text
    await settle(ctx)

    assert reviewing.on(author, "GET", review["reviewId"]).json()["verifiedPurchase"] is True


async def _requests(ctx: Context, address: str) -> list[Any]:
    await settle(ctx)
    await send_due(ctx)
    return [one for one in await mails_to(ctx, address) if one.kind == "review-request"]


async def test_a_buyer_is_asked_once_and_not_at_all_who_has_answered(
    market: Market, reviewing: Reviewing, seller: Person, ctx: Context
) -> None:
    asked, reviewer, returner, canceller = (market.person() for _ in range(4))
    for who in (asked, reviewer, returner):
        order = reviewing.bought(who)
        if who is returner:
            line = market.client.get(f"/api/v1/orders/{order}", headers=who.headers).json()["items"][0]["orderItemId"]
            wanted = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "better_price"}
            assert market.post(who, f"{order}/return", wanted).status_code == 200
    reviewing.review(reviewer)
    cancelled = reviewing.bought(canceller, delivered=False)
    assert market.post(canceller, f"{cancelled}/cancel", {"reason": "r"}).status_code == 200

    (mail,) = await _requests(ctx, asked.email)
    assert reviewing.path in mail.text
    for who in (reviewer, returner, canceller):
        assert await _requests(ctx, who.email) == [], who.email
    requested = (
        "select r.user_id::text, payload - 'requestId' - 'orderItemId' from outbox_events o"
        " join review_requests r on r.request_id = o.aggregate_id and r.order_item_id::text = payload ->> 'orderItemId'"
        " where event_type = 'ReviewRequested' and r.product_id = %s"
    )
    told = market.sql.execute(requested, (reviewing.id,)).fetchall()
    assert told == [(asked.user_id, {"productId": reviewing.id})]
    assert len(await _requests(ctx, asked.email)) == 1

    problem(market.client.post(UNSUBSCRIBE, json={"token": "A" * 43}), 404, "review-not-found")
    for _ in range(2):
        assert market.client.post(UNSUBSCRIBE, json={"token": token_in(mail)}).status_code == 204
    Reviewing(market, seller).bought(asked)
    assert len(await _requests(ctx, asked.email)) == 1
    said = "select reason from review_requests where user_id = %s order by created_at"
    assert market.sql.execute(said, (asked.user_id,)).fetchall() == [(None,), ("unsubscribed",)]


def test_page_list_search_and_facet_follow_within_two_seconds(
    market: Market, reviewing: Reviewing, server: Server, tmp_path: Path
) -> None:
    worker = Worker(tmp_path, server.env)
    worker.start()
    title = reviewing.product["title"]

    def found(**query: Any) -> list[tuple[float, int]]:
        answer = market.client.get("/api/v1/search", params={"q": title, **query})
        results = answer.json()["results"] if answer.status_code == 200 else []
        return [(one["rating"], one["reviewCount"]) for one in results if one["productId"] == reviewing.id]

    def listed() -> list[tuple[float, int]]:
        body = market.client.get("/api/v1/products", params={"minRating": 4, "limit": 100}).json()
        return [(one["rating"], one["reviewCount"]) for one in body["products"] if one["productId"] == reviewing.id]

    try:
        assert soon(lambda: found() == [(0.0, 0)], 30)
        assert (found(filters="rating:4-"), listed(), _rating(reviewing)) == ([], [], (0.0, 0))
        author = market.person()
        review = reviewing.review(author, rating=4)["reviewId"]
        assert soon(
            lambda: found(filters="rating:4-", sort="rating") == listed() == [_rating(reviewing)] == [(4.0, 1)], 2
        )
        assert reviewing.on(author, "DELETE", review).status_code == 204
        assert soon(lambda: (found(), listed(), _rating(reviewing)) == ([(0.0, 0)], [], (0.0, 0)), 2)
    finally:
        worker.stop()


async def test_a_killed_worker_loses_no_rating(market: Market, ctx: Context, server: Server, tmp_path: Path) -> None:
    reviewing = Reviewing(market, market.person("seller"))
    await settle(ctx)
    dying = Worker(tmp_path / "dying", server.env)
    waiting = "select count(*) from outbox_events where aggregate_type = 'review' and published_at is null"
    for stars in (1, 2, 5):
        reviewing.review(market.person(), rating=stars)
    dying.start(SOUK_FAILPOINTS="reviews.after_count=kill")
    assert dying.wait(60) == KILLED
    assert market.scalar(waiting) > 0
    assert market.scalar("select review_count from product_ratings where product_id = %s", (reviewing.id,)) == 3
    assert (_rating(reviewing), _store(reviewing), _broken(ctx)) == ((0.0, 0), (0.0, 0.0, 0.0), [])

    living = Worker(tmp_path / "living", server.env)
    living.start()
    wait_until(lambda: market.scalar(waiting) == 0, 30)
    living.stop()

    assert (_rating(reviewing), _store(reviewing), _broken(ctx)) == ((2.67, 3), (2.67, 2.67, 2.67), [])


async def test_a_killed_worker_asks_each_buyer_once(
    market: Market, reviewing: Reviewing, server: Server, ctx: Context, tmp_path: Path
) -> None:
    buyer = market.person()
    reviewing.bought(buyer)
    # Whatever else is delivered here, the request is due before the worker begins.
    await settle(ctx)
    dying = Worker(tmp_path / "dying", server.env)
    dying.start(SOUK_FAILPOINTS="reviews.after_requests=kill")
    assert dying.wait(60) == KILLED
    asked = "select status from review_requests where user_id = %s"
    assert market.sql.execute(asked, (buyer.user_id,)).fetchall() == [("due",)]

    assert len(await _requests(ctx, buyer.email)) == 1
    assert len(await _requests(ctx, buyer.email)) == 1
    assert market.sql.execute(asked, (buyer.user_id,)).fetchall() == [("sent",)]
