"""Pools of licence keys: they are the stock of a digital product, shown to no seller, and each is given once."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import bindparam, func, select, update

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.operations.invariants.run import violations
from api.orders.digital.commands import deliver_due
from api.orders.keys import commands
from api.orders.keys.models import LicenceKey
from api.orders.keys.queries import pool_of
from api.orders.keys.schemas import KeyPool, WithdrawKeys
from tests.harness.api import Server
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


async def test_what_is_withdrawn_is_sold_to_nobody(
    market: Market, buyer: Person, seller: Person, server: Server, ctx: Context
) -> None:
    game = Game(market, seller, 4)
    leaked, rest = game.keys[:1], game.keys[1:]

    answer = game.withdraw([*leaked, *leaked, f" {leaked[0]} "], reason="It stands in a forum.")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "variantId": game.variant, "available": 3, "undelivered": 3, "delivered": 0, "withdrawn": 1, "taken": 1,
    }  # fmt: skip
    # Neither the same request again nor adding it again changes anything.
    assert (game.withdraw(leaked).json()["taken"], game.add(leaked).json()["added"], game.pool()) == (0, 0, (3, 3, 0))
    assert market.client.get(game.path, headers=seller.headers).json()["variants"][0]["stock"] == 3
    assert game.withdraw(rest[-1:]).json()["withdrawn"] == 2
    shown = market.client.get(game.pool_path, headers=seller.headers).json()["withdrawals"]
    assert [(one["withdrawnBy"], one["keys"], one["reason"]) for one in shown] == [
        (seller.user_id, 1, None), (seller.user_id, 1, "It stands in a forum."),
    ]  # fmt: skip

    order = game.order(buyer, 2)
    await deliver_due(ctx)
    assert keys_of(market, buyer, order) == rest[:2]
    problem(market.buy(buyer, market.order_body((game.product, 1))), 409, "out-of-stock")
    events = market.sql.execute("select e::text from outbox_events e").fetchall()
    for text in (answer.text, str(shown), server.log.read_text(), *(event for (event,) in events)):
        assert game.name + "-0" not in text
    assert_invariants(market.database_url)


async def test_neither_what_a_buyer_has_nor_what_is_sold_is_withdrawn(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    game = Game(market, seller, 4)
    game.order(buyer)
    await deliver_due(ctx)
    game.order(buyer, 2)

    refused = problem(game.withdraw(["X", *game.keys[:2]]), 422, "keys-not-in-pool")
    assert [(error["pointer"], error["message"]) for error in refused["errors"]] == [
        ("/keys/0", "the variant has no such key"), ("/keys/1", "a buyer has it"),
    ]  # fmt: skip
    # Of the three that nobody has, two are sold.
    assert problem(game.withdraw(game.keys[1:3]), 409, "keys-sold")["available"] == 1
    assert game.pool() == (1, 3, 1)
    assert game.withdraw(game.keys[1:2]).status_code == 200
    problem(game.withdraw(game.keys[2:3]), 409, "keys-sold")
    game.add(["another"])
    assert game.withdraw(game.keys[2:3]).status_code == 200
    await deliver_due(ctx)
    assert game.pool() == (0, 0, 3)

    problem(game.withdraw(game.keys, market.person("seller")), 404, "variant-not-found")
    problem(game.withdraw(game.keys, market.person()), 403, "forbidden")
    lamp = market.product(seller, title=f"Lamp {uuid4()}")
    path = f"/api/v1/products/{lamp['productId']}/variants/{lamp['variants'][0]['variantId']}/keys/withdrawals"
    problem(market.client.post(path, json={"keys": ["X"]}, headers=seller.headers), 409, "not-digital")
    assert_invariants(market.database_url)


async def test_a_crowd_buys_while_keys_are_withdrawn(market: Market, seller: Person, ctx: Context) -> None:
    """Buyers, their seller and deliveries at once: each key is sold, withdrawn or left, once."""
    game = Game(market, seller, KEYS)
    buyers = [market.person() for _ in range(KEYS)]
    body = market.order_body((game.product, 1))
    over = asyncio.Event()

    async def deliver() -> None:
        while not over.is_set():
            await deliver_due(ctx)
            await asyncio.sleep(0.01)

    def crowd() -> tuple[list[Any], list[Any]]:
        with ThreadPoolExecutor(2 * KEYS) as threads:
            bought = [threads.submit(market.buy, buyer, body, f"{game.name}-{n}") for n, buyer in enumerate(buyers)]
            taken = [threads.submit(game.withdraw, [key]) for key in reversed(game.keys)]
            return [one.result() for one in bought], [one.result() for one in taken]

    delivering = asyncio.create_task(deliver())
    bought, taken = await asyncio.to_thread(crowd)
    over.set()
    await delivering
    await deliver_due(ctx)

    assert {answer.status_code for answer in bought} <= {201, 409}
    assert {answer.status_code for answer in taken} <= {200, 409, 422}
    gone = {key for key, answer in zip(reversed(game.keys), taken, strict=True) if answer.status_code == 200}
    orders = {n: answer.json()["orderId"] for n, answer in enumerate(bought) if answer.status_code == 201}
    seen = [key for n, order in orders.items() for key in keys_of(market, buyers[n], order)]
    assert len(seen) == len(set(seen)) == len(orders)
    assert gone.isdisjoint(seen)
    assert gone | set(seen) <= set(game.keys)
    left = KEYS - len(gone) - len(seen)
    assert game.pool() == (left, left, len(seen))
    assert_invariants(market.database_url)


async def test_mutant_what_is_sold_is_withdrawn(
    market: Market, buyer: Person, seller: Person, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the guard of the stock, a paid order waits for a key that is not there, and an invariant names the
    pool."""
    game = Game(market, seller, 2)
    order = game.order(buyer)

    async def unbooked(tx: Tx, changes: Mapping[UUID, int]) -> None:
        return None

    actor = Actor(kind="seller", user_id=UUID(seller.user_id))
    place = UUID(game.product["productId"]), UUID(game.variant)
    async with ctx.db.read() as tx:
        pool = await pool_of(tx, actor, *place)

    async def generous(*_: object, **__: object) -> KeyPool:
        return pool.model_copy(update={"available": 2})

    monkeypatch.setattr(commands, "change_stock", unbooked)
    monkeypatch.setattr(commands, "pool_of", generous)
    await commands.withdraw_keys(ctx, actor, place, WithdrawKeys(keys=game.keys))

    assert (await deliver_due(ctx), keys_of(market, buyer, order)) == ((0, True), [])
    assert {broken.check for broken in violations(market.database_url)} == {"R-I40-pool"}
    monkeypatch.undo()
    market.sql.execute("update licence_keys set withdrawal_id = null where variant_id = %s", (game.variant,))
    market.sql.execute("alter table key_withdrawals disable trigger user")
    market.sql.execute("delete from key_withdrawals where variant_id = %s", (game.variant,))
    market.sql.execute("alter table key_withdrawals enable trigger user")
    await deliver_due(ctx)
    assert_invariants(market.database_url)
