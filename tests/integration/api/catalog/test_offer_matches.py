"""Products that seem to be one article: administrators confirm, dismiss and undo, and every decision is kept."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.harness.api import PLAIN
from tests.harness.buying import Market
from tests.harness.shop import Person, problem
from tests.integration.api.catalog.test_offers import Article, new_gtin, offers_of

QUEUE = "/api/v1/admin/offer-matches"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


class Alike(Article):
    """Products of several sellers with one title, and no number."""

    def __init__(self, market: Market) -> None:
        super().__init__(market)
        self.title = f"Teapot {uuid4().hex}"

    def add(self, price: float, **fields: Any) -> str:
        return self.offer(price, **{"title": self.title, "variants": [{"stock": 5}], **fields})


@pytest.fixture
def alike(market: Market) -> Alike:
    return Alike(market)


def path_of(product: str, other: str) -> str:
    return f"{QUEUE}/{product}/{other}/decision"


def decide(market: Market, who: Person, pair: tuple[str, str], decision: str, **said: Any) -> httpx.Response:
    return market.client.put(path_of(*pair), json={"decision": decision, **said}, headers=who.headers)


def undo(market: Market, who: Person, pair: tuple[str, str]) -> httpx.Response:
    return market.client.delete(path_of(*pair), headers=who.headers)


def decided(answer: httpx.Response) -> tuple[str, list[tuple[str, str | None]]]:
    """The state of a match, and its decisions with their reasons."""
    assert answer.status_code == 200, answer.text
    return answer.json()["state"], [(one["decision"], one["reason"]) for one in answer.json()["decisions"]]


def queued(market: Market, who: Person, state: str = "open") -> dict[tuple[str, str], Json]:
    """All matches in a state, by their products, read in pages of two."""
    found: dict[tuple[str, str], Json] = {}
    cursor = None
    while True:
        query: dict[str, Any] = {"limit": 2, "state": state} | ({"cursor": cursor} if cursor else {})
        answer = market.client.get(QUEUE, params=query, headers=who.headers)
        assert answer.status_code == 200, answer.text
        for one in answer.json()["matches"]:
            pair = (one["product"]["productId"], one["otherProduct"]["productId"])
            assert pair not in found
            found[pair] = one
        cursor = answer.json()["pagination"]["nextCursor"]
        if cursor is None:
            return found


def prices(market: Market, product: str) -> list[float]:
    return sorted(offer["price"] for offer in offers_of(market, product)["offers"])


def test_a_confirmed_match_makes_two_products_offers_of_one_article(
    market: Market, alike: Alike, admin: Person
) -> None:
    first, second = alike.add(10.0, brand="Acme"), alike.add(11.0, brand="ACME", condition="used_good")
    pair = (second, first)
    waits = queued(market, admin)[pair]

    assert (waits["state"], waits["decisions"]) == ("open", [])
    assert [(waits[side]["price"], waits[side]["brand"], waits[side]["condition"], waits[side]["sellerId"]) for side in
            ("product", "otherProduct")] == [
        (11.0, "ACME", "used_good", alike.sellers[1].user_id), (10.0, "Acme", "new", alike.sellers[0].user_id),
    ]  # fmt: skip
    assert prices(market, first) == [10.0]

    answer = decide(market, admin, pair, "confirmed", reason="One model number.")

    assert decided(answer) == ("confirmed", [("confirmed", "One model number.")])
    assert answer.json()["decisions"][0]["decidedBy"] == admin.user_id
    assert prices(market, first) == prices(market, second) == [10.0, 11.0]
    assert alike.others(0) == {"count": 1, "from": 11.0}
    assert pair not in queued(market, admin)
    assert queued(market, admin, "confirmed")[pair] == answer.json()
    # The same again is the same; another one needs the first to be undone.
    assert decide(market, market.admin(), pair, "confirmed").json() == answer.json()
    assert problem(decide(market, admin, pair, "dismissed"), 409, "offer-match-decided")["decision"] == "confirmed"

    assert decided(undo(market, admin, pair)) == ("open", [("undone", None), ("confirmed", "One model number.")])
    assert undo(market, admin, pair).status_code == 200
    assert prices(market, first) == [10.0]
    assert alike.others(0) == {"count": 0, "from": None}
    assert decided(decide(market, admin, pair, "dismissed"))[0] == "dismissed"
    assert pair not in queued(market, admin)
    assert pair in queued(market, admin, "dismissed")
    assert prices(market, first) == [10.0]
    with pytest.raises(psycopg.errors.RestrictViolation):
        market.sql.execute("delete from match_decisions where product_id = %s", (second,))


def test_what_is_one_with_the_same_is_one_until_the_link_is_undone(market: Market, alike: Alike, admin: Person) -> None:
    """First and third by the second, and the third brings the other offers of its number."""
    gtin = new_gtin()
    numbered = Article(market, gtin)
    numbered.offer(20.0)
    first, second = alike.add(10.0), alike.add(11.0)
    third = alike.add(12.0, variants=[{"gtin": gtin, "stock": 5}])

    for pair in ((second, first), (third, second)):
        assert decide(market, admin, pair, "confirmed").status_code == 200

    assert (third, first) not in queued(market, admin), "there is nothing to decide"
    for product in (first, second, third, numbered.products[0]):
        assert prices(market, product) == [10.0, 11.0, 12.0, 20.0]
    # Who comes later with the number comes to all of them.
    numbered.offer(21.0)
    assert prices(market, first) == [10.0, 11.0, 12.0, 20.0, 21.0]
    # A product with another number is another article, whatever was decided of the one before.
    alike.patch(2, variants=[{"variantId": alike.variant(2), "gtin": new_gtin()}])
    assert prices(market, third) == [12.0]
    assert prices(market, first) == [10.0, 11.0, 20.0, 21.0]
    alike.patch(2, variants=[{"variantId": alike.variant(2), "gtin": gtin}])
    assert undo(market, admin, (second, first)).status_code == 200
    assert prices(market, first) == [10.0]
    assert prices(market, second) == [11.0, 12.0, 20.0, 21.0]
    # A save of a product without a number leaves it where it is.
    alike.patch(1, description="Round.")
    assert prices(market, second) == [11.0, 12.0, 20.0, 21.0]


def test_products_that_share_a_number_and_are_other_articles_are_queued(market: Market, admin: Person) -> None:
    low, high = sorted((new_gtin(), new_gtin()))
    article = Article(market, high)
    other = article.offer(10.0)
    both = article.offer(
        11.0,
        variants=[
            {"attributes": {"size": "S"}, "gtin": low, "stock": 1},
            {"attributes": {"size": "M"}, "gtin": high, "stock": 1},
        ],
    )

    waits = queued(market, admin)[both, other]
    assert waits["product"]["gtins"] == [f"0{low}", f"0{high}"]
    assert decide(market, admin, (both, other), "confirmed").status_code == 200
    assert prices(market, other) == [10.0, 11.0]
    article.patch(0, title=f"Kettle {uuid4().hex}")
    assert (other, both) not in queued(market, admin)


def test_a_deleted_product_is_matched_with_none(market: Market, alike: Alike, admin: Person) -> None:
    pair = (alike.add(10.0), alike.add(11.0))[::-1]
    alike.delete(0)

    assert pair not in queued(market, admin)
    problem(decide(market, admin, pair, "confirmed"), 404, "offer-match-not-found")
    for unknown in ((alike.products[0], str(uuid4())), ("x", "y"), pair[::-1]):
        problem(decide(market, admin, unknown, "confirmed"), 404, "offer-match-not-found")
        problem(undo(market, admin, unknown), 404, "offer-match-not-found")


def test_only_administrators_decide(market: Market, alike: Alike, buyer: Person) -> None:
    pair = (alike.add(10.0), alike.add(11.0))[::-1]
    for person in (alike.sellers[0], buyer):
        problem(market.client.get(QUEUE, headers=person.headers), 403, "forbidden")
        problem(decide(market, person, pair, "confirmed"), 403, "forbidden")
        problem(undo(market, person, pair), 403, "forbidden")
    problem(market.client.get(QUEUE), 401, "not-authenticated")
    refused = problem(decide(market, market.admin(), pair, "maybe"), 422, "validation-failed")
    assert refused["errors"][0]["pointer"] == "/decision"


def test_administrators_at_once_decide_once_and_join_everything(market: Market, alike: Alike) -> None:
    """Each confirms another link of a chain, and two decide about the last one."""
    products = [alike.add(10.0 + number) for number in range(5)]
    pairs = [(later, earlier) for earlier, later in pairwise(products)]
    asked = [(pair, "confirmed") for pair in pairs] + [(pairs[-1], "dismissed")]
    address = str(market.client.base_url)

    def ask(who: Person, pair: tuple[str, str], decision: str) -> int:
        with httpx.Client(base_url=address, timeout=60, trust_env=False, verify=PLAIN, headers=who.headers) as client:
            return client.put(path_of(*pair), json={"decision": decision}).status_code

    admins = [market.admin() for _ in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        codes = [*pool.map(ask, admins, *zip(*asked, strict=True))]

    assert sorted(codes[:3]) == [200, 200, 200]
    assert sorted(codes[3:]) == [200, 409]
    joined = [10.0, 11.0, 12.0, 13.0] + ([14.0] if codes[3] == 200 else [])
    assert prices(market, products[0]) == joined
    kept = "select count(*) from match_decisions where product_id = any(%s)"
    assert market.scalar(kept, (products,)) == 4
