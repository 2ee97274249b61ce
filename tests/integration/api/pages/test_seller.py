"""The seller's pages over real HTTP and in a real browser: who gets in, and that every number is the database's."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute

from api.kernel.money import to_cents
from api.pages.seller.render import against_chance, money
from api.pages.seller.routes import router
from tests.harness.api import Server, running_api
from tests.harness.browser import page_in_chromium
from tests.harness.shop import PASSWORD, Person, Shop
from tests.integration.conftest import BuiltMarts

SYMBOL = "$"
PAIR = re.compile(
    r'<tr><td><span class="title">(.*?)</span><span class="title">\+ (.*?)</span><span'
    r' class="sku">(.*?)</span></td><td>(.*?)</td></tr>'
)
NO_PAIRS = "No products bought together yet."


@pytest.fixture(scope="module")
def database_url(marketplace_url: str) -> str:
    return marketplace_url


@pytest.fixture(scope="module")
def seller_email(shop: Shop, database_url: str) -> str:
    """The best-selling store's owner, with a password of ours and the whole history moved to end now, so that it is
    live."""
    person = shop.person("seller")
    with psycopg.connect(database_url, autocommit=True) as sql:
        best = sql.execute(
            "SELECT seller_id FROM order_items GROUP BY 1 ORDER BY sum(subtotal) DESC LIMIT 1"
        ).fetchone()
        assert best is not None
        sql.execute("UPDATE products SET title = '<script>alert(1)</script> & ' || title WHERE seller_id = %s", best)
        shift = "now() - (SELECT max(created_at) FROM orders) - interval '1 minute'"
        sql.execute(f"CREATE TEMP TABLE shift AS SELECT {shift} AS by")
        sql.execute("ALTER TABLE return_events DISABLE TRIGGER USER")
        for table, column in (
            ("orders", "created_at"),
            ("order_items", "created_at"),
            ("returns", "created_at"),
            ("return_events", "created_at"),
        ):
            sql.execute(f"UPDATE {table} SET {column} = {column} + (SELECT by FROM shift)")
        sql.execute(
            "UPDATE users u SET password_hash = n.password_hash FROM users n WHERE n.user_id = %s AND u.user_id = %s",
            (person.user_id, *best),
        )
        email = sql.execute("SELECT email FROM users WHERE user_id = %s", best).fetchone()
    assert email is not None
    return str(email[0])


@contextmanager
def signed_in(
    api_server: Server, email: str, password: str = PASSWORD
) -> Iterator[tuple[httpx.Client, httpx.Response]]:
    """A browser-like client after it sent the sign-in form, and the form's answer."""
    with api_server.client() as client:
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/seller/sign-in").text)
        assert token is not None
        yield client, client.post("/seller/sign-in", data={"email": email, "password": password, "csrf": token[1]})


PAGES = [
    route.path
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "{" not in route.path
]


def test_the_pages_are_known() -> None:
    assert {"/seller", "/seller/sign-in"} <= set(PAGES)


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/seller/sign-in"])
def test_without_a_session_every_page_leads_to_sign_in(api_server: Server, path: str) -> None:
    with api_server.client() as client:
        answer = client.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/seller/sign-in")


@pytest.mark.parametrize("cookie", ["", "AAAA", "not base64 ☃".encode().hex(), "A" * 400])
def test_a_made_up_session_cookie_is_nobody(api_server: Server, cookie: str) -> None:
    with api_server.client(cookie=f"souk_seller={cookie}") as client:
        assert client.get("/seller").status_code == 303


def test_a_wrong_password_is_refused_in_words_and_sets_no_session(api_server: Server, seller_email: str) -> None:
    with signed_in(api_server, seller_email, "not the password at all") as (client, answer):
        assert answer.status_code == 422
        assert "E-mail address or password is not right." in answer.text
        assert f'value="{seller_email}"' in answer.text
        assert "souk_seller" not in client.cookies


def test_a_shopper_is_told_that_this_is_for_sellers(api_server: Server, shop: Shop) -> None:
    with signed_in(api_server, shop.person("customer").email) as (_, answer):
        assert answer.status_code == 422
        assert "This account is not a seller" in answer.text


def test_a_form_from_elsewhere_is_refused(api_server: Server, seller_email: str) -> None:
    with api_server.client() as client:
        answer = client.post("/seller/sign-in", data={"email": seller_email, "password": PASSWORD, "csrf": "00" * 16})

        assert answer.status_code == 422
        assert "souk_seller" not in client.cookies


def test_a_new_password_ends_the_browser_session(api_server: Server, shop: Shop, database_url: str) -> None:
    person = shop.person("seller")
    with signed_in(api_server, person.email) as (client, _), psycopg.connect(database_url, autocommit=True) as sql:
        assert client.get("/seller").status_code == 200

        sql.execute("UPDATE users SET session_version = session_version + 1 WHERE user_id = %s", (person.user_id,))

        assert client.get("/seller").status_code == 303


def test_a_period_that_is_not_offered_is_a_problem(api_server: Server) -> None:
    with api_server.client() as client:
        answer = client.get("/seller", params={"days": "31"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/days"


def test_a_new_store_sees_an_empty_page_not_an_error(api_server: Server, shop: Shop) -> None:
    with signed_in(api_server, shop.person("seller").email) as (client, _):
        answer = client.get("/seller")

    assert answer.status_code == 200
    assert "No orders yet." in answer.text
    assert "Nothing sold in this period yet." in answer.text
    assert NO_PAIRS in answer.text


@pytest.fixture
def marts(built_marts: BuiltMarts, tmp_path: Path) -> Path:
    """A copy of the marts that dbt built, with markup in the titles of the pairs."""
    path = tmp_path / "souk.duckdb"
    path.write_bytes(built_marts.result.marts.read_bytes())
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE mart_product__bought_together SET title = '<b>' || title, with_title = '<i>' || with_title")
    return path


@pytest.fixture
def marts_server(database_url: str, redis_url: str, marts: Path, tmp_path: Path) -> Iterator[Server]:
    with running_api(tmp_path, database_url, redis_url, SOUK_MARTS_PATH=str(marts)) as running:
        yield running


@pytest.mark.timeout(600)
def test_products_bought_together_are_the_marts_each_pair_once(
    marts_server: Server, shop: Shop, built_marts: BuiltMarts, database_url: str
) -> None:
    seller = str(built_marts.shop.rows["sellers"][0]["seller_id"])
    email = _known_to_the_shop(database_url, shop.person("seller"), seller)

    with signed_in(marts_server, email) as (client, _):
        shown = PAIR.findall(client.get("/seller").text)

    assert shown == _strongest_pairs(built_marts, seller)
    assert len(shown) == 8


@pytest.mark.timeout(600)
def test_without_pairs_the_panel_says_so_and_so_it_does_on_a_file_of_an_earlier_release(
    marts_server: Server, shop: Shop, built_marts: BuiltMarts, database_url: str, marts: Path
) -> None:
    other = _known_to_the_shop(
        database_url, shop.person("seller"), str(built_marts.shop.rows["sellers"][1]["seller_id"])
    )
    older = marts.with_name("older.duckdb")
    older.write_bytes(marts.read_bytes())
    with duckdb.connect(str(older)) as con:
        con.execute("DROP TABLE mart_product__bought_together")
        con.execute("ALTER TABLE mart_seller__restatement DROP cause")

    with signed_in(marts_server, shop.person("seller").email) as (client, _):
        new_store = client.get("/seller")
    with signed_in(marts_server, other) as (client, _):
        before = client.get("/seller")
        older.replace(marts)
        after = client.get("/seller")

    assert [page.status_code for page in (new_store, before, after)] == [200, 200, 200]
    assert [NO_PAIRS in page.text for page in (new_store, before, after)] == [True, False, True]
    assert "Products bought together: all orders up to position 0/384." in before.text
    assert "up to position" not in after.text


@pytest.mark.timeout(600)
def test_ratings_are_those_of_the_stores_own_products(
    marts_server: Server, shop: Shop, built_marts: BuiltMarts, database_url: str
) -> None:
    seller = str(built_marts.shop.rows["sellers"][0]["seller_id"])
    email = _known_to_the_shop(database_url, shop.person("seller"), seller)
    titles = {
        row["product_id"]: row["title"] for row in built_marts.shop.rows["products"] if row["seller_id"] == seller
    }
    stars: dict[object, list[int]] = {}
    for row in built_marts.shop.rows["reviews_by_user"]:
        if row["status"] == "published" and row["product_id"] in titles:
            stars.setdefault(row["product_id"], []).append(int(str(row["rating"])))
    every = [one for said in stars.values() for one in said]
    lowest = sorted((Fraction(sum(said), len(said)), -len(said), titles[key]) for key, said in stars.items())[:5]

    with signed_in(marts_server, email) as (client, _):
        page = client.get("/seller").text
    with signed_in(marts_server, shop.person("seller").email) as (client, _):
        new_store = client.get("/seller").text

    assert re.findall(r'<span class="share"><span>(\d)</span>.*?</td><td>(\d+)</td>', page) == [
        (str(one), str(every.count(one))) for one in (5, 4, 3, 2, 1)
    ]
    assert re.findall(r'<b id="rating">(.*?)</b> of 5 stars, <span id="reviews">(.*?)</span> reviews', page) == [
        (_stars(Fraction(sum(every), len(every))), str(len(every)))
    ]
    rows = re.search(r'<table id="lowest-rated">(.*?)</table>', page, re.DOTALL)
    assert rows is not None
    assert re.findall(r'class="title">(.*?)</span></td><td>(.*?)</td><td>(.*?)</td>', rows[1]) == [
        (title, str(-fewer), _stars(average)) for average, fewer, title in lowest
    ]
    assert ("No reviews yet." in page, "No reviews yet." in new_store) == (False, True)


def _stars(average: Fraction) -> str:
    return str((Decimal(average.numerator) / average.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP))


@pytest.mark.timeout(600)
def test_currencies_are_shown_apart_and_added_only_by_rates(
    marts_server: Server, shop: Shop, built_marts: BuiltMarts, database_url: str
) -> None:
    seller = str(built_marts.shop.rows["sellers"][0]["seller_id"])
    email = _known_to_the_shop(database_url, shop.person("seller"), seller)
    with duckdb.connect(str(built_marts.result.marts), read_only=True) as con:
        days = con.execute(
            "SELECT currency, order_date, net_sales FROM mart_seller__sales_day WHERE seller_id = $1 AND order_date <"
            " $2 AND order_date > (SELECT max(order_date) - 30 FROM mart_seller__sales_day WHERE seller_id = $1 AND"
            " order_date < $2) ORDER BY ALL",
            [seller, built_marts.watermark.commit_ts.date()],
        ).fetchall()
    sums = {name: sum((net for code, _, net in days if code == name), Decimal(0)) for name in ("EUR", "GBP", "USD")}
    first = {code: day for code, day, _ in reversed(days)}
    insert = (
        "INSERT INTO exchange_rates (from_currency, to_currency, day, rate, source) VALUES (%s, 'GBP', %s, %s, 'ecb')"
    )
    with signed_in(marts_server, email) as (client, _), psycopg.connect(database_url, autocommit=True) as sql:
        without = client.get("/seller").text
        sql.execute(insert, ("EUR", first["EUR"], Decimal("0.85")))
        one = client.get("/seller").text
        sql.execute(insert, ("USD", first["USD"], Decimal("0.75")))
        both = client.get("/seller").text
        euros = client.get("/seller", params={"currency": "EUR"}).text
        sql.execute("DELETE FROM exchange_rates")
        unknown = client.get("/seller", params={"currency": "eur"}).status_code

    shown = re.findall(r">([A-Z]{3})</a></td><td>\d+</td><td>\d+</td><td>(.*?)</td>", without)
    assert shown == [(code, money(net, code)) for code, net in sums.items()]
    assert _all_currencies(without) == (
        f"No total in GBP: there is no rate EUR to GBP for {_words(first['EUR'])};"
        f" there is no rate USD to GBP for {_words(first['USD'])}."
    )
    assert _all_currencies(one) == f"No total in GBP: there is no rate USD to GBP for {_words(first['USD'])}."
    rates = {"EUR": Decimal("0.85"), "GBP": Decimal(1), "USD": Decimal("0.75")}
    total = sum((to_cents(net * rates[code]) for code, _, net in days), Decimal(0))
    oldest = _words(min(first["EUR"], first["USD"]))
    assert _all_currencies(both) == (
        f"Together {money(total, 'GBP')}, each day at its rate (source: ecb; the oldest rate is of {oldest})."
    )
    assert _figure(without, "net-sales") == money(sums["GBP"], "GBP")
    assert _figure(euros, "net-sales") == money(sums["EUR"], "EUR")
    assert unknown == 422


@pytest.mark.timeout(600)
def test_old_marts_and_what_they_lack_are_said_on_the_page(
    marts_server: Server, shop: Shop, built_marts: BuiltMarts, database_url: str, marts: Path
) -> None:
    seller = str(built_marts.shop.rows["sellers"][0]["seller_id"])
    email = _known_to_the_shop(database_url, shop.person("seller"), seller)
    with signed_in(marts_server, email) as (client, _):
        good = client.get("/seller").text
        newer = marts.with_name("newer.duckdb")
        newer.write_bytes(marts.read_bytes())
        with duckdb.connect(str(newer)) as con:
            con.execute("INSERT INTO mart_withheld VALUES ('order', 'o', 'N<1>', ?, 'a rule', now())", [seller])
            con.execute("INSERT INTO mart_withheld VALUES ('order', 'p', 'N2', 'another seller', 'a rule', now())")
            con.execute(
                "INSERT INTO mart_seller__restatement SELECT seller_id, max(order_date), currency, DATE '2026-03-05',"
                " 0, -7.25, 'withheld' FROM mart_seller__sales_day WHERE seller_id = ? AND currency = 'GBP'"
                " AND order_date < ? GROUP BY ALL",
                [seller, built_marts.watermark.commit_ts.date()],
            )
        newer.replace(marts)
        marts.with_name("refresh.json").write_text('{"failingSince": "2026-03-02T10:00:00+00:00"}')
        old = client.get("/seller").text
        marts.with_name("refresh.json").unlink()
        report = {"updatedAt": datetime.now(UTC).isoformat(), "behindSince": "2026-03-02T11:00:00+00:00"}
        status = marts.parent / "run" / "marts-status.json"
        status.parent.mkdir(exist_ok=True)
        status.write_text(json.dumps(report | {"needsBuild": "the models have changed"}))
        waiting = client.get("/seller").text
        status.unlink()

    assert "because they wait for a full build since 2 Mar 2026, 11:00 UTC." in waiting
    assert 'id="old"' not in good
    assert 'id="withheld"' not in good
    assert "refreshing them fails since 2 Mar 2026, 10:00 UTC." in old
    assert "order N&lt;1&gt; (a rule)." in old
    changed = "<td>5 Mar 2026</td><td>orders whose records contradict themselves were left out</td><td>−£7.25</td>"
    assert [changed in page for page in (good, old)] == [False, True]
    assert "N2" not in old


def _all_currencies(page: str) -> str:
    found = re.search(r'<p id="all-currencies">(.*?)</p>', page, re.DOTALL)
    assert found is not None
    return " ".join(found[1].split())


def _figure(page: str, name: str) -> str:
    found = re.search(rf'id="{name}">(.*?)</p>', page)
    assert found is not None
    return found[1]


def _words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _known_to_the_shop(url: str, person: Person, seller_id: str) -> str:
    """A copy of the person under the id that the marts have; returns its address."""
    email = f"copy-of-{person.email}"
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(
            "INSERT INTO users SELECT (jsonb_populate_record(u, jsonb_build_object('user_id', %s::text, 'email',"
            " %s::text))).* FROM users u WHERE user_id = %s ON CONFLICT (user_id) DO UPDATE SET email = excluded.email",
            (seller_id, email, person.user_id),
        )
    return email


def _strongest_pairs(built: BuiltMarts, seller: str) -> list[tuple[str, str, str, str]]:
    """The panel's rows in plain Python, from the pairs that were committed to the lake."""
    titles = {row["product_id"]: row["title"] for row in built.shop.rows["products"]}
    mine = {row["product_id"] for row in built.shop.rows["products"] if row["seller_id"] == seller}
    kept: dict[frozenset[object], dict[str, Any]] = {}  # Any: ids, counts and ratios
    better_last = sorted(
        built.pairs, key=lambda row: (row["confidence"], -int(str(row["product_a"]).replace("-", ""), 16))
    )
    for pair in better_last:
        if pair["product_a"] in mine:
            kept[frozenset((pair["product_a"], pair["product_b"]))] = pair
    best = sorted(
        kept.values(), key=lambda row: (-row["orders_together"], -row["lift"], row["product_a"], row["product_b"])
    )
    return [
        (
            f"&lt;b&gt;{titles[row['product_a']]}",
            f"&lt;i&gt;{titles[row['product_b']]}",
            against_chance(row["lift"]),
            str(row["orders_together"]),
        )
        for row in best[:8]
    ]


@pytest.mark.browser
def test_in_the_browser_every_figure_is_the_databases(api_server: Server, seller_email: str, database_url: str) -> None:
    with psycopg.connect(database_url) as sql:
        # The period ends on the seller's newest day, which is not the shop's soon after midnight.
        newest = sql.execute(
            "SELECT max(day) - 29 FROM (SELECT o.created_at::date AS day FROM order_items i JOIN orders o USING"
            " (order_id) JOIN users u ON u.user_id = i.seller_id WHERE u.email = %(email)s UNION ALL SELECT"
            " r.created_at::date FROM return_events r JOIN users u ON u.user_id = r.seller_id WHERE u.email = %(email)s"
            " AND r.to_status = 'refunded') d",
            {"email": seller_email},
        ).fetchone()
        assert newest is not None
        expected = sql.execute(
            """
            WITH mine AS (
              SELECT i.*, o.status AS state FROM order_items i JOIN orders o USING (order_id) JOIN users u ON u.user_id
              = i.seller_id
              WHERE u.email = %(email)s AND o.created_at >= %(first)s
            )
            SELECT count(DISTINCT order_id), sum(quantity), sum(subtotal) FROM mine WHERE state <> 'cancelled'
            """,
            {"email": seller_email, "first": newest[0]},
        ).fetchone()
        refunded = sql.execute(
            "SELECT coalesce(sum(goods_amount), 0) FROM return_events r JOIN users u ON u.user_id = r.seller_id WHERE"
            " u.email = %s AND r.to_status = 'refunded' AND r.created_at >= %s",
            (seller_email, newest[0]),
        ).fetchone()
        promises = sql.execute(
            "SELECT count(delivered_at), count(*) FILTER (WHERE (delivered_at AT TIME ZONE 'UTC')::date <="
            " promised_on),"
            " count(*) FROM parcels p JOIN users u ON u.user_id = p.seller_id WHERE u.email = %s AND p.status <>"
            " 'cancelled' AND promised_on BETWEEN %s AND %s::date + 29",
            (seller_email, newest[0], newest[0]),
        ).fetchone()
    assert expected is not None
    assert refunded is not None
    assert promises is not None
    orders, units, sold = expected
    arrived, on_time, promised = promises

    with page_in_chromium() as (page, complaints):
        page.goto(f"{api_server.url}/seller")
        page.fill("#email", seller_email)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_selector("#sales-chart.drawn")

        assert page.inner_text("#orders") == f"{orders:,}"
        assert page.inner_text("#units") == f"{units:,}"
        rate = f"{(Decimal(100 * on_time) / arrived).quantize(Decimal('0.1'))} %" if arrived else "–"
        assert page.inner_text("#on-time") == rate
        assert page.inner_text("#on-time + .delta").startswith(f"{arrived:,} of {promised:,} parcels")
        assert page.inner_text("#net-sales") == f"{SYMBOL}{Decimal(sold) - Decimal(refunded[0]):,.2f}"
        assert page.locator("#sales-chart .bars path").count() > 0
        assert page.locator("#top-products tbody tr").count() > 0
        assert "<script>alert(1)</script> &" in page.inner_text("#top-products")
        assert page.locator("#days tbody tr").count() == 30
        page.click("text=7 days")
        page.wait_for_selector("#sales-chart.drawn")
        assert page.locator("#days tbody tr").count() == 7
        page.click("text=Sign out")
        assert page.url == f"{api_server.url}/seller/sign-in"
        assert complaints == []
