"""Pools of licence keys: they are the stock of a digital product, shown to no seller, and each is given once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import bindparam, func, select, update

from api.kernel.context import Context
from api.operations.invariants.run import violations
from api.orders.digital.commands import deliver_due
from api.orders.keys import commands
from api.orders.keys.models import LicenceKey
from tests.harness.buying import Market
from tests.harness.digital import Game, keys_of
from tests.harness.invariants import assert_invariants
from tests.harness.shop import Person, problem

BUYERS, KEYS = 50, 20


def test_keys_are_stock_and_shown_to_no_seller(market: Market, seller: Person) -> None:
    game = Game(market, seller, 3)

    assert game.pool() == (3, 3, 0)
    again = game.add([*game.keys, f" {game.name}-NEW ", f"{game.name}-NEW"])
    assert (again.json()["added"], again.json()["available"]) == (1, 4)
    page = market.client.get(game.path, headers=seller.headers)
    assert (page.json()["kind"], page.json()["variants"][0]["stock"]) == ("digital", 4)
    assert game.name + "-0" not in page.text + again.text
    rows = market.sql.execute("select k::text from licence_keys k").fetchall()
    assert not [row for (row,) in rows if game.name in row or game.name.encode().hex() in row]

    problem(game.add(["X"], market.person("seller")), 404, "variant-not-found")
    problem(game.add(["X"], market.person()), 403, "forbidden")
    lamp = market.product(seller, title=f"Lamp {uuid4()}")
    path = f"/api/v1/products/{lamp['productId']}/variants/{lamp['variants'][0]['variantId']}/keys"
    problem(market.client.post(path, json={"keys": ["X"]}, headers=seller.headers), 409, "not-digital")
    assert_invariants(market.database_url)


def test_its_stock_is_booked_by_keys_alone_and_its_kind_is_for_ever(market: Market, seller: Person) -> None:
    game = Game(market, seller, 1)

    def refused(body: dict[str, Any], method: str = "PATCH") -> str:
        answer = market.client.request(method, game.path, json=body, headers=seller.headers)
        pointer: str = problem(answer, 422, "validation-failed")["errors"][0]["pointer"]
        return pointer

    whole = {"title": game.name, "category": "/Games", "price": 20.0}
    assert refused({"variants": [{"variantId": game.variant, "stock": 5}]}) == "/variants/0/stock"
    assert refused({"variants": [{"variantId": game.variant, "stockChange": 5}]}) == "/variants/0/stockChange"
    same = {"variants": [{"variantId": game.variant, "stock": 1}]}
    assert market.client.patch(game.path, json=same, headers=seller.headers).status_code == 200
    assert refused({"kind": "physical"}) == refused(whole, "PUT") == "/kind"
    warehouse = str(market.scalar("select warehouse_id from warehouse_stock where variant_id = %s", (game.variant,)))
    keyed = {**seller.headers, "Idempotency-Key": next(market.keys)}
    booked = {"variantId": game.variant, "warehouseId": warehouse, "change": 5}
    problem(market.client.post("/api/v1/inventory/adjustments", json=booked, headers=keyed), 409, "stock-of-keys")
    owed = f"/api/v1/inventory/variants/{game.variant}/warehouses/{warehouse}/backorders"
    answer = market.client.put(owed, json={"limit": 5, "days": 3}, headers=seller.headers)
    problem(answer, 409, "stock-of-keys")
    assert game.pool() == (1, 1, 0)


async def test_crowds_buy_each_key_once(market: Market, seller: Person, ctx: Context) -> None:
    game = Game(market, seller, KEYS)
    buyers = [market.person() for _ in range(BUYERS)]
    body = market.order_body((game.product, 1))
    with ThreadPoolExecutor(BUYERS) as threads:
        answers = list(threads.map(lambda n: market.buy(buyers[n], body, f"{game.name}-{n}"), range(BUYERS)))
    assert sorted(answer.status_code for answer in answers) == [201] * KEYS + [409] * (BUYERS - KEYS)
    bought = {n: answer.json()["orderId"] for n, answer in enumerate(answers) if answer.status_code == 201}

    await asyncio.gather(*(deliver_due(ctx) for _ in range(4)))

    seen = [key for n, order in bought.items() for key in keys_of(market, buyers[n], order)]
    assert sorted(seen) == game.keys
    assert game.pool() == (0, 0, KEYS)
    assert_invariants(market.database_url)


async def test_mutant_a_key_that_somebody_has_is_given_again(
    market: Market, buyer: Person, seller: Person, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the guard two buyers see one key, and an invariant names the unit that lost it."""
    game, other = Game(market, seller, 2), market.person()
    any_key = (
        select(LicenceKey.key_id)
        .where(LicenceKey.variant_id == bindparam("of"))
        .order_by(LicenceKey.key_id)
        .limit(bindparam("units"))
        .with_for_update()
    )
    given = {"order_item_id": bindparam("line"), "delivered_at": func.now()}
    monkeypatch.setattr(commands, "_GIVE", update(LicenceKey).where(LicenceKey.key_id.in_(any_key)).values(given))

    first = game.order(buyer)
    await deliver_due(ctx)
    seen = keys_of(market, buyer, first)
    second = game.order(other)
    await deliver_due(ctx)

    assert keys_of(market, other, second) == seen == game.keys[:1]
    assert {broken.check for broken in violations(market.database_url)} == {"R-I40-delivered"}
    line = "select order_item_id from order_items where order_id = %s"
    market.sql.execute(
        f"update licence_keys set delivered_at = now(), order_item_id = ({line})"
        " where variant_id = %s and order_item_id is null",
        (first, game.variant),
    )
    assert_invariants(market.database_url)
