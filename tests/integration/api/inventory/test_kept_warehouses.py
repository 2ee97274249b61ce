"""Every process keeps the warehouses, and a change of one is in the next page, cart and order."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from api.carts import commands
from api.carts.queries import cart_of
from api.carts.schemas import AddItem
from api.delivery.promises import Origin
from api.inventory.warehouses import kept
from api.inventory.warehouses.kept import Origins, origins_of
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from tests.harness.buying import ADDRESS, Market
from tests.harness.shop import Person
from tests.harness.wire import watched_wire

T1 = "select warehouse_id from warehouses where code = 'T1'"
ABROAD = "update warehouses set country = 'Portugal', latitude = 38.7, longitude = -9.1 where code = 'T1'"
HOME = "update warehouses set country = 'US', latitude = 41.9, longitude = -87.6 where code = 'T1'"
CHICAGO, LISBON = Origin("US", 41.9, -87.6, True, 840, "UTC"), Origin("PT", 38.7, -9.1, True, 840, "UTC")


@pytest.fixture
async def ctx(database_url: str, redis_url: str) -> AsyncIterator[Context]:
    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    async with open_context(settings) as context:
        yield context


@contextmanager
def moved(market: Market) -> Iterator[None]:
    """The warehouse of the tests is abroad."""
    market.sql.execute(ABROAD)
    try:
        yield
    finally:
        market.sql.execute(HOME)


def edition(connection: psycopg.Connection[Any]) -> UUID:
    row = connection.execute("select edition from warehouse_editions").fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def promises(market: Market, seller: Person, buyer: Person, product: dict[str, Any]) -> set[str]:
    """The last day of a product's page, of the cart, and of the order that it becomes."""
    line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}
    added = market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).json()
    place = {name: ADDRESS[name] for name in ("country", "state")}
    page = market.client.get(f"/api/v1/products/{product['productId']}", params=place, headers=seller.headers).json()
    cart = market.client.get("/api/v1/cart", params=place, headers=buyer.headers).json()
    order = market.buy(buyer, {**market.order_body(), "items": None, "expectedTotal": cart["total"]}).json()
    assert added["itemCount"] == 1
    return {page["shipping"]["standardTo"], cart["delivery"]["to"], order["estimatedDelivery"]}


def test_a_warehouse_that_moves_is_in_the_next_page_cart_and_order(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, stock=9)

    before = promises(market, seller, buyer, product)
    with moved(market):
        abroad = promises(market, seller, buyer, product)
    after = promises(market, seller, buyer, product)

    assert len(before) == len(abroad) == 1
    assert before == after != abroad


@pytest.mark.parametrize("mutant", [False, True])
async def test_what_is_kept_is_what_the_read_of_stock_has_seen(
    ctx: Context, market: Market, seller: Person, monkeypatch: pytest.MonkeyPatch, mutant: bool
) -> None:
    monkeypatch.setattr(kept, "_origins", Origins())
    if mutant:
        monkeypatch.setattr(Origins, "of", lambda self, _edition: next(iter(self._editions.values()), None))
    product, guest = market.product(seller, stock=9), Actor("anonymous", session_id=uuid4().hex)
    added = AddItem(
        product_id=UUID(product["productId"]), variant_id=UUID(product["variants"][0]["variantId"]), quantity=1
    )
    await commands.add_item(ctx, guest, added)
    warehouse = market.scalar(T1)

    async def seen() -> Origin:
        async with ctx.db.read() as tx:
            cart = await cart_of(tx, guest)
        assert cart is not None
        return (await origins_of(ctx.db, cart.edition))[warehouse]

    before = await seen()
    with watched_wire() as wire:
        await seen()
    with moved(market):
        abroad = await seen()

    assert len(wire.statements) == 1, "the cart alone: the warehouses are kept"
    assert (before, abroad) == (CHICAGO, CHICAGO if mutant else LISBON)


def test_each_change_of_a_warehouse_makes_another_edition(market: Market, seller: Person) -> None:
    market.product(seller, stock=1)
    code = uuid4().hex[:10]
    row = f"(gen_random_uuid(), '{code}', 'New', 'Leeds', 'GB', 53.8, -1.5)"
    with psycopg.connect(market.database_url, autocommit=True) as connection:
        seen = [edition(connection)]
        for change in (
            f"insert into warehouses (warehouse_id, code, name, city, country, latitude, longitude) values {row}",
            f"update warehouses set cut_off_minutes = 600 where code = '{code}'",
            f"delete from warehouses where code = '{code}'",
        ):
            connection.execute(change)
            seen.append(edition(connection))
        connection.execute(f"update warehouses set name = name where code <> '{code}'")
        assert edition(connection) == seen[3], "nothing changed"
        with connection.transaction(force_rollback=True):
            connection.execute("update warehouses set latitude = 0")
            seen.append(edition(connection))
        assert edition(connection) == seen[3]

    assert len(set(seen)) == 5
