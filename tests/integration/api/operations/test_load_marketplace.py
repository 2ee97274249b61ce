"""The generated marketplace: every invariant holds after it, it is the same every time, and it never loads by
halves."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from api.kernel.gtin import check_digit
from api.kernel.money import ZERO
from api.operations.load import copy
from api.operations.load.marketplace.sales import REASONS
from api.orders.returns.policy import POLICIES, window_days
from api.orders.returns.returnable import OrderAmounts, OrderLine, refund_of
from api.payments.parts import Parts
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, running_sandbox
from tests.harness.history import TINY, load, load_process, loaded
from tests.harness.invariants import assert_invariants
from tests.harness.postgres import PostgresHarness

TABLES = (
    *(
        "users",
        "sellers",
        "categories",
        "warehouses",
        "products",
        "product_variants",
        "price_points",
        "product_counters",
        "warehouse_stock",
        "inventory_transactions",
    ),
    *("orders", "order_items", "order_events", "parcels", "parcel_events", "outbox_events"),
    *("payments", "returns", "return_events", "refunds"),
    *("reviews", "reviews_by_user", "review_votes", "product_ratings", "seller_ratings"),
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture(scope="module")
def summary(database_url: str, sandbox: Server) -> dict[str, Any]:
    return loaded(load_process(database_url, "marketplace", *TINY, sandbox_url=sandbox.url))


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def counts(database_url: str) -> dict[str, int]:
    return {table: rows(database_url, f"select count(*) from {table}")[0][0] for table in TABLES}


def test_summary_counts_what_is_in_the_tables(summary: dict[str, Any], database_url: str) -> None:
    in_tables = counts(database_url)

    assert summary["status"] == "loaded"
    assert (
        in_tables | {"outbox_events": in_tables["outbox_events"] - 1} == summary["rows"]
    )  # the load's own record is one event more
    assert summary["rows"]["products"] == 150
    assert summary["rows"]["orders"] == 300
    assert summary["rows"]["users"] == 80 + 40


@pytest.mark.slow
def test_indexes_that_are_made_after_the_rows_are_those_of_before(
    postgres_server: PostgresHarness, monkeypatch: pytest.MonkeyPatch, summary: dict[str, Any], database_url: str
) -> None:
    monkeypatch.setattr(copy, "MANY_ROWS", 1)
    url = postgres_server.url(postgres_server.fresh_database())
    # Without the conditions, of which Postgres spells some otherwise when it reads them again.
    indexes = (
        "select split_part(indexdef, ' WHERE ', 1), indexdef like '% WHERE %' from pg_indexes"
        " where schemaname = 'public' order by 1"
    )
    before = rows(url, indexes)
    ((known,),) = rows(url, "select 'ix_orders_created'::regclass::oid")

    assert loaded(load(url, "marketplace", *TINY))["rows"] == summary["rows"]

    assert rows(url, indexes) == before
    assert rows(url, f"select count(*) from pg_class where oid = {known}") == [(0,)]
    assert_invariants(url)


def test_every_invariant_holds_against_the_gateway_too(
    summary: dict[str, Any], database_url: str, sandbox: Server
) -> None:
    assert summary["gatewayEntries"] == 2 * summary["rows"]["payments"] + summary["rows"]["refunds"]

    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


def test_titles_differ_and_some_variants_are_nearly_gone(summary: dict[str, Any], database_url: str) -> None:
    titles, distinct = rows(database_url, "select count(*), count(distinct title) from products")[0]
    low, all_ = rows(
        database_url, "select count(*) filter (where stock_quantity between 1 and 15), count(*) from product_variants"
    )[0]

    assert (titles, distinct) == (150, 150)
    assert low / all_ >= 0.05
    assert rows(database_url, "select count(*) from product_variants where stock_quantity = 0") == [(0,)]


def test_some_products_are_offers_of_one_article(summary: dict[str, Any], database_url: str) -> None:
    """Of two sellers, at two prices, of one category and with the same attributes."""
    articles = rows(
        database_url,
        "select count(*), count(distinct p.seller_id), count(distinct p.base_price), count(distinct p.category_id),"
        " count(distinct p.brand), count(distinct v.attributes), count(distinct p.title), min(v.gtin)"
        " from products p join product_variants v using (product_id) where v.gtin is not null"
        " group by p.article_id order by 8",
    )

    assert len(articles) >= 5
    assert {row[:7] for row in articles} == {(2, 2, 2, 1, 1, 1, 2)}
    assert [row[7][-1] for row in articles] == [str(check_digit(row[7][:-1])) for row in articles]
    assert rows(database_url, "select count(*) from products where article_id is not null") == [(2 * len(articles),)]


def test_half_of_the_products_and_more_have_reviews_that_say_what_they_are(
    summary: dict[str, Any], database_url: str
) -> None:
    (told,) = rows(
        database_url,
        "select count(distinct product_id), count(distinct origin), min(origin), count(*) filter (where rating >= 4),"
        " count(*) filter (where rating <= 2), count(*), count(distinct tableoid) from reviews",
    )
    products, origins, origin, good, poor, reviews, partitions = told
    assert products >= summary["rows"]["products"] / 2
    assert (origins, origin) == (1, "generated")
    assert 0 < poor < reviews / 5 < reviews / 2 < good
    assert partitions >= 4
    assert rows(database_url, "select count(*) from reviews where tableoid = 'partitions.reviews_other'::regclass") == [
        (0,)
    ]
    assert rows(database_url, "select count(*) from outbox_events where aggregate_type = 'review'") == [(0,)]


def test_kitchen_goods_and_categories_are_in_german_too(summary: dict[str, Any], database_url: str) -> None:
    translated = rows(
        database_url,
        "select p.translations -> 'de', p.title, c.path from products p join categories c using (category_id)"
        " where p.translations is not null",
    )

    assert len(translated) >= 20
    assert all(path.startswith("/Kitchen/") for _, _, path in translated)
    for texts, title, _ in translated:
        assert set(texts) == {"title", "description", "labels"}
        assert texts["title"] != title
        assert texts["labels"]["type"] == "Art"
    assert rows(database_url, "select names from categories where path = '/Kitchen'") == [({"de": "Küche"},)]
    assert rows(database_url, "select path from categories where names is null") == []


def test_nobody_is_mailed_and_nobody_can_sign_in(summary: dict[str, Any], database_url: str) -> None:
    assert rows(database_url, "select count(*) from outbox_events where published_at is null") == [(0,)]
    assert rows(database_url, "select distinct origin, password_hash from users") == [("import", "!imported")]
    assert rows(database_url, "select count(*) from users where email not like '%@import.invalid'") == [(0,)]


def test_no_order_is_after_the_end_or_before_its_customer(summary: dict[str, Any], database_url: str) -> None:
    assert rows(database_url, "select count(*) from order_events where created_at > '2026-06-30 12:00+00'") == [(0,)]
    late = "select count(*) from orders o join users u using (user_id) where u.created_at > o.created_at"
    assert rows(database_url, late) == [(0,)]
    unlisted = "select count(*) from order_items i join products p using (product_id) where p.created_at > i.created_at"
    assert rows(database_url, unlisted)[0][0] <= 5  # only baskets before anything but the oldest product was listed


def test_a_loaded_line_may_be_returned_as_long_as_its_category_says(summary: dict[str, Any], database_url: str) -> None:
    by_category = (
        "select distinct split_part(c.path, '/', 2), i.return_days from order_items i join products p using"
        " (product_id) join categories c using (category_id)"
    )
    found = rows(database_url, by_category)
    assert len(found) > 3
    assert found == [(department, window_days(f"/{department}")) for department, _ in found]


def test_a_loaded_order_of_which_everything_came_back_is_refunded_as_a_live_one(
    summary: dict[str, Any], database_url: str
) -> None:
    whole = (
        "select o.status, o.payment_status, o.total - sum(r.refund_amount) from orders o join returns r using"
        " (order_id) group by o.order_id having sum(r.quantity) = (select sum(quantity) from order_items i where"
        " i.order_id = o.order_id)"
    )
    in_part = (
        "select o.status, o.payment_status from orders o join returns r using (order_id) group by o.order_id having"
        " sum(r.quantity) < (select sum(quantity) from order_items i where i.order_id = o.order_id)"
    )
    steps = (
        "select distinct array_agg(to_status order by sequence) from order_events join orders using (order_id) where"
        " status = 'refunded' group by order_id"
    )

    found, others = rows(database_url, whole), rows(database_url, in_part)

    assert len(found) > 0
    # The buyers who changed their mind keep what sending the order had cost: it is not given back.
    assert {row[:2] for row in found if row[2] == 0} == {("refunded", "refunded")}
    assert {row[:2] for row in found if row[2] > 0} <= {("refunded", "partially_refunded")}
    assert set(others) == {("delivered", "partially_refunded")}
    path = ["pending", "confirmed", "processing", "shipped", "delivered"]
    assert rows(database_url, steps) == [([*path, "return_requested", "return_approved", "refunded"],)]


def test_a_loaded_return_follows_the_refund_policy_of_its_reason(summary: dict[str, Any], database_url: str) -> None:
    codes = rows(database_url, "select distinct reason, reason_code, outbound_refunded, restocked from returns")

    assert len(codes) >= 3
    for words, code, outbound, restocked in codes:
        assert (code, outbound, restocked) == (REASONS[words], POLICIES[code].outbound, POLICIES[code].restock)


def test_the_refunds_of_loaded_returns_are_those_that_the_shop_would_pay(
    summary: dict[str, Any], database_url: str
) -> None:
    """Tax and the share of the shipping fee included, to the cent."""
    asked = (
        "select o.total, o.tax, o.tax_included, o.shipping_fee, r.order_item_id, r.quantity, r.refund_amount,"
        " r.outbound_refunded, r.goods_amount, r.tax_amount, r.shipping_amount, array(select (order_item_id, quantity,"
        " subtotal, tax_amount)::text from order_items i where i.order_id = o.order_id) from returns r join orders o"
        " using (order_id)"
    )
    compared = 0
    for total, tax, included, fee, item, quantity, amount, outbound, *parts, texts in rows(database_url, asked):
        lines = {line.order_item_id: line for line in map(_line, texts)}
        amounts = OrderAmounts(total, tax, included, fee)
        refund = refund_of(amounts, lines, item, quantity, outbound=outbound)
        assert refund.parts == Parts(*parts)
        assert (refund.parts.amount, refund.shipping_tax) == (amount, ZERO)
        compared += refund.parts.tax > 0
    assert compared > 0


def _line(text: str) -> OrderLine:
    """A line of which nothing was returned before; the sets have no discounts and no prices with tax."""
    item, quantity, subtotal, tax = text.strip("()").split(",")
    nobody = UUID(int=0)
    return OrderLine(
        order_item_id=UUID(item),
        product_id=nobody,
        variant_id=nobody,
        seller_id=nobody,
        warehouse_id=None,
        quantity=int(quantity),
        subtotal=Decimal(subtotal),
        discount=ZERO,
        tax_amount=Decimal(tax),
        tax_included=False,
        returned=0,
        returned_outbound=0,
        goods_given=ZERO,
        tax_given=ZERO,
        shipping_given=ZERO,
        shipping_tax_given=ZERO,
        status="delivered",
        parcel_id=None,
        adjusted=False,
        return_days=None,
        digital=False,
    )


def test_loading_the_same_set_again_changes_nothing(
    summary: dict[str, Any], database_url: str, sandbox: Server
) -> None:
    before = counts(database_url)

    again = loaded(load(database_url, "marketplace", *TINY, sandbox_url=sandbox.url))

    assert again["status"] == "already-loaded"
    assert again["totalRows"] == 0
    assert counts(database_url) == before
    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


def test_another_set_of_the_kind_is_refused(summary: dict[str, Any], database_url: str) -> None:
    before = counts(database_url)

    done = load(database_url, "marketplace", *TINY, "--seed", "2")

    assert done.returncode == 2
    assert "load: another marketplace set is loaded already" in done.stderr
    assert done.stdout == ""
    assert counts(database_url) == before


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rows(
    summary: dict[str, Any], database_url: str, postgres_server: PostgresHarness
) -> None:
    other = postgres_server.fresh_database()
    loaded(load(postgres_server.url(other), "marketplace", *TINY))
    queries = (
        "select md5(string_agg(o::text, '' order by order_id)) from orders o",
        "select md5(string_agg(i::text, '' order by order_item_id)) from order_items i",
        "select md5(string_agg(v::text, '' order by variant_id)) from product_variants v",
        (
            "select md5(string_agg(transaction_id::text || new_quantity, '' order by transaction_id)) from"
            " inventory_transactions t"
        ),
    )

    assert [rows(database_url, query) for query in queries] == [
        rows(postgres_server.url(other), query) for query in queries
    ]
    assert rows(database_url, "select count(*) from orders where uuid_extract_version(order_id) <> 7") == [(0,)]


def test_a_refused_row_leaves_nothing_behind(postgres_server: PostgresHarness) -> None:
    """The warehouses' code is taken, so COPY fails after users and sellers have been written."""
    url = postgres_server.url(postgres_server.fresh_database())
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into warehouses values (gen_random_uuid(), 'US-EWR', 'Mine', 'Newark', 'US', 40, -74)"
        )

    done = load(url, "marketplace", *TINY)

    assert done.returncode == 2
    assert "table warehouses refused a row" in done.stderr
    assert "US-EWR" in done.stderr
    assert counts(url) == dict.fromkeys(TABLES, 0) | {"warehouses": 1}


def test_a_silent_gateway_stops_the_load_before_it_begins(postgres_server: PostgresHarness) -> None:
    url = postgres_server.url(postgres_server.fresh_database())

    done = load(url, "marketplace", *TINY, sandbox_url="http://127.0.0.1:9")

    assert done.returncode == 2
    assert "the sandbox gateway does not answer at http://127.0.0.1:9" in done.stderr
    assert counts(url) == dict.fromkeys(TABLES, 0)


def test_a_gateway_that_lost_its_part_gets_it_by_loading_again(
    postgres_server: PostgresHarness, tmp_path: Path
) -> None:
    """As after a kill between the commit and the gateway's import."""
    url = postgres_server.url(postgres_server.fresh_database())
    loaded(load(url, "marketplace", *TINY))
    with running_sandbox(tmp_path) as late:
        again = loaded(load(url, "marketplace", *TINY, sandbox_url=late.url))

        assert again["status"] == "already-loaded"
        assert_invariants(url, sandbox_url=late.url, sandbox_key=SANDBOX_KEY)


def test_a_database_without_schema_is_said_so(postgres_server: PostgresHarness) -> None:
    url = postgres_server.url(postgres_server.fresh_database(migrate=None))

    done = load(url, "marketplace", *TINY)

    assert (done.returncode, done.stdout) == (2, "")
    assert "run python -m api.operations.migrate first" in done.stderr
