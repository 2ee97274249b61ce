"""`sort=popularity` means units sold lately: right after a load, after a sale, after years of history and then one
order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb

from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.orders.jobs import rank_products
from tests.harness.shop import Shop

# Written apart from the product's own statement: the 90 newest days that have orders, whatever lies between them.
ORACLE = """
    WITH days AS (SELECT DISTINCT date_trunc('day', created_at, 'UTC') AS day FROM orders ORDER BY day DESC LIMIT 90),
    sold AS (
      SELECT i.product_id, sum(i.quantity - coalesce((
        SELECT sum(r.quantity) FROM returns r
        WHERE r.order_item_id = i.order_item_id AND r.reason_code LIKE 'cancelled%'), 0)) AS units
      FROM order_items i JOIN orders o USING (order_id)
      WHERE o.status <> 'cancelled' AND date_trunc('day', o.created_at, 'UTC') IN (SELECT day FROM days) GROUP BY
      i.product_id
    )
    SELECT p.product_id::text, coalesce(s.units, 0) FROM products p LEFT JOIN sold s USING (product_id)
    JOIN product_counters c USING (product_id)
    WHERE p.status = 'active' AND p.deleted_at IS NULL ORDER BY coalesce(s.units, 0) DESC, c.view_count DESC,
    p.product_id DESC
"""


@pytest.fixture(scope="module")
def database_url(marketplace_url: str) -> str:
    return marketplace_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    home: Path = tmp_path_factory.mktemp("popularity-context")
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        yield context


def _expected(shop: Shop) -> list[tuple[str, int]]:
    return [(row[0], int(row[1])) for row in shop.sql.execute(ORACLE).fetchall()]


def _walk(shop: Shop, **query: Any) -> list[str]:
    """Every product id of a list, by its cursor."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        answer = shop.client.get("/api/v1/products", params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += [product["productId"] for product in answer.json()["products"]]
        cursor = answer.json()["pagination"]["nextCursor"]
        if cursor is None:
            return found


def _sell(shop: Shop, product_id: str, units: int, at: str) -> str:
    """An order of `units` at a time of one's choosing, straight into the tables; its id."""
    order_id = str(uuid4())
    shop.sql.execute(
        "insert into orders (order_id, order_number, status, currency, subtotal, tax, shipping_fee, total,"
        " shipping_address, country, created_at) values (%s, %s, 'confirmed', 'USD', %s, 0, 0, %s, '{}', 'GB', %s)",
        (order_id, order_id, units, units, at),
    )
    shop.sql.execute(
        "insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, quantity,"
        " price_at_purchase, subtotal) select %s, %s, p.product_id, v.variant_id, p.seller_id, %s, 1, %s from products"
        " p join product_variants v using (product_id) where p.product_id = %s limit 1",
        (uuid4(), order_id, units, units, product_id),
    )
    return order_id


@pytest.mark.parametrize("sort", ["popularity", "relevance"])
def test_right_after_a_load_the_best_sellers_come_first_and_the_cursor_keeps_their_order(shop: Shop, sort: str) -> None:
    expected = _expected(shop)

    walked = _walk(shop, sort=sort, limit=7)

    assert expected[0][1] > expected[20][1] > 0
    assert walked == [product for product, _ in expected]


async def test_a_sale_moves_its_product_up_and_cancelling_it_moves_it_back(shop: Shop, context: Context) -> None:
    await rank_products(context)
    slowest = _walk(shop, sort="popularity", limit=100)[-1]
    before = shop.sql.execute("select version, updated_at from products where product_id = %s", (slowest,)).fetchone()
    newest = shop.scalar("select max(created_at)::text from orders")

    order_id = _sell(shop, slowest, 10_000, newest)
    ranked = await rank_products(context)

    assert ranked == 1
    assert (
        shop.client.get("/api/v1/products", params={"sort": "popularity", "limit": 1}).json()["products"][0][
            "productId"
        ]
        == slowest
    )
    assert (
        shop.sql.execute("select version, updated_at from products where product_id = %s", (slowest,)).fetchone()
        == before
    )

    shop.sql.execute("update orders set status = 'cancelled' where order_id = %s", (order_id,))
    assert await rank_products(context) == 1
    assert _walk(shop, sort="popularity", limit=100) == [product for product, _ in _expected(shop)]


async def test_units_that_were_cancelled_were_not_sold(shop: Shop, context: Context) -> None:
    slowest = _walk(shop, sort="popularity", limit=100)[-1]
    order_id = _sell(shop, slowest, 10_000, shop.scalar("select max(created_at)::text from orders"))
    for units, code in ((4_000, "cancelled"), (5_990, "cancelled_by_seller")):
        shop.sql.execute(
            "insert into returns (return_id, order_id, order_item_id, product_id, seller_id, quantity, reason,"
            " reason_code, status, refund_amount) select gen_random_uuid(), order_id, order_item_id, product_id,"
            " seller_id, %s, 'r', %s, 'refunded', 0 from order_items where order_id = %s",
            (units, code, order_id),
        )

    await rank_products(context)

    counted = "select units_sold_90d from product_counters where product_id = %s"
    assert shop.scalar(counted, (slowest,)) == dict(_expected(shop))[slowest] == 10
    shop.sql.execute("delete from returns where order_id = %s", (order_id,))
    shop.sql.execute("update orders set status = 'cancelled' where order_id = %s", (order_id,))
    await rank_products(context)


async def test_a_kit_is_sold_as_what_it_is_and_as_its_components(shop: Shop, context: Context) -> None:
    """In whole units: of three with two and one unit of its components, one unit of the second was cancelled."""
    kit, two, one = _walk(shop, sort="popularity", limit=100)[-3:]
    before = {product: dict(_expected(shop))[product] for product in (kit, two, one)}
    order_id = _sell(shop, two, 6, shop.scalar("select max(created_at)::text from orders"))
    shop.sql.execute(
        "insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, quantity,"
        " price_at_purchase, subtotal) select gen_random_uuid(), %s, p.product_id, v.variant_id, p.seller_id, 3, 1, 3"
        " from products p join product_variants v using (product_id) where p.product_id = %s limit 1",
        (order_id, one),
    )
    bought = {"variantId": str(uuid4()), "productId": kit, "title": "Set", "sku": "S", "quantity": 3, "price": "3.00"}
    # A component may be several lines.
    shop.sql.execute(
        "insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, quantity,"
        " price_at_purchase, subtotal) select gen_random_uuid(), order_id, product_id, variant_id, seller_id, 2, 1, 2"
        " from order_items where order_id = %s and quantity = 6",
        (order_id,),
    )
    shop.sql.execute(
        "update order_items set quantity = 4, subtotal = 4 where order_id = %s and quantity = 6", (order_id,)
    )
    shop.sql.execute("update order_items set kit = %s where order_id = %s", (Jsonb(bought), order_id))
    counted = "select units_sold_90d from product_counters where product_id = %s"

    await rank_products(context)
    whole = [shop.scalar(counted, (product,)) - before[product] for product in (kit, two, one)]
    shop.sql.execute(
        "insert into returns (return_id, order_id, order_item_id, product_id, seller_id, quantity, reason,"
        " reason_code, status, refund_amount) select gen_random_uuid(), order_id, order_item_id, product_id,"
        " seller_id, 1, 'r', 'cancelled', 'refunded', 0 from order_items where order_id = %s and quantity = 3",
        (order_id,),
    )
    await rank_products(context)

    assert whole == [3, 6, 3]
    assert [shop.scalar(counted, (product,)) - before[product] for product in (kit, two, one)] == [2, 6, 2]
    shop.sql.execute("delete from returns where order_id = %s", (order_id,))
    shop.sql.execute("update orders set status = 'cancelled' where order_id = %s", (order_id,))
    await rank_products(context)


async def test_several_rankers_agree_and_a_second_run_writes_nothing(shop: Shop, context: Context) -> None:
    product = _walk(shop, sort="popularity", limit=100)[5]
    _sell(shop, product, 77, shop.scalar("select max(created_at)::text from orders"))

    ranked = await asyncio.gather(*(rank_products(context) for _ in range(4)))

    assert sum(ranked) >= 1
    assert await rank_products(context) == 0
    assert _walk(shop, sort="popularity", limit=100) == [product for product, _ in _expected(shop)]


async def test_one_order_years_later_does_not_make_the_history_forgotten(shop: Shop, context: Context) -> None:
    """Loaded history keeps its real dates; ninety days back from the first live order there is nothing."""
    sold_before = sum(1 for _, units in _expected(shop) if units)
    product = _expected(shop)[-1][0]

    _sell(shop, product, 1, "2036-01-01 12:00+00")
    await rank_products(context)

    assert sum(1 for _, units in _expected(shop) if units) >= sold_before
    assert _walk(shop, sort="popularity", limit=100) == [product for product, _ in _expected(shop)]


async def test_a_product_without_counters_is_in_the_list_after_the_next_ranking(shop: Shop, context: Context) -> None:
    """An older release makes products without them while a newer one has migrated."""
    await rank_products(context)
    walked = _walk(shop, sort="popularity", limit=100)
    sold, unsold = walked[0], walked[-1]
    for product in (sold, unsold):
        shop.sql.execute("delete from product_counters where product_id = %s", (product,))
    assert not {sold, unsold} & set(_walk(shop, sort="popularity", limit=100))

    assert await rank_products(context) == 1

    assert _walk(shop, sort="popularity", limit=100) == [product for product, _ in _expected(shop)]
    assert {sold, unsold} <= set(_walk(shop, sort="popularity", limit=100))


def test_the_list_is_read_from_the_index_in_order(shop: Shop) -> None:
    """A page costs a page: no sort of the whole catalog, also behind a cursor."""
    deep = "(c.units_sold_90d, c.view_count, c.product_id) < (3, 0, '00000000-0000-0000-0000-000000000000')"
    for where in ("true", deep):
        with shop.sql.transaction():
            shop.sql.execute("set local enable_seqscan = off")
            plan = shop.sql.execute(
                "explain select p.* from products p join product_counters c using (product_id) where c.on_sale"
                f" and {where}"
                " order by c.units_sold_90d desc, c.view_count desc, c.product_id desc limit 21"
            ).fetchall()
        text = "\n".join(row[0] for row in plan)
        assert "Index Only Scan Backward using ix_product_counters_popular" in text
        assert "Sort" not in text
