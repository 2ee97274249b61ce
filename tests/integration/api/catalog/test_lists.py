"""A page of a list costs a page: read from an index in every sort, and counted by the search index as the database
counts."""

import random
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product as each_of
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.catalog.queries import listing
from api.catalog.queries.categories import all_categories, within
from api.catalog.queries.counting import count_in_database
from api.catalog.queries.invariants import CHECKS
from api.catalog.queries.listing import ProductQuery, Shape, Way, page_statement, product_page, way_of
from api.catalog.schemas import Sort
from api.kernel.context import Context, open_context
from api.kernel.db import PLANNED_EACH_TIME, PLANNED_ONCE, all_as
from api.kernel.settings import Settings
from api.search.engine.store import IndexStore
from api.search.engine.tantivy_index import TantivyIndex
from api.search.sync import Indexer
from tests.harness.shop import Shop

SORTS = get_args(Sort)
INDEX = {
    "relevance": "product_counters{}_popular", "popularity": "product_counters{}_popular",
    "price_asc": "price_points{}_price", "price_desc": "price_points{}_price",
    "rating": "price_points{}_rating", "newest": "price_points{}_newest",
}  # fmt: skip
# What PLANNED_ONCE says.
SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    **{f"enable_{name}": "off" for name in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")},
}
LAST = {"relevance": 2, "popularity": 2, "rating": 2, "price_asc": 1, "price_desc": 1, "newest": 1}
NEWEST = datetime(2030, 1, 1, tzinfo=UTC)
PATHS = ("/Home/Garden/Chairs", "/Home/Garden", "/Home/Light", "/Toys", "/Garden")
# Rows in SQL, as a shop of any size would have them: some drafts, some withdrawn, some sold out, ties in every sort.
FILL = """
with numbered as (select n, gen_random_uuid() as id from generate_series(1, 400) n),
made as (
  insert into products (product_id, seller_id, category_id, title, brand, base_price, currency, status, prime_eligible,
                        average_rating, review_count, created_at, deleted_at)
  select id, (%(sellers)s::uuid[])[1 + n %% 2], (%(categories)s::uuid[])[1 + n %% 5], 'Thing ' || n,
         case when n %% 7 > 0 then 'Brand ' || n %% 60 end, 5 + (n * 37 %% 200) + (n %% 3) * 0.33, 'USD',
         case when n %% 11 = 0 then 'draft' else 'active' end, n %% 3 = 0, (n * 13 %% 51) / 10.0, n %% 4,
         timestamptz '2026-01-01' + make_interval(days => n %% 40), case when n %% 13 = 0 then now() end
  from numbered returning product_id, category_id),
counted as (
  insert into product_counters (product_id, category_id, units_sold_90d, view_count)
  select product_id, category_id, n %% 5, n %% 17 from made join numbered on id = product_id)
insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price, stock_quantity)
select gen_random_uuid(), id, (%(sellers)s::uuid[])[1 + n %% 2], 'SKU-' || id, '{}',
       5 + (n * 37 %% 200) + (n %% 3) * 0.33, case when n %% 5 = 0 then 0 else 3 end from numbered
"""
# Other variants of some: dearer, cheaper, at the same price, sold out where the first is not, or removed.
MORE = """
insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price, stock_quantity, removed_at)
select gen_random_uuid(), product_id, seller_id, gen_random_uuid(), jsonb_build_object('nth', nth),
       greatest(1, base_price + (nth - 2) * 30), nth %% 2, case when nth = 4 then now() end
from products, generate_series(1, 4) nth where get_byte(uuid_send(product_id), 15) %% 3 = 0
"""


@pytest.fixture(scope="module")
def filled(shop: Shop) -> list[UUID]:
    """The ids of two sellers."""
    sellers = [UUID(shop.person("seller").user_id) for _ in range(2)]
    categories = [shop.category(path) for path in PATHS]
    shop.sql.execute(FILL, {"sellers": sellers, "categories": categories})
    shop.sql.execute(MORE.replace("%%", "%"))
    shop.sql.execute("analyze")
    return sellers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    filled: list[UUID], database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    home = tmp_path_factory.mktemp("lists-home")
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        yield context


async def queries(context: Context, sellers: list[UUID], count: int) -> list[ProductQuery]:
    """Random queries, with every filter."""
    draw = random.Random(7)
    async with context.db.read() as tx:
        categories = await all_categories(tx)

    def maybe(value: Any) -> Any:
        return value if draw.random() < 0.35 else None

    def query() -> ProductQuery:
        asked = maybe(draw.choice(["/Home", "Garden", "/Home/Light", "Chairs", "/Toys", "/Nowhere"]))
        found = None if asked is None else tuple(row.category_id for row in within(categories, asked))
        return ProductQuery(
            categories=found,
            seller_id=maybe(draw.choice(sellers)),
            brands=tuple(draw.sample(["Brand 1", "Brand 2", "brand 1", "Brand 3", "Nobody"], draw.randrange(4))),
            min_price=maybe(Decimal(draw.randrange(0, 15_000)) / 100),
            max_price=maybe(Decimal(draw.randrange(0, 2_500_000)) / 10_000),
            min_rating=maybe(draw.randrange(0, 51) / 10),
            prime=maybe(draw.random() < 0.5),
            in_stock=maybe(draw.random() < 0.5),
            sort=draw.choice(SORTS),
        )

    return [query() for _ in range(count)]


async def test_the_index_counts_as_the_database_does(context: Context, filled: list[UUID]) -> None:
    store = IndexStore(Path(context.settings.home) / "search")
    index = TantivyIndex(store)
    assert await index.count(ProductQuery()) is None
    await Indexer(store).rebuild(context)
    asked = [ProductQuery(), *await queries(context, filled, 150)]

    async with context.db.read() as tx:
        for query in asked:
            if query.categories != ():
                assert await index.count(query) == await count_in_database(tx, query), query
    everything = await index.count(ProductQuery())
    assert everything is not None
    assert everything.total == 400 - 36 - 30 + 2
    assert len(everything.brands) == 50


@pytest.mark.parametrize(("way", "merged"), [("walk", 32), ("walk", 1), ("gather", 32)])
async def test_pages_are_the_rows_in_order_and_cursors_and_offsets_agree(
    context: Context, filled: list[UUID], way: Way, merged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In SQL of this test's own: the whole list, sorted and cut."""
    monkeypatch.setattr(listing, "MAX_MERGED", merged)
    order = {
        "relevance": "c.units_sold_90d desc, c.view_count desc, p.product_id desc",
        "rating": "p.average_rating desc, p.review_count desc, p.product_id desc",
        "newest": "p.created_at desc, p.product_id desc",
        "price_asc": "v.price, p.product_id",
        "price_desc": "v.price desc, p.product_id desc",
    }
    order["popularity"] = order["relevance"]
    with psycopg.connect(context.settings.database_url.get_secret_value()) as sql:
        async with context.db.read() as tx:
            for query in await queries(context, filled, 60):
                rows = sql.execute(
                    "select p.product_id, v.price, v.stocked from products p join product_counters c using (product_id)"
                    " cross join lateral (select min(price) as price, bool_or(stocked) as stocked from ("
                    " select price, stock_quantity > 0 as stocked, bool_or(stock_quantity > 0) over () as any"
                    " from product_variants v where v.product_id = p.product_id and removed_at is null) v"
                    " where stocked = v.any"
                    " and (%(min_price)s::numeric is null or price >= %(min_price)s)"
                    " and (%(max_price)s::numeric is null or price <= %(max_price)s)) v"
                    " where v.price is not null and status = 'active' and deleted_at is null"
                    " and (%(categories)s::uuid[] is null or p.category_id = any(%(categories)s))"
                    " and (%(seller_id)s::uuid is null or seller_id = %(seller_id)s)"
                    " and (%(brands)s::text[] is null or brand = any(%(brands)s))"
                    " and (%(min_rating)s::float8 is null or average_rating >= %(min_rating)s::float8)"
                    " and (%(prime)s::bool is null or p.prime_eligible = %(prime)s)"
                    " and (%(in_stock)s::bool is null or %(in_stock)s = v.stocked)"
                    f" order by {order[query.sort]}",
                    {
                        name: list(value) if isinstance(value := getattr(query, name), tuple) else value
                        for name in (
                            "categories", "seller_id", "min_price", "max_price", "min_rating", "prime", "in_stock",
                        )
                    }
                    | {"brands": list(query.brands) or None},
                ).fetchall()  # fmt: skip
                expected = [tuple(row) for row in rows]
                by_offset, by_cursor, after = [], [], None
                for offset in range(0, len(expected) + 1, 40):
                    cards, more = await product_page(tx, query, limit=40, offset=offset, after=None, way=way)
                    by_offset += [(card.product_id, card.price, card.in_stock) for card in cards]
                    assert (more is not None) == (len(by_offset) < len(expected))
                    if offset == 0 or after is not None:
                        cards, after = await product_page(tx, query, limit=40, offset=0, after=after, way=way)
                        by_cursor += [(card.product_id, card.price, card.in_stock) for card in cards]
                assert by_offset == by_cursor == expected, query


@dataclass
class Mode:
    mode: str


async def test_a_page_is_planned_once_and_other_statements_as_ever(context: Context) -> None:
    mode = all_as(Mode, select(func.current_setting("plan_cache_mode").label("mode")))
    async with context.db.read() as tx:
        for _ in range(3):
            assert (await tx.batch(PLANNED_ONCE, mode))[1] == [Mode("force_generic_plan")]
            assert await tx.fetch(mode) == [Mode("auto")]
            assert (await tx.batch(PLANNED_EACH_TIME, mode))[1] == [Mode("force_custom_plan")]
            assert await tx.fetch(mode) == [Mode("auto")]


def explained(shop: Shop, shape: Shape, sort: Sort, *, keyset: bool, **given: Any) -> dict[str, Any]:
    """The plan that is kept for a page, after it ran."""
    merged = len(PATHS) if "categories" in shape else 0
    statement = page_statement(shape, sort, "walk", keyset=keyset, merged=merged)
    compiled = statement.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]  # SQLAlchemy leaves the dialect untyped
    values: dict[str, Any] = {**compiled.params, "take": 21, "skip": 0, **given}
    values |= {f"category_{i}": shop.category(path) for i, path in enumerate(PATHS)}
    # A position near the beginning, so that Postgres expects most of the list behind it.
    first = 0 if sort == "price_asc" else 1_000
    values |= {name: first for name in compiled.params if name.startswith("after_")}
    values |= {name: NEWEST for name in ("after_0",) if sort == "newest" and keyset}
    values |= {f"after_{LAST[sort]}": UUID(int=0 if sort == "price_asc" else 2**128 - 1)} if keyset else {}
    with shop.sql.transaction():
        for name, value in SETTINGS.items():
            shop.sql.execute(f"set local {name} = {value}")
        row = shop.sql.execute(f"explain (analyze, buffers, format json) {compiled}", values, prepare=True).fetchone()
    assert row is not None
    return dict(row[0][0]["Plan"])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for below in plan.get("Plans", []) for found in nodes(below))]


@pytest.mark.parametrize(("sort", "scoped", "keyset", "stocked"), [*each_of(SORTS, *[(False, True)] * 3)])
@pytest.mark.usefixtures("vacuumed")
def test_every_sort_is_read_from_its_index_alone_and_no_further_than_the_page(
    shop: Shop, sort: Sort, *, scoped: bool, keyset: bool, stocked: bool
) -> None:
    shape = frozenset({*(["categories"] if scoped else []), *(["in_stock"] if stocked else [])})
    skip = 0 if keyset else 40
    plan = nodes(explained(shop, shape, sort, keyset=keyset, in_stock=True, skip=skip))

    index = f"ix_{INDEX[sort].format('_category' if scoped else '')}"
    walked = [node for node in plan if node.get("Index Name") == index]
    assert len(walked) == (len(PATHS) if scoped else 1)
    assert {node["Node Type"] for node in walked} == {"Index Only Scan"}
    assert sum(node["Heap Fetches"] for node in walked) == 0
    # As many entries as the page has and those before it, and of each further category the first. What is sold out is
    # passed, one category as a whole, with 67 products; and so are the dearer prices of products, at most three each.
    assert sum(node["Actual Rows"] for node in walked) <= 21 + skip + len(walked) - 1
    passed = sum(node.get("Rows Removed by Filter", 0) for node in walked)
    assert passed <= 3 * (21 + skip + len(walked)) + (40 + 67 if stocked else 0)
    assert not {"Sort", "Incremental Sort", "Seq Scan"} & {node["Node Type"] for node in plan}


@pytest.fixture(scope="module")
def vacuumed(shop: Shop, filled: list[UUID]) -> None:
    """Only then Postgres knows that an index is enough."""
    shop.sql.execute("vacuum analyze price_points")
    shop.sql.execute("vacuum analyze product_counters")


FROM_FIFTY = {"min_price": Decimal(50)}


@pytest.mark.parametrize(
    ("filters", "passed", "matching", "entries", "way"),
    [
        ({"prime": True}, 1_000, 1, 24, "walk"),
        ({"in_stock": True}, 1_000_000, 900_000, 1_920, "walk"),
        ({"brands": ("One",)}, 1_000_000, 300, 24, "gather"),
        ({"in_stock": False}, 1_000_000, 0, 24, "gather"),
        ({"brands": ("One",)}, 1_000_000, 6_000, 24, "walk"),
        ({"brands": ("One",)}, 1_000_000, 6_000, 1_920, "gather"),
        ({}, 1_000_000, 1_000_000, 24, "walk"),
        (FROM_FIFTY, 1_000_000, 300, 24, "gather"),
        (FROM_FIFTY | {"sort": "price_desc"}, 1_000_000, 300, 24, "walk"),
        (FROM_FIFTY | {"sort": "price_desc", "brands": ("One",)}, 1_000_000, 300, 24, "gather"),
        ({"min_rating": 4.0, "sort": "rating"}, 1_000_000, 0, 24, "walk"),
    ],
)
def test_few_of_many_are_gathered_and_others_walked_to(
    filters: dict[str, Any], passed: int, matching: int, entries: int, way: Way
) -> None:
    assert way_of(ProductQuery(**filters), passed, matching, entries) == way


LISTED = {"R-I18-listed", "R-I18-counted"}


def wrongly_listed(shop: Shop) -> list[Any]:
    return [row for check in CHECKS if check.name in LISTED for row in shop.sql.execute(check.sql).fetchall()]


def test_a_listing_follows_its_product_and_its_variants(shop: Shop, filled: list[UUID]) -> None:
    """Random changes in SQL, several rows at a time; and what no trigger follows is seen."""
    draw = random.Random(11)
    changes = (
        "update products set status = case status when 'active' then 'inactive' else 'active' end where {some}",
        "update products set deleted_at = case when deleted_at is null then now() end where {some}",
        "update products set base_price = base_price + 1, brand = null, list_price = null where {some}",
        "update products set prime_eligible = not prime_eligible where {some}",
        "update products set average_rating = 4.5, review_count = review_count + 1 where {some}",
        "update products set seller_id = '{}', category_id = '{}' where {{some}}".format(
            filled[0], shop.category("/Home/Light")
        ),
        "update product_variants set stock_quantity = case when stock_quantity > 0 then 0 else 2 end where {some}",
        "update product_variants set stock_quantity = stock_quantity + 1 where {some}",
        (
            "insert into product_variants (variant_id, product_id, sku, attributes, price, stock_quantity) select"
            " gen_random_uuid(), product_id, gen_random_uuid(), '{{}}', 1, floor(random() * 2)"
            " from products where {some}"
        ),
        "update product_variants set price = 1 + floor(random() * 3), own_price = null where {some}",
        "update product_variants set removed_at = case when removed_at is null then now() end where {some}",
        "delete from product_variants where {some}",
        "delete from product_counters where {some}",
        (
            "insert into product_counters (product_id, category_id) select product_id, category_id from products"
            " where {some} on conflict do nothing"
        ),
        "delete from products where {some}",
    )
    with shop.sql.transaction(force_rollback=True):
        for _ in range(60):
            some = f"get_byte(uuid_send(product_id), 15) % 16 = {draw.randrange(16)}"
            shop.sql.execute(draw.choice(changes).format(some=some))
            assert wrongly_listed(shop) == []
        assert shop.scalar("select count(*) from price_points where in_stock and on_sale") > 0
        shop.sql.execute("alter table product_variants disable trigger product_variants_priced_anew")
        shop.sql.execute("update product_variants set stock_quantity = 0")
        assert wrongly_listed(shop) != []


def test_variants_that_sell_out_at_the_same_time_are_both_counted(shop: Shop, database_url: str) -> None:
    """Two transactions take the last unit of one variant each: the second waits and counts from there."""
    product = shop.scalar(
        "select product_id from price_points join product_variants using (product_id) where on_sale and in_stock"
        " group by 1 having count(*) = 1 order by 1 limit 1"
    )
    shop.sql.execute(
        "insert into product_variants (variant_id, product_id, sku, attributes, price, stock_quantity)"
        " values (gen_random_uuid(), %s, 'the other one', '{}', 1, 1)",
        (product,),
    )
    one, other = (
        row[0]
        for row in shop.sql.execute(
            "select variant_id from product_variants where product_id = %s and stock_quantity > 0", (product,)
        ).fetchall()
    )
    sold_out = "update product_variants set stock_quantity = 0 where variant_id = %s"
    with psycopg.connect(database_url) as first, psycopg.connect(database_url) as second:
        first.execute(sold_out, (one,))
        waiting = threading.Thread(target=second.execute, args=(sold_out, (other,)))
        waiting.start()
        blocked = "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        deadline = time.monotonic() + 30
        while not shop.scalar(blocked, (second.info.backend_pid,)):
            assert time.monotonic() < deadline
        first.commit()
        waiting.join(30)
        second.commit()
    listed = "select in_stock, count(*) from price_points where product_id = %s group by 1"
    assert shop.sql.execute(listed, (product,)).fetchall() == [(False, 2)]
    assert wrongly_listed(shop) == []
