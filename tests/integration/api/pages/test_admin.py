"""The administrators' page of searches and synonyms over real HTTP and in a real browser, without scripts."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
import pytest
from fastapi.routing import APIRoute

from api.pages.admin.render import percent
from api.pages.admin.routes import router
from tests.harness.api import Server, running_api
from tests.harness.browser import page_in_chromium
from tests.harness.quick import few
from tests.harness.shop import PASSWORD, Person, Shop
from tests.integration.conftest import BuiltMarts

PAGES = [
    route.path
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "static" not in route.path
]
FORMS = [route.path for route in router.routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())]


@pytest.fixture(scope="module")
def server(
    database_url: str, redis_url: str, built_marts: BuiltMarts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """With the marts that dbt built, and markup in a term."""
    home = tmp_path_factory.mktemp("admin-home")
    marts = home / "souk.duckdb"
    marts.write_bytes(built_marts.result.marts.read_bytes())
    with duckdb.connect(str(marts)) as con:
        con.execute("UPDATE fct_search_queries SET term = '<script>alert(1)</script>' WHERE term = 'lamp'")
    with running_api(home, database_url, redis_url, SOUK_MARTS_PATH=str(marts)) as running:
        yield running


@pytest.fixture(scope="module")
def marts(server: Server, built_marts: BuiltMarts) -> Path:
    return built_marts.result.marts


@pytest.fixture(scope="module")
def admin(shop: Shop) -> Person:
    return shop.admin()


@contextmanager
def signed_in(server: Server, email: str, password: str = PASSWORD) -> Iterator[tuple[httpx.Client, httpx.Response]]:
    """A browser-like client after it sent the sign-in form, and the form's answer."""
    with server.client() as client:
        token = csrf_of(client.get("/admin/sign-in"))
        yield client, client.post("/admin/sign-in", data={"email": email, "password": password, "csrf": token})


def csrf_of(answer: httpx.Response) -> str:
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
    assert token is not None, answer.text
    return token[1]


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/admin/sign-in"])
def test_without_a_session_every_page_leads_to_sign_in(server: Server, path: str) -> None:
    with server.client() as client:
        answer = client.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/sign-in")


@pytest.mark.parametrize("path", [path for path in FORMS if path != "/admin/sign-in"])
def test_a_form_without_a_session_or_from_elsewhere_does_nothing(
    server: Server, shop: Shop, admin: Person, path: str
) -> None:
    pair = {"word": "elsewhere", "synonym": "forged", "synonym_id": admin.user_id, "decision": "accepted"}
    with server.client() as client:
        assert client.post(path, data=pair).headers["location"] == "/admin/sign-in"
    with signed_in(server, admin.email) as (client, _):
        answer = client.post(path, data=pair | {"csrf": "00" * 16})
        assert answer.headers["location"] == "/admin/sign-in"
        assert client.get("/admin/search").status_code == 200
    assert shop.scalar("select count(*) from search_synonyms where word = 'elsewhere'") == 0


@pytest.mark.parametrize("kind", ["customer", "seller"])
def test_other_accounts_are_told_that_this_is_not_for_them(server: Server, shop: Shop, kind: str) -> None:
    with signed_in(server, shop.person(kind).email) as (client, answer):
        assert answer.status_code == 422
        assert "This account is not an administrator" in answer.text
        assert "souk_admin" not in client.cookies


def test_a_sellers_session_opens_no_page_of_administrators(server: Server, shop: Shop) -> None:
    person = shop.person("seller")
    with server.client() as client:
        token = csrf_of(client.get("/seller/sign-in"))
        client.post("/seller/sign-in", data={"email": person.email, "password": PASSWORD, "csrf": token})
        cookie = client.cookies["souk_seller"]
    with server.client(cookie=f"souk_admin={cookie}") as client:
        assert client.get("/admin/search").status_code == 303


def test_who_is_an_administrator_no_longer_is_signed_out(server: Server, shop: Shop) -> None:
    person = shop.admin()
    with signed_in(server, person.email) as (client, _):
        assert client.get("/admin/search").status_code == 200
        shop.sql.execute("update users set user_type = 'customer' where user_id = %s", (person.user_id,))
        assert client.get("/admin/search").status_code == 303


def test_figures_are_those_of_the_marts_and_terms_are_text(server: Server, admin: Person, marts: Path) -> None:
    with duckdb.connect(str(marts), read_only=True) as con:
        searches, empty = con.execute(
            "SELECT count(*), count(*) FILTER (result_count = 0) FROM fct_search_queries WHERE term <> ''"
            " AND search_date > (SELECT max(search_date) FROM fct_search_queries) - 365"
        ).fetchall()[0]
    with signed_in(server, admin.email) as (client, _):
        text = client.get("/admin/search", params={"days": "365"}).text
        refused = client.get("/admin/search", params={"days": "31"})

    assert f'id="searches">{searches:,}<' in text
    assert f'id="empty">{percent(empty / searches)}<' in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script" not in text
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/days")


def test_a_wrong_pair_is_refused_in_words_and_stays_in_the_form(server: Server, admin: Person) -> None:
    with signed_in(server, admin.email) as (client, _):
        token = csrf_of(client.get("/admin/search"))
        pair = {"word": "Café", "synonym": "cafe", "csrf": token}
        same = client.post("/admin/search/synonyms", data=pair)
        unknown = client.post("/admin/search/synonyms", data=pair | {"synonym": "bar", "language": "!"})

    assert same.status_code == unknown.status_code == 422
    assert "Word and synonym are the same; name two expressions." in same.text
    assert 'value="Café"' in same.text
    assert "The language: " in unknown.text


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", few([390, 1440], 1))
@pytest.mark.parametrize("scheme", few(["dark", "light"], 1))
def test_an_administrator_suggests_accepts_and_removes_in_a_browser(
    server: Server, shop: Shop, admin: Person, width: int, scheme: str
) -> None:
    shop.sql.execute("alter table search_synonym_decisions disable trigger user")
    shop.sql.execute("delete from search_synonyms")
    shop.sql.execute("alter table search_synonym_decisions enable trigger user")
    with page_in_chromium() as (page, complaints):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(f"{server.url}/admin/search")
        page.fill("#email", admin.email)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url("**/admin/search")
        page.click("text=Suggest from searches and titles")
        page.wait_for_selector("text=New suggestions wait below.")
        page.click("button[aria-label='Accept couch = sofa']")
        page.wait_for_selector("text=Accepted. Searches use it within seconds.")
        page.click("nav[aria-label=State] >> text=Accepted")
        page.wait_for_selector("button[aria-label='Remove couch = sofa']")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        page.click("button[aria-label='Remove couch = sofa']")
        page.wait_for_selector("text=Removed. Searches use it no longer.")

    assert overflow == 0
    assert complaints == []
    row = "select state, source from search_synonyms where word = 'couch' and synonym = 'sofa'"
    assert shop.sql.execute(row).fetchall() == [("removed", "log")]
    journal = "select decision, decided_by::text from search_synonym_decisions order by decision_id"
    assert shop.sql.execute(journal).fetchall() == [("accepted", admin.user_id), ("removed", admin.user_id)]
