"""Reviews: who writes, changes and removes one, who votes, answers and reports, and what others see of it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from api.reviews.writing.commands import MOST_AN_HOUR
from tests.harness.buying import Market
from tests.harness.pictures import base64_of, png
from tests.harness.reviews import Reviewing
from tests.harness.shop import Person, problem


@pytest.fixture
def reviewing(market: Market, seller: Person) -> Reviewing:
    return Reviewing(market, seller)


def test_a_review_is_written_shown_changed_and_removed(market: Market, reviewing: Reviewing) -> None:
    author, reader = market.person(), market.person()
    made = reviewing.review(author, rating=4, title="Great product!", comment="Holds it.", language="en")

    assert {name: made[name] for name in ("productId", "rating", "title", "comment", "language", "author")} == {
        "productId": reviewing.id, "rating": 4, "title": "Great product!", "comment": "Holds it.", "language": "en",
        "author": "Some C.",
    }  # fmt: skip
    assert (made["verifiedPurchase"], made["helpfulCount"], made["notHelpfulCount"]) == (False, 0, 0)
    assert (made["images"], made["status"], made["version"], made["mine"]) == ([], "published", 1, True)
    (seen,) = reviewing.listed(reader)["reviews"]
    assert (seen["reviewId"], seen["mine"], seen["vote"], seen["answer"]) == (made["reviewId"], False, None, None)
    assert author.email not in market.client.get(reviewing.path).text
    assert author.user_id not in market.client.get(reviewing.path).text

    path, first = made["reviewId"], reviewing.on(author, "GET", made["reviewId"])
    changed = reviewing.on(author, "PATCH", path, json={"rating": 2}, headers={"If-Match": first.headers["ETag"]})
    assert (changed.json()["rating"], changed.json()["version"], changed.json()["editedAt"] is not None) == (2, 2, True)
    stale = reviewing.on(author, "PATCH", path, json={"rating": 1}, headers={"If-Match": first.headers["ETag"]})
    problem(stale, 412, "review-changed")
    assert reviewing.on(author, "PATCH", path, json={"rating": 2}).json()["version"] == 2
    problem(reviewing.on(reader, "PATCH", path, json={"rating": 1}), 404, "review-not-found")
    versions = reviewing.on(author, "GET", path, "/versions").json()["versions"]
    assert [(one["version"], one["rating"], one["title"]) for one in versions] == [(1, 4, "Great product!")]
    problem(reviewing.on(reader, "GET", path, "/versions"), 404, "review-not-found")

    problem(reviewing.on(reader, "DELETE", path), 404, "review-not-found")
    assert reviewing.on(author, "DELETE", path).status_code == 204
    problem(reviewing.on(author, "GET", path), 404, "review-not-found")
    assert reviewing.listed()["reviews"] == []
    assert reviewing.review(author, rating=3)["version"] == 1


def test_a_member_reviews_a_product_once_also_at_the_same_moment(market: Market, reviewing: Reviewing) -> None:
    author = market.person()
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda stars: reviewing.send(author, rating=stars % 5 + 1), range(8)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    (made,) = [answer.json()["reviewId"] for answer in answers if answer.status_code == 201]
    assert {problem(a, 409, "already-reviewed")["reviewId"] for a in answers if a.status_code == 409} == {made}
    assert len(reviewing.listed()["reviews"]) == 1


def test_a_badge_is_of_what_was_delivered_to_its_author(market: Market, reviewing: Reviewing) -> None:
    owner, waiting, other = market.person(), market.person(), market.person()
    reviewing.bought(owner)
    order = reviewing.bought(waiting, delivered=False)

    assert reviewing.review(owner)["verifiedPurchase"] is True
    assert reviewing.review(waiting)["verifiedPurchase"] is False
    assert reviewing.review(other)["verifiedPurchase"] is False
    assert [one["verifiedPurchase"] for one in reviewing.listed(sort="verified")["reviews"]] == [True, False, False]
    only = reviewing.listed(verified=True)
    assert (len(only["reviews"]), only["pagination"]["total"]) == (1, 1)
    market.deliver(reviewing.seller, order)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rating": 0}, "/rating"),
        ({"rating": 6}, "/rating"),
        ({"rating": 4.5}, "/rating"),
        ({"rating": "5"}, "/rating"),
        ({"rating": None}, "/rating"),
        ({"comment": ""}, "/comment"),
        ({"comment": "   "}, "/comment"),
        ({"comment": "a" * 1_000_000}, "/comment"),
        ({"comment": "<script>alert(1)</script>"}, "/comment"),
        ({"comment": "<img src=x onerror=alert(1)>"}, "/comment"),
        ({"title": "<b>Good</b>"}, "/title"),
        ({"comment": "cheaper at https://example.com/thing"}, "/comment"),
        ({"comment": "see www.example.org"}, "/comment"),
        ({"title": "buy at cheap-things.shop"}, "/title"),
        ({"comment": "my card 4242 4242 4242 4242"}, "/comment"),
        ({"title": "t" * 151}, "/title"),
        ({"images": ["not a picture"]}, "/images/0"),
        ({"images": [base64_of(b"no picture")]}, "/images/0"),
        ({"images": [base64_of(png())] * 6}, "/images"),
        ({"stars": 5}, "/stars"),
    ],
    ids=[
        "no star", "six stars", "half a star", "text", "null", "empty", "blank", "long", "script", "handler", "markup",
        "link", "www", "domain", "card", "long title", "no base64", "no picture", "six pictures", "unknown",
    ],
)  # fmt: skip
def test_what_a_review_may_not_say_is_named(reviewing: Reviewing, body: dict[str, Any], pointer: str) -> None:
    author = reviewing.market.person()
    errors = problem(reviewing.send(author, **body), 422, "validation-failed")["errors"]
    assert errors[0]["pointer"] == pointer, errors
    assert reviewing.listed(author)["reviews"] == []


def test_what_an_edit_an_answer_a_report_or_an_appeal_may_not_say_is_named(
    market: Market, reviewing: Reviewing
) -> None:
    author, reader, admin = market.person(), market.person(), market.admin()
    review = reviewing.review(author)["reviewId"]
    script, link = "<script>alert(1)</script>", "see https://example.com/thing"
    wrong: list[tuple[Person, str, str, dict[str, Any], str]] = [
        (author, "PATCH", "", {}, ""),
        (author, "PATCH", "", {"rating": 0}, "/rating"),
        (author, "PATCH", "", {"rating": 6}, "/rating"),
        (author, "PATCH", "", {"comment": None}, ""),
        (author, "PATCH", "", {"comment": script}, "/comment"),
        (author, "PATCH", "", {"title": link}, "/title"),
        (author, "PATCH", "", {"comment": "a" * 1_000_000}, "/comment"),
        (author, "PATCH", "", {"images": ["not a picture"]}, "/images/0"),
        (reviewing.seller, "POST", "/answer", {"text": script}, "/text"),
        (reviewing.seller, "POST", "/answer", {"text": "a" * 1_000_000}, "/text"),
        (reader, "POST", "/report", {"reason": "ugly"}, "/reason"),
        (reader, "POST", "/report", {"reason": "spam", "comment": "a" * 1_001}, "/comment"),
        (author, "PUT", "/appeal", {"comment": "a" * 2_001}, "/comment"),
        (author, "PUT", "/appeal", {"comment": "my card 4242 4242 4242 4242"}, "/comment"),
    ]
    for who, method, end, body, pointer in wrong:
        errors = problem(reviewing.on(who, method, review, end, json=body), 422, "validation-failed")["errors"]
        assert (method, end, errors[0]["pointer"]) == (method, end, pointer)
    for body, pointer in (
        ({"version": 0, "decision": "publish"}, "/version"),
        ({"version": 1, "decision": "hide"}, "/decision"),
        ({"version": 1, "decision": "reject"}, ""),
    ):
        path = f"/api/v1/admin/reviews/{review}/decision"
        refused = market.client.put(path, json=body, headers=admin.headers)
        assert problem(refused, 422, "validation-failed")["errors"][0]["pointer"] == pointer
    assert reviewing.on(author, "GET", review).json()["version"] == 1


def test_who_may_not_review_is_told_why(market: Market, reviewing: Reviewing) -> None:
    problem(reviewing.send(reviewing.seller), 403, "own-product-review")
    answer = market.client.post(reviewing.path, json={"rating": 5, "comment": "Good."})
    problem(answer, 401, "not-authenticated")
    unknown = f"/api/v1/products/{uuid4()}/reviews"
    body = {"rating": 5, "comment": "Good."}
    problem(market.client.post(unknown, json=body, headers=market.person().headers), 404, "product-not-found")
    problem(market.client.get(unknown), 404, "product-not-found")
    problem(market.client.get(reviewing.path, params={"rating": 6}), 422, "validation-failed")
    problem(market.client.get(reviewing.path, params={"sort": "best"}), 422, "validation-failed")
    problem(market.client.get(reviewing.path, params={"cursor": "AAAA"}), 422, "validation-failed")


def test_pictures_are_kept_in_three_sizes_and_go_with_the_review(market: Market, reviewing: Reviewing) -> None:
    author = market.person()
    made = reviewing.review(author, images=[base64_of(png())])

    (picture,) = made["media"]
    assert made["images"] == [picture["url1200"]]
    assert market.client.get(picture["url160"]).headers["content-type"] == "image/webp"
    with_pictures = reviewing.listed(withImages=True)
    assert [one["reviewId"] for one in with_pictures["reviews"]] == [made["reviewId"]]
    same = reviewing.on(author, "PATCH", made["reviewId"], json={"images": made["images"]}).json()
    assert (same["images"], same["version"]) == (made["images"], 1)
    bare = reviewing.on(author, "PATCH", made["reviewId"], json={"images": []}).json()
    assert (bare["images"], bare["version"]) == ([], 2)
    shown = "select count(*) from picture_uses where owner_kind = 'review' and owner_id = %s and released_at is null"
    assert market.scalar(shown, (made["reviewId"],)) == 0


def test_a_vote_counts_once_is_changed_and_taken_back(market: Market, reviewing: Reviewing) -> None:
    author, voter = market.person(), market.person()
    review = reviewing.review(author)["reviewId"]

    def counts(answer: Any) -> tuple[int, int, str | None]:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return body["helpfulCount"], body["notHelpfulCount"], body["vote"]

    for _ in range(2):
        assert counts(reviewing.on(voter, "POST", review, "/helpful")) == (1, 0, "helpful")
    assert reviewing.listed(voter)["reviews"][0]["vote"] == "helpful"
    assert counts(reviewing.on(voter, "POST", review, "/not-helpful")) == (0, 1, "not_helpful")
    for _ in range(2):
        assert counts(reviewing.on(voter, "DELETE", review, "/vote")) == (0, 0, None)
    problem(reviewing.on(author, "POST", review, "/helpful"), 403, "own-review")
    problem(reviewing.on(author, "DELETE", review, "/vote"), 403, "own-review")
    problem(reviewing.on(reviewing.seller, "POST", review, "/not-helpful"), 403, "own-product-review")
    problem(reviewing.on(None, "POST", review, "/helpful"), 401, "not-authenticated")
    problem(reviewing.on(voter, "POST", str(uuid4()), "/helpful"), 404, "review-not-found")
    problem(reviewing.on(voter, "POST", "no-id", "/helpful"), 404, "review-not-found")


def test_a_seller_answers_their_own_product_once(market: Market, reviewing: Reviewing) -> None:
    review = reviewing.review(market.person())["reviewId"]
    other = market.person("seller")

    problem(reviewing.on(other, "POST", review, "/answer", json={"text": "Mine."}), 403, "not-your-product")
    problem(reviewing.on(market.person(), "POST", review, "/answer", json={"text": "Mine."}), 403, "forbidden")
    assert reviewing.on(reviewing.seller, "POST", review, "/answer", json={"text": "Thanks."}).status_code == 201
    again = reviewing.on(reviewing.seller, "POST", review, "/answer", json={"text": "Thank you."})
    assert again.status_code == 200
    (seen,) = reviewing.listed()["reviews"]
    assert (seen["answer"]["author"], seen["answer"]["text"]) == ("Some Seller", "Thank you.")
    assert seen["answer"]["editedAt"] is not None
    link = reviewing.on(reviewing.seller, "POST", review, "/answer", json={"text": "see https://example.com"})
    assert problem(link, 422, "validation-failed")["errors"][0]["pointer"] == "/text"
    problem(reviewing.on(other, "DELETE", review, "/answer"), 403, "not-your-product")
    for _ in range(2):
        assert reviewing.on(reviewing.seller, "DELETE", review, "/answer").status_code == 204
    assert reviewing.listed()["reviews"][0]["answer"] is None


def test_a_report_of_a_shopper_is_one(market: Market, reviewing: Reviewing) -> None:
    author, reader = market.person(), market.person()
    review = reviewing.review(author)["reviewId"]
    for reason in ("spam", "abuse"):
        answer = reviewing.on(reader, "POST", review, "/report", json={"reason": reason, "comment": "Rude."})
        assert answer.status_code == 204
    said = market.sql.execute("select reason from review_reports where review_id = %s", (review,)).fetchall()
    assert said == [("abuse",)]
    problem(reviewing.on(author, "POST", review, "/report", json={"reason": "spam"}), 403, "own-review")
    problem(reviewing.on(reader, "POST", review, "/report", json={"reason": "ugly"}), 422, "validation-failed")


def test_lists_go_on_by_page_and_by_cursor_in_every_order(market: Market, reviewing: Reviewing) -> None:
    people = [market.person() for _ in range(7)]
    made = [reviewing.review(who, rating=(n * 2) % 5 + 1)["reviewId"] for n, who in enumerate(people)]
    for voter, (place, way) in zip(
        people, ((1, "helpful"), (2, "helpful"), (2, "helpful"), (3, "not-helpful")), strict=False
    ):
        assert reviewing.on(voter, "POST", made[(place + 3) % 7], f"/{way}").status_code == 200
    whole = {sort: [one["reviewId"] for one in reviewing.listed(sort=sort, limit=50)["reviews"]]
             for sort in ("recent", "helpful", "rating", "verified")}  # fmt: skip

    assert whole["recent"] == whole["verified"] == made[::-1]
    assert whole["helpful"][:2] == [made[5], made[4]]
    stars = [one["rating"] for one in reviewing.listed(sort="rating", limit=50)["reviews"]]
    assert stars == sorted(stars, reverse=True)
    for sort, expected in whole.items():
        paged = [
            one["reviewId"] for page in (1, 2, 3) for one in reviewing.listed(sort=sort, limit=3, page=page)["reviews"]
        ]
        assert paged == expected, sort
        walked: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            body = reviewing.listed(None, sort=sort, limit=2, **cursor)
            walked += [one["reviewId"] for one in body["reviews"]]
            if not body["pagination"]["hasMore"]:
                break
            cursor = {"cursor": body["pagination"]["nextCursor"]}
        assert walked == expected, sort
    assert {one["rating"] for one in reviewing.listed(rating=3)["reviews"]} == {3}


def test_what_is_ones_own_is_listed_and_erased(market: Market, reviewing: Reviewing, seller: Person) -> None:
    author, other = market.person(), market.person()
    elsewhere = Reviewing(market, seller)
    first, second = (
        reviewing.review(author)["reviewId"],
        elsewhere.review(author, images=[base64_of(png())])["reviewId"],
    )
    theirs = reviewing.review(other)["reviewId"]
    assert reviewing.on(author, "POST", theirs, "/helpful").status_code == 200
    assert reviewing.on(author, "POST", theirs, "/report", json={"reason": "spam"}).status_code == 204
    assert reviewing.on(other, "POST", first, "/helpful").status_code == 200
    mine = "/api/v1/users/me/reviews"

    def own(**query: Any) -> Any:
        return market.client.get(mine, params=query, headers=author.headers).json()

    assert [one["reviewId"] for one in own()["reviews"]] == [second, first]
    page = own(limit=1)
    rest = own(limit=1, cursor=page["pagination"]["nextCursor"])
    assert [one["reviewId"] for one in (*page["reviews"], *rest["reviews"])] == [second, first]
    assert rest["pagination"]["total"] == 2

    erased = market.client.delete(mine, headers=author.headers)
    assert erased.json() == {"reviews": 2, "votes": 1, "reports": 1}
    assert own()["reviews"] == []
    (left,) = reviewing.listed()["reviews"]
    assert (left["reviewId"], left["helpfulCount"]) == (theirs, 0)
    for table in ("reviews", "reviews_by_user", "review_votes", "review_reports"):
        assert market.scalar(f"select count(*) from {table} where user_id = %s", (author.user_id,)) == 0, table


def test_an_hour_has_a_limit(market: Market, seller: Person, reviewing: Reviewing) -> None:
    author = market.person()
    while market.scalar("select count(*) from products") <= MOST_AN_HOUR:
        market.product(seller)
    market.sql.execute(
        "insert into reviews_by_user (user_id, product_id, review_id, seller_id, rating, status, text_digest,"
        " created_at) select %s, product_id, gen_random_uuid(), seller_id, 5, 'rejected', '', now() from products"
        " where product_id <> %s limit %s",
        (author.user_id, reviewing.id, MOST_AN_HOUR),
    )
    problem(reviewing.send(author), 429, "too-many-requests")
    market.sql.execute(
        "delete from reviews_by_user where ctid in (select ctid from reviews_by_user where user_id = %s limit 1)",
        (author.user_id,),
    )
    reviewing.review(author)
    market.sql.execute("delete from reviews_by_user where user_id = %s and text_digest = ''", (author.user_id,))


def test_a_crowd_of_votes_is_counted_exactly(market: Market, reviewing: Reviewing) -> None:
    review = reviewing.review(market.person())["reviewId"]
    crowd = [market.person() for _ in range(8)]

    def swing(who: Person) -> None:
        for end, method in (("/helpful", "POST"), ("/not-helpful", "POST"), ("/vote", "DELETE"), ("/helpful", "POST")):
            assert reviewing.on(who, method, review, end).status_code == 200

    with ThreadPoolExecutor(len(crowd)) as pool:
        list(pool.map(swing, crowd))

    (seen,) = reviewing.listed()["reviews"]
    assert (seen["helpfulCount"], seen["notHelpfulCount"]) == (len(crowd), 0)


def test_months_are_made_ahead_and_take_over_what_was_written_before(market: Market, reviewing: Reviewing) -> None:
    author = market.person()
    review = reviewing.review(author)["reviewId"]
    market.sql.execute("update reviews set created_at = '2091-05-31T23:59:59.9Z' where review_id = %s", (review,))
    market.sql.execute(
        "update reviews_by_user set created_at = '2091-05-31T23:59:59.9Z' where review_id = %s", (review,)
    )
    where = "select tableoid::regclass::text from reviews where review_id = %s"
    assert market.scalar(where, (review,)) == "partitions.reviews_other"
    made = [market.scalar("select make_review_month('2091-05-10Z')") for _ in range(2)]
    assert made == [True, False]
    assert market.scalar(where, (review,)) == "partitions.reviews_2091_05"
    assert reviewing.on(author, "PATCH", review, json={"rating": 1}).json()["rating"] == 1
    assert reviewing.on(author, "DELETE", review).status_code == 204
