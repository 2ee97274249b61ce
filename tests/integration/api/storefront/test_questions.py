"""Questions about products: who asks, answers, votes and reports, and what others see of them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.storefront.questions.commands import MOST_AN_HOUR
from tests.harness.api import PLAIN, Server
from tests.harness.buying import Market
from tests.harness.shop import Person, problem

POSTS = "/api/v1/questions/posts"


class Asking:
    """One product and what is said about it."""

    def __init__(self, market: Market, seller: Person) -> None:
        self.market, self.product = market, market.product(seller, stock=5)
        self.path = f"/api/v1/products/{self.product['productId']}/questions"

    def ask(self, who: Person, text: str = "Does it work?") -> httpx.Response:
        return self.market.client.post(self.path, json={"text": text}, headers=who.headers)

    def asked(self, who: Person, text: str = "Does it work?") -> str:
        answer = self.ask(who, text)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["questionId"])

    def answer(self, who: Person, question: str, text: str = "Yes.") -> dict[str, Any]:
        path = f"/api/v1/questions/{question}/answers"
        answer = self.market.client.post(path, json={"text": text}, headers=who.headers)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def post(self, method: str, who: Person, post: str, end: str = "", **body: Any) -> httpx.Response:
        return self.market.client.request(method, f"{POSTS}/{post}{end}", json=body or None, headers=who.headers)

    def listed(self, who: Person | None = None, **query: Any) -> list[dict[str, Any]]:
        answer = self.market.client.get(self.path, params=query, headers=who.headers if who else {})
        assert answer.status_code == 200, answer.text
        questions: list[dict[str, Any]] = answer.json()["questions"]
        return questions


@pytest.fixture
def asking(market: Market, seller: Person) -> Asking:
    return Asking(market, seller)


def test_a_question_is_answered_by_seller_buyer_and_visitor(
    market: Market, asking: Asking, seller: Person, buyer: Person
) -> None:
    assert market.buy(buyer, market.order_body((asking.product, 1))).status_code == 201
    asker, visitor = market.person(), market.person()
    question = asking.asked(asker, "Does it work\nwith 230 V?")
    asking.answer(visitor, question, "No idea.")
    asking.answer(buyer, question, "It does here.")
    asking.answer(seller, question, "It does.")
    asking.answer(visitor, question, "A fourth.")

    (seen,) = asking.listed(asker)

    assert (seen["questionId"], seen["text"], seen["author"], seen["mine"]) == (
        question, "Does it work\nwith 230 V?", "Some C.", True,
    )  # fmt: skip
    assert (seen["votes"], seen["voted"], seen["answerCount"], seen["editedAt"]) == (0, False, 4, None)
    assert [(one["text"], one["role"], one["author"]) for one in seen["answers"]] == [
        ("It does.", "seller", "Some Seller"), ("No idea.", "visitor", "Some C."),
        ("It does here.", "buyer", "Some C."),
    ]  # fmt: skip
    every = market.client.get(f"/api/v1/questions/{question}/answers").json()
    assert [one["text"] for one in every["answers"]] == ["It does.", "No idea.", "It does here.", "A fourth."]
    assert every["pagination"]["total"] == 4
    text = market.client.get(asking.path).text
    assert asker.email not in text
    assert asker.user_id not in text


def test_votes_count_once_and_order_the_questions(market: Market, asking: Asking, seller: Person) -> None:
    one, two = market.person(), market.person()
    first, second = asking.asked(one, "First?"), asking.asked(one, "Second?")
    assert [question["text"] for question in asking.listed()] == ["Second?", "First?"]

    for _ in range(2):
        assert asking.post("PUT", two, first, "/vote").status_code == 204

    assert [(question["text"], question["votes"], question["voted"]) for question in asking.listed(two)] == [
        ("First?", 1, True), ("Second?", 0, False),
    ]  # fmt: skip
    assert [question["text"] for question in asking.listed(sort="newest")] == ["Second?", "First?"]
    assert [question["text"] for question in asking.listed(limit=1, page=2)] == ["Second?"]
    problem(asking.post("PUT", one, second, "/vote"), 403, "own-post")
    for _ in range(2):
        assert asking.post("DELETE", two, first, "/vote").status_code == 204
    assert [question["votes"] for question in asking.listed()] == [0, 0]
    problem(asking.post("PUT", two, str(uuid4()), "/vote"), 404, "post-not-found")


def test_what_is_ones_own_is_edited_and_removed(market: Market, asking: Asking, seller: Person) -> None:
    asker, other, admin = market.person(), market.person(), market.admin()
    question = asking.asked(asker)
    answer = asking.answer(other, question)["answers"][0]["answerId"]

    problem(asking.post("PATCH", other, question, text="Mine now?"), 404, "post-not-found")
    problem(asking.post("DELETE", asker, answer), 404, "post-not-found")
    assert asking.post("PATCH", asker, question, text="Does it really work?").status_code == 204
    (seen,) = asking.listed()
    assert (seen["text"], seen["editedAt"] is not None) == ("Does it really work?", True)
    assert asking.post("PUT", asker, answer, "/report", reason="spam").status_code == 204
    assert asking.post("PUT", asker, answer, "/report", reason="abuse", comment="Rude.").status_code == 204
    path = "/api/v1/questions/reports"
    mine = [one for one in market.client.get(path, headers=admin.headers).json()["reports"] if one["postId"] == answer]
    assert [(one["reason"], one["comment"], one["text"]) for one in mine] == [("abuse", "Rude.", "Yes.")]
    problem(market.client.get(path, headers=asker.headers), 403, "forbidden")
    problem(asking.post("PUT", other, answer, "/report", reason="spam"), 403, "own-post")

    assert asking.post("DELETE", admin, answer).status_code == 204
    assert [(one["answerCount"], one["answers"]) for one in asking.listed()] == [(0, [])]
    assert asking.post("DELETE", asker, question).status_code == 204
    assert asking.listed() == []
    problem(asking.post("DELETE", asker, question), 404, "post-not-found")
    problem(market.client.get(f"/api/v1/questions/{question}/answers"), 404, "question-not-found")


@pytest.mark.parametrize("text", ["", "ab", "x" * 1_001, "a\u0007bc", "a\u202ebc", "pay 4111 1111 1111 1111", None, 5])
def test_a_text_that_is_none_is_refused(market: Market, asking: Asking, buyer: Person, text: Any) -> None:
    answer = market.client.post(asking.path, json={"text": text}, headers=buyer.headers)
    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/text"


def test_who_is_not_signed_in_only_reads(market: Market, asking: Asking, seller: Person) -> None:
    problem(market.client.post(asking.path, json={"text": "Why?"}), 401, "not-authenticated")
    unknown = f"/api/v1/products/{uuid4()}/questions"
    problem(market.client.get(unknown), 404, "product-not-found")
    problem(market.client.post(unknown, json={"text": "Why?"}, headers=seller.headers), 404, "product-not-found")


def test_an_hour_has_a_limit_however_fast_one_asks(server: Server, market: Market, asking: Asking) -> None:
    asker = market.person()
    for number in range(MOST_AN_HOUR - 2):
        asking.asked(asker, f"Question {number}?")

    def one(number: int) -> int:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False, verify=PLAIN) as client:
            return client.post(asking.path, json={"text": f"Fast {number}?"}, headers=asker.headers).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(one, range(8)))

    assert answers == {201: 2, 429: 6}
    assert problem(asking.ask(asker), 429, "too-many-requests")["status"] == 429
