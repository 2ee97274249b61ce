"""A cart is ordered once: its order claims it at the version that it has read, takes off it what was ordered and no
more, and gives the claim up when it fails. Two contexts stand for two processes of the API."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest

from api import nouns
from api.carts import commands as carts
from api.carts import statements as cart_statements
from api.carts.queries import StoredCart, cart_of
from api.carts.schemas import AddItem
from api.checkout.commands import complete_abandoned, place_order
from api.checkout.quote import make_plan, read_quote
from api.checkout.quoting.offers import Quote
from api.checkout.saga import opening as openings
from api.checkout.saga.commits import Passed, open_checkout
from api.checkout.saga.lease import LeasedCheckout
from api.checkout.saga.steps import Opening
from api.checkout.schemas import PlaceOrder
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.errors import Problem
from api.kernel.failpoints import FailpointError
from api.kernel.idempotency import RequestKey
from api.kernel.settings import Settings
from api.payments.gateways.interface import GatewayRefused
from api.payments.gateways.sandbox import SandboxGateway
from tests.harness.api import Server
from tests.harness.buying import Market, until
from tests.harness.mutants import no_claim_on_the_cart
from tests.harness.shop import Person

Product = dict[str, Any]
Answer = tuple[int, str, dict[str, Any]]
LEAVE_UNCLAIMED = """
    with old as (update checkouts set plan = plan - 'cart', lease_expires_at = now() - interval '1 second'
                 where actor_key = %s and recovery_point not in ('completed', 'failed') returning checkout_id)
    update carts set claimed_by = null where claimed_by in (select checkout_id from old)"""


class Cart:
    """The cart of one guest, filled and ordered through `ctx`."""

    def __init__(self, ctx: Context, market: Market, actor: Actor | None = None) -> None:
        self.ctx, self.market = ctx, market
        self.actor = actor or Actor("anonymous", session_id=f"session-{uuid4().hex}")
        self.requests: dict[str, RequestKey] = {}

    async def add(self, product: Product, quantity: int = 1) -> StoredCart:
        variant = product["variants"][0]["variantId"]
        body = AddItem(product_id=UUID(product["productId"]), variant_id=UUID(variant), quantity=quantity)
        _, cart = await carts.add_item(self.ctx, self.actor, body)
        return cart

    async def line_of(self, product: Product) -> UUID:
        cart = await self.stored()
        return next(line.cart_item_id for line in cart.lines if str(line.product_id) == product["productId"])

    async def stored(self) -> StoredCart:
        async with self.ctx.db.read() as tx:
            cart = await cart_of(tx, self.actor)
        assert cart is not None
        return cart

    async def units(self, *products: Product) -> list[int]:
        """How many of each are in the cart."""
        held = {str(line.product_id): line.quantity for line in (await self.stored()).lines}
        return [held.get(product["productId"], 0) for product in products]

    def request(self, token: str = "pm_sandbox_ok", **fields: Any) -> PlaceOrder:
        body = {**self.market.order_body(token=token), "items": None, "email": "guest@example.com", **fields}
        return PlaceOrder.model_validate(body)

    def key(self, name: str = "") -> RequestKey:
        name = name or uuid4().hex
        new = RequestKey(self.actor.key, name, "POST /api/v1/orders", uuid4().bytes * 2)
        return self.requests.setdefault(name, new)

    async def order(
        self, token: str = "pm_sandbox_ok", *, key: str = "", via: Context | None = None, **fields: Any
    ) -> Answer:
        """(status, problem type or nothing, document) of the cart's order."""
        try:
            answer = await place_order(via or self.ctx, self.actor, self.key(key), self.request(token, **fields))
        except Problem as problem:
            return problem.status, problem.code, {"headers": problem.headers, **problem.extra}
        document = orjson.loads(bytes(answer.body))
        return answer.status_code, str(document.get("type", "")).removeprefix("/problems/"), document

    def orders(self) -> list[tuple[str, int]]:
        """(status, units) of every order of this guest."""
        return self.market.sql.execute(
            "select o.status, sum(i.quantity)::int"
            " from checkouts c join orders o using (order_id) join order_items i using (order_id)"
            " where c.actor_key = %s group by o.order_id, o.status, o.created_at order by o.created_at",
            (self.actor.key,),
        ).fetchall()

    def charges(self) -> list[Decimal]:
        rows = self.market.sql.execute(
            "select captured_amount from payments join checkouts using (checkout_id)"
            " where actor_key = %s and captured_amount > 0",
            (self.actor.key,),
        ).fetchall()
        return [amount for (amount,) in rows]

    def claim(self) -> UUID | None:
        claimed: UUID | None = self.market.scalar(
            "select claimed_by from carts where session_id = %s", (self.actor.session_id,)
        )
        return claimed

    async def planned(self) -> Opening:
        """A checkout of the cart that has read it and has stored nothing."""
        key, request = self.key(), self.request()
        plan = make_plan(self.ctx.settings, self.actor, request, await read_quote(self.ctx, self.actor, key, request))
        checkout = LeasedCheckout(uuid4(), uuid4(), "created", self.actor, key.key, request, plan, age=0.0, attempts=1)
        return Opening(checkout, key)

    async def abandoned_at(self, point: str, **fields: Any) -> None:
        """Its process dies at `point`, and its lease has ended."""
        failpoints.arm(f"{point}=error", nouns.failpoints())
        with pytest.raises(FailpointError):
            await self.order(**fields)
        self.abandon()

    def abandon(self) -> None:
        """Whoever drove its checkouts has gone."""
        self.market.sql.execute(
            "update checkouts set lease_expires_at = now() - interval '1 second' where actor_key = %s",
            (self.actor.key,),
        )


@pytest.fixture
async def ctx(market: Market, server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as context:
        yield context
        while await complete_abandoned(context):
            pass


@pytest.fixture
async def other(ctx: Context) -> AsyncIterator[Context]:
    async with open_context(ctx.settings) as context:
        yield context


@pytest.fixture
def cart(ctx: Context, market: Market) -> Cart:
    return Cart(ctx, market)


@pytest.fixture(scope="module")
def goods(market: Market, seller: Person) -> list[Product]:
    return [market.product(seller, stock=500, price=20.0) for _ in range(3)]


class Gateway:
    """Authorises when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()
        authorise = SandboxGateway.authorise

        async def slowly(*args: Any, **fields: Any) -> Any:
            self.asked.set()
            await self.go_on.wait()
            return await authorise(*args, **fields)

        monkeypatch.setattr(SandboxGateway, "authorise", slowly)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return Gateway(monkeypatch)


@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two processes"])
async def test_two_tabs_that_order_one_cart_buy_it_once(
    cart: Cart, other: Context, goods: list[Product], apart: bool
) -> None:
    await cart.add(goods[0])

    answers = await asyncio.gather(cart.order(), cart.order(via=other if apart else None))

    first, second = sorted(answers, key=lambda answer: answer[0])
    assert first[0] == 201
    assert second[:2] in {(409, "cart-being-ordered"), (409, "cart-ordered")}
    assert (cart.orders(), cart.charges()) == ([("confirmed", 1)], [Decimal("26.59")])
    assert ((await cart.stored()).lines, cart.claim()) == ([], None)


async def test_a_mutant_without_the_claim_buys_it_twice(
    cart: Cart, other: Context, goods: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLAIM_CHECK", "CART_LINES", "TAKE"):
        monkeypatch.setattr(cart_statements, name, getattr(cart_statements, name))
    no_claim_on_the_cart()
    await cart.add(goods[0])
    both = [await cart.planned(), await cart.planned()]

    assert await asyncio.gather(*(open_checkout(cart.ctx, one) for one in both)) == [Passed.MOVED, Passed.MOVED]

    cart.abandon()
    assert await complete_abandoned(cart.ctx) == 2
    assert len(cart.charges()) == 2


async def test_a_cart_in_the_gateway_call_is_being_ordered(cart: Cart, goods: list[Product], gateway: Gateway) -> None:
    await cart.add(goods[0])
    first = asyncio.create_task(cart.order())
    await gateway.asked.wait()

    status, code, document = await cart.order(key="second")

    assert (status, code, document["headers"]) == (409, "cart-being-ordered", {"Retry-After": "2"})
    gateway.go_on.set()
    status, _, order = await first
    assert status == 201
    status, code, named = await cart.order(key="second")
    assert (status, code) == (409, "cart-ordered")
    assert (named["orderId"], named["orderNumber"]) == (order["orderId"], order["orderNumber"])
    assert named["orderNumber"] in named["detail"]
    await cart.add(goods[1])
    assert await cart.order(key="second") == (status, code, named), "a definite answer stays"
    assert (await cart.order())[0] == 201
    assert cart.orders() == [("confirmed", 1), ("confirmed", 1)]


async def test_an_empty_cart_that_no_order_emptied_is_empty(cart: Cart, goods: list[Product]) -> None:
    assert (await cart.order())[:2] == (422, "cart-empty")
    await cart.add(goods[0])
    assert (await cart.order())[0] == 201
    assert (await cart.order())[:2] == (409, "cart-ordered")

    await cart.add(goods[0])
    await carts.remove_item(cart.ctx, cart.actor, await cart.line_of(goods[0]), None)

    assert (await cart.order())[:2] == (422, "cart-empty")


async def test_of_two_claims_in_one_batch_the_first_has_the_cart(
    cart: Cart, market: Market, seller: Person, goods: list[Product]
) -> None:
    alone, product = Cart(cart.ctx, market), market.product(seller, stock=9)
    await alone.add(goods[0])
    await cart.add(product, 2)
    submitted = [await alone.planned(), await cart.planned(), await cart.planned()]

    passed = await asyncio.gather(*(open_checkout(cart.ctx, one) for one in submitted))

    assert passed == [Passed.MOVED, Passed.MOVED, Passed.SHORT]
    assert cart.claim() == submitted[1].checkout.checkout_id
    assert market.stock_of(product) == (7, 2)
    assert market.scalar("select count(*) from idempotency_keys where key = %s", (submitted[2].key.key,)) == 0
    cart.abandon()
    alone.abandon()
    assert await complete_abandoned(cart.ctx) == 2
    assert (cart.orders(), cart.claim()) == ([("confirmed", 2)], None)


async def test_an_order_with_items_of_its_own_touches_no_cart(
    cart: Cart, goods: list[Product], gateway: Gateway, market: Market
) -> None:
    before = await cart.add(goods[0])
    ordering = asyncio.create_task(cart.order())
    await gateway.asked.wait()
    gateway.go_on.set()
    items = market.order_body((goods[1], 3))["items"]

    assert (await cart.order(items=items))[0] == 201
    assert (await ordering)[0] == 201

    again = await cart.add(goods[0])
    assert again.version == before.version + 2, "the cart's own order and this addition"
    assert (await cart.order(items=items))[0] == 201
    assert (await cart.stored()) == again


@pytest.mark.parametrize("change", ["more units", "another line", "fewer units", "no line", "another line of it"])
async def test_what_changes_while_the_order_runs_stays_as_it_is_then(
    cart: Cart, goods: list[Product], gateway: Gateway, change: str
) -> None:
    ordered, added = goods[0], goods[1]
    await cart.add(ordered, 2)
    line = await cart.line_of(ordered)
    ordering = asyncio.create_task(cart.order())
    await gateway.asked.wait()
    match change:
        case "more units":
            await cart.add(ordered, 3)
        case "another line":
            await cart.add(added)
        case "fewer units":
            await carts.set_quantity(cart.ctx, cart.actor, line, 1, None)
        case _:
            await carts.remove_item(cart.ctx, cart.actor, line, None)
    if change == "another line of it":
        await cart.add(ordered)
    gateway.go_on.set()

    assert (await ordering)[0] == 201

    stays = {"more units": [3, 0], "another line": [0, 1], "another line of it": [1, 0]}
    assert await cart.units(ordered, added) == stays.get(change, [0, 0])
    assert (cart.orders(), cart.claim()) == ([("confirmed", 2)], None)


async def test_a_change_that_waits_for_the_last_commit_is_counted(
    cart: Cart, goods: list[Product], gateway: Gateway, market: Market
) -> None:
    """The quantity is set after the statement of the commit has begun, while it waits for the cart."""
    await cart.add(goods[0], 2)
    line = await cart.line_of(goods[0])
    ordering = asyncio.create_task(cart.order())
    await gateway.asked.wait()
    with psycopg.connect(market.database_url, autocommit=True) as elsewhere, market.sql.transaction():
        market.sql.execute("select 1 from carts where session_id = %s for update", (cart.actor.session_id,))
        gateway.go_on.set()
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        await until(lambda: elsewhere.execute(waiting).fetchone() == (1,))
        market.sql.execute("update cart_items set quantity = 7 where cart_item_id = %s", (line,))

    assert (await ordering)[0] == 201
    assert await cart.units(goods[0]) == [5]


async def test_a_cart_that_changes_before_it_is_claimed_is_read_again(
    cart: Cart, goods: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    await cart.add(goods[0])
    changes = [goods[1]]

    async def read_then_changed(*args: Any) -> Quote:
        quote = await read_quote(*args)
        if changes:
            await cart.add(changes.pop())
        return quote

    monkeypatch.setattr(openings, "read_quote", read_then_changed)

    assert (await cart.order())[0] == 201
    assert cart.orders() == [("confirmed", 2)]
    assert (await cart.stored()).lines == []
    await cart.add(goods[0])
    changes.append(goods[1])
    assert (await cart.order(expectedTotal=26.59))[:2] == (409, "total-changed")
    changes += [goods[1]] * openings.CART_ATTEMPTS
    assert (await cart.order())[:2] == (409, "cart-changing")
    assert (await cart.units(*goods[:2]), cart.claim()) == ([1, 1 + openings.CART_ATTEMPTS], None)


async def test_a_declined_order_leaves_the_cart_as_it_was(cart: Cart, goods: list[Product]) -> None:
    before = await cart.add(goods[0], 2)

    assert (await cart.order("pm_sandbox_declined"))[:2] == (402, "payment-declined")

    assert (await cart.stored(), cart.claim()) == (before, None)
    assert (await cart.order())[0] == 201
    assert cart.orders() == [("cancelled", 2), ("confirmed", 2)]


async def test_a_capture_that_is_refused_leaves_the_cart_as_it_was(
    cart: Cart, goods: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> str:
        raise GatewayRefused("authorisation-expired")

    before = await cart.add(goods[0], 2)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "capture", refuse)
        assert (await cart.order())[0] == 402

    assert (await cart.stored(), cart.claim()) == (before, None)
    assert (await cart.order())[0] == 201


@pytest.mark.parametrize("point", ["checkout.after_create", "checkout.after_authorise", "checkout.before_capture"])
async def test_whoever_takes_the_lease_over_takes_the_claim_over(
    cart: Cart, other: Context, goods: list[Product], point: str
) -> None:
    await cart.add(goods[0], 2)
    await cart.abandoned_at(point)
    assert (await cart.order())[:2] == (409, "cart-being-ordered")
    await cart.add(goods[1])

    assert await complete_abandoned(other) == 1

    assert await cart.units(*goods[:2]) == [0, 1]
    assert (cart.orders(), cart.claim()) == ([("confirmed", 2)], None)


async def test_a_checkout_that_is_given_up_leaves_the_cart_as_it_was(cart: Cart, goods: list[Product]) -> None:
    before = await cart.add(goods[0], 2)
    await cart.abandoned_at("checkout.after_create")
    cart.market.sql.execute("update checkouts set created_at = now() - interval '1 hour'")

    assert await complete_abandoned(cart.ctx) == 1

    assert (await cart.stored(), cart.claim(), cart.orders()) == (before, None, [("cancelled", 2)])


@pytest.mark.parametrize("signed_in", [False, True], ids=["guest", "member"])
async def test_a_checkout_that_an_earlier_version_began_takes_its_units_off_the_cart(
    ctx: Context, market: Market, goods: list[Product], signed_in: bool
) -> None:
    cart = Cart(ctx, market, Actor("customer", UUID(market.person().user_id)) if signed_in else None)
    await cart.add(goods[0], 2)
    await cart.abandoned_at("checkout.after_create")
    market.sql.execute(LEAVE_UNCLAIMED, (cart.actor.key,))
    await cart.add(goods[0])
    await cart.add(goods[1])

    assert await complete_abandoned(ctx) == 1

    assert await cart.units(*goods[:2]) == [1, 1]


async def test_a_claimed_cart_does_not_expire(cart: Cart, goods: list[Product], gateway: Gateway) -> None:
    await cart.add(goods[0])
    ordering = asyncio.create_task(cart.order())
    await gateway.asked.wait()
    cart.market.sql.execute("update carts set expires_at = now() where session_id = %s", (cart.actor.session_id,))

    assert await cart.ctx.db.run(lambda tx: carts.expire_carts(tx, 10)) == 0
    gateway.go_on.set()
    assert (await ordering)[0] == 201
    assert await cart.ctx.db.run(lambda tx: carts.expire_carts(tx, 10)) == 1


@pytest.mark.parametrize("held", ["no cart", "a cart", "a cart that is being ordered"])
async def test_a_guest_who_signs_in_while_the_cart_is_ordered_keeps_every_unit(
    cart: Cart, goods: list[Product], gateway: Gateway, held: str
) -> None:
    person = cart.market.person()
    member = Cart(cart.ctx, cart.market, Actor("customer", UUID(person.user_id)))
    await cart.add(goods[0], 2)
    if held != "no cart":
        await member.add(goods[1], 3)
    tabs = [cart, *([member] if held == "a cart that is being ordered" else [])]
    ordering = [asyncio.create_task(tab.order()) for tab in tabs]
    claimed = "select count(*) from carts where claimed_by is not null"
    await until(lambda: cart.market.scalar(claimed) == len(ordering))
    await cart.add(goods[2])

    assert cart.actor.session_id is not None
    await cart.ctx.db.run(
        lambda tx: carts.merge_guest_cart(cart.ctx.settings, tx, cart.actor.session_id, UUID(person.user_id))
    )
    gateway.go_on.set()
    assert [(await order)[0] for order in ordering] == [201] * len(ordering)

    stays = cart if len(ordering) == 2 else member
    assert await stays.units(*goods) == [0, 3 if held == "a cart" else 0, 1]
