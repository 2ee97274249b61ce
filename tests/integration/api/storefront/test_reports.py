"""Reports about products: who reports, what administrators decide, what sellers say to that, and who is told."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.kernel.context import Context
from api.storefront.notices.commands import MOST_AN_HOUR, MOST_OF_ADDRESS, MOST_OF_GUESTS, MOST_TIMES
from tests.harness.api import PLAIN, Server
from tests.harness.buying import Market, Worker
from tests.harness.mailing import mailing_context, mails_to, token_in
from tests.harness.reports import OBJECTIONS, OWN, REPORTED, Reports
from tests.harness.sessions import guest_headers, mailed_token
from tests.harness.shop import PASSWORD, Person, problem

Mailing: TypeAlias = Callable[[], AbstractAsyncContextManager[Context]]


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


@pytest.fixture(scope="module")
def reports(market: Market, admin: Person) -> Reports:
    return Reports(market, admin)


@pytest.fixture
def mailing(database_url: str, redis_url: str, tmp_path: Path) -> Mailing:
    """The mail of the shop, sent when it is entered."""
    return partial(mailing_context, database_url, redis_url, tmp_path)


def cup(market: Market, seller: Person) -> dict[str, Any]:
    return market.product(seller, title=f"Cup {uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def cups(market: Market, seller: Person) -> list[dict[str, Any]]:
    """More products than one person may report in an hour."""
    return [cup(market, seller) for _ in range(MOST_AN_HOUR + 3)]


def address() -> str:
    return f"{uuid4().hex}@example.com"


def own(market: Market, seller: Person, product: dict[str, Any]) -> dict[str, Any]:
    answer = market.client.get(f"/api/v1/products/{product['productId']}", headers=seller.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_what_is_removed_is_off_sale_and_everybody_is_told(
    market: Market, reports: Reports, buyer: Person, mailing: Mailing
) -> None:
    seller = market.person("seller")
    product, guest, law = cup(market, seller), address(), "Regulation (EU) 2023/988, Article 5"
    member = reports.sent(product, buyer.headers, comment="It breaks.\nTwice.", law=law, email="other@example.com")
    other = reports.sent(product, guest_headers(), email=guest, reason="other")

    seen = reports.queue()[product["productId"]]
    assert (seen["title"], seen["sellerId"], seen["status"]) == (product["title"], seller.user_id, "active")
    assert (seen["reports"], seen["reasons"]) == (2, {"counterfeit": 1, "other": 1})
    assert reports.listed(product) == [
        ("other", "The logo is wrong.", None, False, 1, True),
        ("counterfeit", "It breaks.\nTwice.", law, True, 1, True),
    ]
    waits = reports.look_up(other["token"])
    assert (waits["number"], waits["state"], waits["statement"]) == (other["number"], "open", None)

    answer = reports.decide(product, seen["seen"], "remove", "It is a copy.")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["reports"], answer.json()["contested"]) == (2, None)
    assert reports.decide(product, seen["seen"], "remove", "It is a copy.").json() == answer.json()
    assert product["productId"] not in reports.queue()
    problem(market.client.get(f"/api/v1/products/{product['productId']}"), 404, "product-not-found")
    seen_by_seller = own(market, seller, product)
    assert (seen_by_seller["status"], seen_by_seller["statusReason"]) == ("rejected", "It is a copy.")
    for receipt in (member, other):
        found = reports.look_up(receipt["token"])
        assert (found["state"], found["statement"], found["title"]) == ("removed", "It is a copy.", product["title"])
    async with mailing() as ctx:
        told = {
            person: sorted(mail.subject for mail in await mails_to(ctx, person))
            for person in (buyer.email, guest, seller.email, "other@example.com")
        }
        decided, received = sorted(await mails_to(ctx, guest), key=lambda mail: mail.subject)
    assert told == {
        buyer.email: [f"What became of your report {member['number']}", f"Your report {member['number']}"],
        guest: [f"What became of your report {other['number']}", f"Your report {other['number']}"],
        seller.email: [f"{product['title']} was taken off sale"],
        "other@example.com": [],
    }
    assert token_in(received) == token_in(decided) == other["token"]
    assert "It was taken off sale." in decided.text
    assert "It is a copy." in decided.text
    # It comes back through an administrator only, whatever the rules say.
    path = f"/api/v1/products/{product['productId']}"
    again = market.client.patch(path, json={"status": "active"}, headers=seller.headers).json()
    assert again["status"] == "pending_review"


async def test_what_stays_is_told_to_seller_and_reporter(market: Market, reports: Reports, mailing: Mailing) -> None:
    seller, member = market.person("seller"), market.person()
    product = cup(market, seller)
    receipt = reports.sent(product, member.headers)

    decided = reports.decided(product, "keep", "The maker has confirmed it.")

    assert market.detail(product["productId"])["status"] == "active"
    assert reports.look_up(receipt["token"])["state"] == "kept"
    async with mailing() as ctx:
        (theirs,) = await mails_to(ctx, seller.email)
        ours = next(mail for mail in await mails_to(ctx, member.email) if mail.subject.startswith("What became"))
    assert theirs.subject == f"{product['title']} was reported"
    assert "It may be sold." in ours.text
    for mail in (theirs, ours):
        assert "The maker has confirmed it." in mail.text
    # The seller reads it, and there is nothing to object to. A new report after the decision is open again.
    (row,) = reports.own(seller)
    assert (row["decisionId"], row["decision"], row["reasons"]) == (decided["decisionId"], "keep", {"counterfeit": 1})
    assert (row["contestable"], row["objection"]) == (False, None)
    problem(reports.contest(seller, row["decisionId"]), 409, "not-contestable")
    assert reports.sent(product, member.headers)["number"] != receipt["number"]
    assert [row[5] for row in reports.listed(product)] == [True, False]


def test_the_same_person_reports_once_and_may_say_more(market: Market, reports: Reports, seller: Person) -> None:
    product, guest = cup(market, seller), guest_headers()
    first = reports.sent(product, guest, email=address())
    mail = address()

    for _ in range(3):
        assert reports.sent(product, guest, email=mail, comment="More.") == first
    for n in range(MOST_TIMES - 2):
        assert reports.sent(product, guest, email=mail, comment=f"More: {n}.") == first

    assert reports.listed(product) == [("counterfeit", f"More: {MOST_TIMES - 3}.", None, False, MOST_TIMES, True)]
    problem(reports.send(product, guest, email=mail, comment="Again."), 429, "too-many-requests")
    assert reports.queue()[product["productId"]]["reports"] == 1


def test_a_decision_is_about_what_was_seen(market: Market, reports: Reports, seller: Person, buyer: Person) -> None:
    product = cup(market, seller)
    reports.sent(product, buyer.headers)
    seen = reports.queue()[product["productId"]]["seen"]

    reports.sent(product, buyer.headers, comment="It is worse.")
    problem(reports.decide(product, seen, "keep"), 409, "reports-changed")
    worse = reports.queue()[product["productId"]]["seen"]
    reports.sent(product, market.person().headers)
    problem(reports.decide(product, worse, "keep"), 409, "reports-changed")
    now = reports.queue()[product["productId"]]["seen"]
    assert reports.decide(product, now, "keep").json()["reports"] == 2

    refused = problem(reports.decide(product, now, "remove"), 409, "reports-decided")
    assert refused["decision"] == "keep"
    problem(reports.decide(product, now, "keep", who=market.admin()), 409, "reports-decided")
    problem(reports.decide(product, "0" * 32, "remove"), 404, "report-not-found")
    problem(reports.decide({"productId": str(uuid4())}, "0" * 32, "remove"), 404, "report-not-found")
    assert market.detail(product["productId"])["status"] == "active"


def test_two_administrators_at_once_decide_once(
    market: Market, reports: Reports, server: Server, seller: Person, buyer: Person
) -> None:
    product, other = cup(market, seller), market.admin()
    reports.sent(product, buyer.headers)
    seen = reports.queue()[product["productId"]]["seen"]

    def ask(who: Person, decision: str) -> int:
        body = {"seen": seen, "decision": decision, "statement": "s"}
        path = f"/api/v1/admin/products/{product['productId']}/reports/decision"
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False, verify=PLAIN) as client:
            return client.put(path, json=body, headers=who.headers).status_code

    with ThreadPoolExecutor(2) as pool:
        codes = [*pool.map(ask, (reports.admin, other), ("remove", "keep"))]

    assert sorted(codes) == [200, 409]


async def test_a_seller_objects_once_and_is_heard(
    market: Market, reports: Reports, buyer: Person, mailing: Mailing
) -> None:
    seller = market.person("seller")
    product = cup(market, seller)
    receipt = reports.sent(product, buyer.headers)
    removed = reports.decided(product, "remove", "It is a copy.")["decisionId"]
    assert reports.own(seller)[0]["contestable"]
    assert reports.objections() == {}
    problem(reports.rule(removed, 1, "keep"), 404, "decision-not-found")

    answer = reports.contest(seller, removed, "The invoice is here.")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["contestable"], answer.json()["objection"]["outcome"]) == (False, None)
    assert reports.contest(seller, removed, "The invoice is here.").json() == answer.json()
    problem(reports.contest(seller, removed, "And more."), 409, "already-contested")
    problem(reports.contest(market.person("seller"), removed), 404, "decision-not-found")
    waits = reports.objections()[removed]
    assert (waits["statement"], waits["comment"], waits["status"]) == (
        "It is a copy.", "The invoice is here.", "rejected",
    )  # fmt: skip
    # What would be sold is what the administrator has looked at.
    path = f"/api/v1/products/{product['productId']}"
    assert market.client.patch(path, json={"description": "Anew."}, headers=seller.headers).status_code == 200
    problem(reports.rule(removed, waits["version"], "keep"), 412, "product-changed")
    assert reports.objections()[removed]["version"] == waits["version"] + 1

    ruled = reports.rule(removed, waits["version"] + 1, "keep", "The invoice is the maker's.")

    assert ruled.status_code == 200, ruled.text
    assert (ruled.json()["contested"], ruled.json()["reports"]) == (removed, 0)
    assert reports.rule(removed, waits["version"] + 1, "keep", "The invoice is the maker's.").json() == ruled.json()
    problem(reports.rule(removed, 9, "remove"), 409, "reports-decided")
    problem(reports.rule(removed, 9, "keep", "The invoice is the maker's.", market.admin()), 409, "reports-decided")
    assert reports.objections() == {}
    assert market.detail(product["productId"])["status"] == "active"
    assert reports.own(seller)[0]["objection"]["outcome"] == ruled.json()
    problem(reports.contest(seller, ruled.json()["decisionId"]), 409, "not-contestable")
    found = reports.look_up(receipt["token"])
    assert (found["state"], found["statement"]) == ("kept", "The invoice is the maker's.")
    async with mailing() as ctx:
        theirs, first = sorted(await mails_to(ctx, seller.email), key=lambda mail: mail.subject, reverse=True)
        ours = [mail for mail in await mails_to(ctx, buyer.email) if receipt["number"] in mail.subject]
    assert theirs.subject == f"Your objection about {product['title']}"
    assert "may be sold again" in theirs.text
    assert first.subject == f"{product['title']} was taken off sale"
    said = [words for words in ("It was taken off sale.", "It may be sold.") for mail in ours if words in mail.text]
    assert (len(ours), said) == (3, ["It was taken off sale.", "It may be sold."])


def test_an_objection_in_vain_leaves_it_off_sale(market: Market, reports: Reports, seller: Person) -> None:
    product = cup(market, seller)
    reports.sent(product, market.person().headers)
    removed = reports.decided(product, "remove")["decisionId"]
    assert reports.contest(seller, removed).status_code == 200

    assert reports.rule(removed, 1, "remove").status_code == 200

    assert own(market, seller, product)["status"] == "rejected"
    assert reports.own(seller)[0]["objection"]["outcome"]["decision"] == "remove"


def test_what_its_seller_has_deleted_or_does_not_sell_is_decided_too(
    market: Market, reports: Reports, seller: Person
) -> None:
    deleted, hidden = cup(market, seller), cup(market, seller)
    for product in (deleted, hidden):
        reports.sent(product, market.person().headers)
    path = f"/api/v1/products/{deleted['productId']}"
    assert market.client.delete(path, headers=seller.headers).status_code == 204
    path = f"/api/v1/products/{hidden['productId']}"
    assert market.client.patch(path, json={"status": "inactive"}, headers=seller.headers).status_code == 200

    gone, away = (reports.decided(product, "remove")["decisionId"] for product in (deleted, hidden))

    assert own(market, seller, hidden)["status"] == "inactive"
    for status in ("pending_review", "inactive"):
        answer = market.client.patch(path, json={"status": status}, headers=seller.headers)
        assert answer.json()["status"] == status, "it waits when it is to be sold"
    for removed in (gone, away):
        assert reports.contest(seller, removed).status_code == 200
        version = reports.objections()[removed]["version"]
        assert reports.rule(removed, version, "keep").status_code == 200
    assert own(market, seller, hidden)["status"] == "inactive"
    assert market.client.patch(path, json={"status": "active"}, headers=seller.headers).json()["status"] == "active"
    problem(market.client.get(f"/api/v1/products/{deleted['productId']}"), 404, "product-not-found")
    # That it was let back does not let it back another time.
    reports.sent(hidden, market.person().headers)
    reports.decided(hidden, "remove")
    assert own(market, seller, hidden)["status"] == "rejected"
    again = market.client.patch(path, json={"status": "active"}, headers=seller.headers).json()
    assert again["status"] == "pending_review"


def test_who_may_report_read_and_decide(market: Market, reports: Reports, seller: Person, buyer: Person) -> None:
    product = cup(market, seller)

    problem(reports.send(product, seller.headers), 403, "own-product")
    problem(reports.send({"productId": str(uuid4())}, buyer.headers), 404, "product-not-found")
    wrong = problem(reports.send(product, {}, reason="ugly", comment="", law=""), 422, "validation-failed")["errors"]
    assert [error["pointer"] for error in wrong] == ["/reason", "/comment", "/law"]
    (error,) = problem(reports.send(product, guest_headers()), 422, "validation-failed")["errors"]
    assert error == {"pointer": "/email", "message": "give an address, so that you are told what became of it"}
    for person in (seller, buyer):
        for path in (REPORTED, OBJECTIONS, f"/api/v1/admin/products/{product['productId']}/reports"):
            problem(market.client.get(path, headers=person.headers), 403, "forbidden")
        problem(reports.decide(product, "0" * 32, "remove", who=person), 403, "forbidden")
        problem(reports.rule(str(uuid4()), 1, "keep", who=person), 403, "forbidden")
    problem(market.client.get(OWN, headers=buyer.headers), 403, "forbidden")
    path = f"/api/v1/admin/products/{uuid4()}/reports"
    problem(market.client.get(path, headers=reports.admin.headers), 404, "product-not-found")
    for token in ("x", mailed_token("nobody's"), "é" * 43):
        answer = market.client.post("/api/v1/product-reports/lookup", json={"token": token})
        problem(answer, 404, "report-not-found")


def test_nobody_floods(market: Market, reports: Reports, seller: Person) -> None:
    """The first of a flood count; a member is heard when guests are not."""
    product, person, mail = cup(market, seller), market.person(), address()
    market.sql.execute(
        "insert into product_reports (report_id, product_id, reporter, reason, comment)"
        " select gen_random_uuid(), %s, 'guest ' || n, 'other', 'c' from generate_series(1, %s) n",
        (product["productId"], MOST_OF_GUESTS - 1),
    )
    reports.sent(product, guest_headers(), email=mail)
    problem(reports.send(product, guest_headers(), email=address()), 429, "too-many-requests")
    reports.sent(product, person.headers)

    for _ in range(MOST_OF_ADDRESS - 1):
        reports.sent(cup(market, seller), guest_headers(), email=mail)
    problem(reports.send(cup(market, seller), guest_headers(), email=mail.upper()), 429, "too-many-requests")


def at_once(url: str, products: list[dict[str, Any]], headers: dict[str, str]) -> list[int]:
    """Report all of them, each on a connection of its own."""

    def send(product: dict[str, Any]) -> int:
        with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=PLAIN) as client:
            path, body = f"/api/v1/products/{product['productId']}/report", {"reason": "unsafe", "comment": "c"}
            return client.put(path, json=body, headers=headers).status_code

    with ThreadPoolExecutor(len(products)) as pool:
        return sorted(pool.map(send, products))


def test_an_hour_has_a_limit_also_when_all_come_at_once(
    market: Market, reports: Reports, server: Server, cups: list[dict[str, Any]]
) -> None:
    person = market.person()
    for product in cups[: MOST_AN_HOUR - 1]:
        reports.sent(product, person.headers)

    assert at_once(server.url, cups[-4:], person.headers) == [200, 429, 429, 429]
    # What is open already may be said again.
    assert reports.sent(cups[0], person.headers, comment="More.")["productId"] == cups[0]["productId"]


def test_without_the_lock_more_are_taken(
    market: Market, reports: Reports, server: Server, cups: list[dict[str, Any]], tmp_path: Path
) -> None:
    mutant = Server("api", "SOUK_API_URL", tmp_path, server.env)
    mutant.start(mutant="reports without a lock")
    person = market.person()
    for product in cups[: MOST_AN_HOUR - 1]:
        reports.sent(product, person.headers)
    try:
        with mutant.client() as client:
            signed_in = client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD}).json()
        headers = {"Authorization": f"Bearer {signed_in['accessToken']}"}
        assert at_once(mutant.url, cups[-4:], headers)[1] == 200
    finally:
        mutant.stop()


def test_what_was_decided_is_never_changed(market: Market, reports: Reports, seller: Person) -> None:
    product = cup(market, seller)
    reports.sent(product, market.person().headers)
    removed = reports.decided(product, "remove")["decisionId"]
    assert reports.contest(seller, removed).status_code == 200

    for change in (
        "update report_decisions set decision = 'keep' where decision_id = %s",
        "delete from report_decisions where decision_id = %s",
        "update decision_objections set comment = '' where decision_id = %s",
        "delete from decision_objections where decision_id = %s",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            market.sql.execute(change, (removed,))


@pytest.fixture
def worker(server: Server, tmp_path: Path) -> Iterator[Worker]:
    """Follows the shop's changes, with the search index of the API."""
    worker = Worker(tmp_path / "worker", server.env)
    worker.start()
    yield worker
    worker.stop()


def test_what_is_removed_is_gone_everywhere_within_a_second(
    market: Market, reports: Reports, worker: Worker, seller: Person, buyer: Person
) -> None:
    products = [market.product(seller, title=f"Quinquereme {n}", category="/Ships") for n in range(3)]
    client, found = market.client, "/api/v1/search?q=quinquereme"
    _until(lambda: client.get(found).json().get("totalResults") == 3, 30)
    seconds: dict[str, list[float]] = {"page": [], "list": [], "search": []}

    def gone(place: str, path: str, left: int) -> bool:
        if place == "page":
            return client.get(path).status_code == 404
        if place == "list":
            return len(client.get("/api/v1/products?category=/Ships").json()["products"]) == left
        return bool(client.get(found).json()["totalResults"] == left)

    for left, product in zip((2, 1, 0), products, strict=True):
        path, body = f"/api/v1/products/{product['productId']}", market.order_body((product, 1))
        for _ in range(2):
            assert client.get(path).status_code == 200
            assert len(client.get("/api/v1/products?category=/Ships").json()["products"]) == left + 1
        line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}
        assert client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201
        reports.sent(product, buyer.headers)

        reports.decided(product, "remove")

        started = time.monotonic()
        cart = client.get("/api/v1/cart", headers=buyer.headers).json()
        assert not [one for one in cart["items"] if one["available"]]
        problem(market.buy(buyer, body), 422, "not-orderable")
        for place, waits in seconds.items():
            _until(partial(gone, place, path, left), 20)
            waits.append(time.monotonic() - started)
    # The middle one: another process of the machine may hold up any of them.
    assert {place: sorted(waits)[1] < 1.0 for place, waits in seconds.items()} == dict.fromkeys(seconds, True), seconds


def _until(seen: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)
