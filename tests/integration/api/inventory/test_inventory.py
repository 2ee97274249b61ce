"""Stock as sellers see and change it; reservations that ran out; the number of statements an order costs."""

from typing import Any
from uuid import uuid4

import pytest

from api.checkout.commands import place_order
from api.checkout.schemas import PlaceOrder
from api.inventory.commands import release_expired
from api.inventory.warehouses import kept
from api.kernel.actor import Actor
from api.kernel.context import open_context
from api.kernel.idempotency import RequestKey
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.shop import Person, problem
from tests.harness.wire import watched_wire

# By a process that keeps the warehouses: quote; claim the key, hold stock, create order and open payment; record the
# authorisation and confirm; record the capture and answer
STATEMENTS_PER_ORDER = TRIPS_PER_ORDER = 4


def adjust(market: Market, who: Person, **body: Any) -> Any:
    headers = {**who.headers, "Idempotency-Key": next(market.keys)}
    return market.client.post("/api/v1/inventory/adjustments", json=body, headers=headers)


def test_an_adjustment_is_booked_and_seen(market: Market, seller: Person) -> None:
    product = market.product(seller, stock=4)
    variant = product["variants"][0]["variantId"]
    seen = market.client.get(f"/api/v1/inventory/variants/{variant}", headers=seller.headers).json()
    warehouse = seen["warehouses"][0]["warehouseId"]
    answer = adjust(market, seller, variantId=variant, warehouseId=warehouse, change=-3)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["available"], answer.json()["stock"]) == (1, 1)
    assert (
        problem(adjust(market, seller, variantId=variant, warehouseId=warehouse, change=-2), 409, "stock-below-zero")[
            "available"
        ]
        == 1
    )
    seen = market.client.get(f"/api/v1/inventory/variants/{variant}", headers=seller.headers).json()
    assert seen["stock"] == seen["warehouses"][0]["available"] == 1
    assert [(change["type"], change["change"], change["newQuantity"]) for change in seen["recent"]] == [
        ("adjustment", -3, 1),
        ("adjustment", 4, 4),
    ]
    assert market.detail(product["productId"])["variants"][0]["stock"] == 1
    elsewhere = uuid4()
    market.sql.execute(
        "insert into warehouses (warehouse_id, code, name, city, country, latitude, longitude) "
        "values (%s, 'T2', 'Two', 'Leeds', 'GB', 53.8, -1.5)",
        (elsewhere,),
    )
    answer = adjust(market, seller, variantId=variant, warehouseId=str(elsewhere), change=6)
    assert (answer.json()["available"], answer.json()["stock"]) == (6, 7)
    buyer = market.person()
    assert market.buy(buyer, market.order_body((product, 7))).status_code == 201, (
        "one order may come from two warehouses"
    )
    assert market.scalar("select count(distinct warehouse_id) from order_items where variant_id = %s", (variant,)) == 2


def test_stock_is_the_sellers_own_business(market: Market, seller: Person) -> None:
    variant = market.product(seller, stock=4)["variants"][0]["variantId"]
    path = f"/api/v1/inventory/variants/{variant}"
    warehouse = market.client.get(path, headers=seller.headers).json()["warehouses"][0]["warehouseId"]
    for who in (market.person("seller"), market.person()):
        problem(market.client.get(path, headers=who.headers), 404, "variant-not-found")
        problem(adjust(market, who, variantId=variant, warehouseId=warehouse, change=1), 404, "variant-not-found")
    problem(market.client.get(path), 401, "not-authenticated")
    problem(adjust(market, seller, variantId=variant, warehouseId=str(uuid4()), change=1), 404, "warehouse-not-found")
    problem(adjust(market, seller, variantId=variant, warehouseId=warehouse, change=1.5), 422, "validation-failed")
    problem(market.client.get("/api/v1/inventory/variants/nonsense", headers=seller.headers), 404, "variant-not-found")


async def test_an_order_costs_few_statements_and_the_expiry_releases_what_ran_out(
    market: Market, seller: Person, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    product = market.product(seller, stock=5)
    request = PlaceOrder.model_validate(market.order_body((product, 2), email="guest@example.com"))
    actor = Actor("anonymous", session_id="session-statements")
    async with open_context(Settings()) as ctx:
        async with ctx.db.read() as tx:
            await kept.origins_in(tx, None)
        with watched_wire() as wire:
            answer = await place_order(
                ctx, actor, RequestKey(actor.key, "statements", "POST /api/v1/orders", b"x" * 32), request
            )
        assert answer.status_code == 201
        print(f"an order costs {len(wire.statements)} statements in {len(wire.trips)} round trips")
        assert len(wire.statements) == STATEMENTS_PER_ORDER, "\n".join(wire.statements)
        assert len(wire.trips) == TRIPS_PER_ORDER, wire.trips

        variant = product["variants"][0]["variantId"]
        market.sql.execute(
            """with held as (
                insert into inventory_reservations (reservation_id, checkout_id, variant_id, warehouse_id, quantity,
                expires_at) select gen_random_uuid(), gen_random_uuid(), variant_id, warehouse_id, 3, now() - interval
                '1 second' from warehouse_stock where variant_id = %(v)s returning variant_id),
            level as (update warehouse_stock set available = 0, reserved = 3 where variant_id = %(v)s),
            stock as (update product_variants set stock_quantity = 0 where variant_id = %(v)s)
            insert into inventory_transactions
                (transaction_id, variant_id, quantity_change, transaction_type, previous_quantity, new_quantity)
            select gen_random_uuid(), variant_id, -3, 'reservation', 3, 0 from held""",
            {"v": variant},
        )
        assert await release_expired(ctx) == 1
        assert await release_expired(ctx) == 0
    assert market.scalar("select stock_quantity from product_variants where variant_id = %s", (variant,)) == 3
    assert (
        market.scalar(
            "select status from inventory_reservations where variant_id = %s and status <> 'confirmed'", (variant,)
        )
        == "expired"
    )
