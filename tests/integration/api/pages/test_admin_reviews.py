"""The administrators' page of reviews that wait, over real HTTP and in a real browser, without scripts."""

from collections.abc import Iterator

import httpx
import pytest

from tests.harness.api import Server
from tests.harness.browser import page_in_chromium
from tests.harness.buying import Market
from tests.harness.reviews import Reviewing
from tests.harness.shop import PASSWORD, Person
from tests.integration.api.pages.test_admin import csrf_of, signed_in

HERE = "/admin/reviews"
SPAM = "Great one. Call me: +49 170 1234567"


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


@pytest.fixture
def reviewing(market: Market, seller: Person) -> Reviewing:
    return Reviewing(market, seller)


@pytest.fixture
def browsing(server: Server, admin: Person) -> Iterator[httpx.Client]:
    """A client that is signed in as an administrator."""
    with signed_in(server, admin.email) as (client, answer):
        assert answer.status_code == 303
        yield client


def decide(client: httpx.Client, review: str, decision: str, statement: str = "", version: int = 1) -> str:
    """What the page says after it."""
    form = {"review_id": review, "version": version, "decision": decision, "statement": statement}
    answer = client.post(f"{HERE}/decisions", data={**form, "csrf": csrf_of(client.get(HERE))})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_nobody_without_a_session_sees_or_does_anything(server: Server, market: Market, reviewing: Reviewing) -> None:
    review = reviewing.review(market.person(), comment=SPAM)["reviewId"]
    form = {"review_id": review, "version": 1, "decision": "publish"}
    with server.client() as client:
        assert client.get(HERE).headers["location"] == "/admin/sign-in"
        for path in ("decisions", "votes"):
            assert client.post(f"{HERE}/{path}", data=form).headers["location"] == "/admin/sign-in"
    assert reviewing.listed()["reviews"] == []


def test_what_waits_is_shown_with_its_reasons_and_decided(
    market: Market, reviewing: Reviewing, browsing: httpx.Client
) -> None:
    markup = "I < 3 it & more. Call me: +49 170 1234567"
    good, bad = (reviewing.review(market.person(), comment=text)["reviewId"] for text in (SPAM, markup))

    shown = browsing.get(HERE).text

    assert "I &lt; 3 it &amp; more." in shown
    assert "It gives a way to contact somebody." in shown
    assert "did not buy it here" in shown
    assert decide(browsing, bad, "reject", "It advertises.\r\nTwice.") == f"{HERE}?said=reject"
    assert decide(browsing, bad, "publish") == f"{HERE}?said=elsewhere"
    assert decide(browsing, good, "reject") == f"{HERE}?said=why"
    assert decide(browsing, good, "publish", version=2) == f"{HERE}?said=elsewhere"
    assert decide(browsing, good, "publish") == f"{HERE}?said=publish"
    assert "Published. Its author is told." in browsing.get(f"{HERE}?said=publish").text
    assert [one["reviewId"] for one in reviewing.listed()["reviews"]] == [good]
    assert bad not in browsing.get(HERE).text
    assert browsing.get(f"{HERE}?cursor=x").headers["location"] == HERE


def test_it_works_in_a_browser_without_scripts(
    server: Server, market: Market, reviewing: Reviewing, admin: Person
) -> None:
    long = f"Look here {'A' * 130}"
    review = reviewing.review(market.person(), comment=SPAM, title=long)["reviewId"]
    reviewing.review(market.person(), comment=f"{SPAM} {'A' * 400}", title=long)
    with page_in_chromium() as (page, errors):
        page.goto(f"{server.url}/admin/sign-in")
        page.fill("#email", admin.email)
        page.fill("#password", PASSWORD)
        page.click("button")
        page.wait_for_url("**/admin/search")
        page.goto(f"{server.url}{HERE}")
        card = page.locator(f"#r{review}")
        assert "Look here" in card.inner_text()
        card.locator("textarea").fill("It advertises.")
        card.locator("button", has_text="Reject").click()
        assert page.locator(".said").inner_text() == "Rejected. Its author is told why, and may appeal once."
        assert page.locator(f"#r{review}").count() == 0
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert errors == []
    assert reviewing.on(admin, "GET", review).json()["status"] == "rejected"
