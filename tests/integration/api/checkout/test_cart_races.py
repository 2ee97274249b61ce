"""Two to eight requests at once for one cart, over HTTP and several processes: orders, additions, changes, removals.

Every change of a cart raises its version, and the entity tag of an answer tells it. So the changes can be replayed in
the order in which they were committed, together with what the order read and when it took it off: the cart at the end
and the order's lines must be exactly those of the replay. Every unit is in the order or in the cart.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.api import PLAIN, Server
from tests.harness.buying import ADDRESS, Market, Sandbox, buying_env
from tests.harness.fleet import Fleet

# 8 races in `make test`, 1,000 with the slow ones.
SEEDS = [(1, 8), *(pytest.param(seed, 31, marks=pytest.mark.slow) for seed in range(2, 34))]
Product = dict[str, Any]
Lines = Counter[str]


@dataclass(frozen=True)
class Request:
    """One of the requests that are sent at the same time; `product` is the one that it adds or whose line it means."""

    kind: str
    product: int = 0
    quantity: int = 0


@dataclass(frozen=True)
class Answered:
    request: Request
    answer: httpx.Response

    @property
    def version(self) -> int:
        """The version that the change made of the cart."""
        return int(self.answer.headers["etag"].strip('"W/').split("-")[0])


class Race:
    """The cart of a new guest with two of three products in it."""

    def __init__(self, market: Market, clients: list[httpx.AsyncClient], goods: list[Product]) -> None:
        self.market, self.clients, self.goods = market, clients, goods
        self.headers: dict[str, str] = {}
        self.lines: dict[int, str] = {}
        self.start = 0

    async def fill(self) -> None:
        for client in self.clients:
            client.cookies.clear()
        for product in (0, 1):
            answer = await self._add(self.clients[0], product, 2)
            assert answer.status_code == 201, answer.text
            if not self.headers:
                self.headers = {"X-Session-Id": answer.headers["x-session-id"]}
            self.lines[product] = answer.json()["items"][-1]["cartItemId"]
            self.start = Answered(Request("add"), answer).version

    async def run(self, requests: list[Request]) -> list[Answered]:
        """Send all at once, in turn to each process."""
        sent = (self._send(self.clients[n % len(self.clients)], each) for n, each in enumerate(requests))
        answers = await asyncio.gather(*sent)
        return [Answered(*pair) for pair in zip(requests, answers, strict=True)]

    async def _send(self, client: httpx.AsyncClient, request: Request) -> httpx.Response:
        path = f"/api/v1/cart/items/{self.lines.get(request.product)}"
        match request.kind:
            case "order":
                body = {
                    "shippingAddress": ADDRESS,
                    "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
                    "email": "guest@example.com",
                }
                headers = {**self.headers, "Idempotency-Key": uuid4().hex}
                return await client.post("/api/v1/orders", json=body, headers=headers)
            case "set":
                return await client.put(path, json={"quantity": request.quantity}, headers=self.headers)
            case "remove":
                return await client.delete(path, headers=self.headers)
            case _:
                return await self._add(client, request.product, request.quantity)

    async def _add(self, client: httpx.AsyncClient, product: int, quantity: int) -> httpx.Response:
        goods = self.goods[product]
        body = {
            "productId": goods["productId"],
            "variantId": goods["variants"][0]["variantId"],
            "quantity": quantity,
        }
        return await client.post("/api/v1/cart/items", json=body, headers=self.headers)

    def check(self, answered: list[Answered]) -> None:
        """The replay of the committed changes equals what is there; each claim was charged once."""
        orders = self._orders()
        assert [one.answer.status_code for one in answered if one.request.kind == "order"].count(201) == len(orders)
        steps = {one.version: one for one in answered if one.request.kind != "order" and one.answer.is_success}
        assert len(steps) == sum(one.request.kind != "order" and one.answer.is_success for one in answered)
        read_at = dict(orders)
        assert len(read_at) == len(orders), "two orders of one version"
        last, ordered_version = self._versions()
        # A claim ends before the next begins, so the versions that no change made are those of the orders, in order.
        unexplained = [version for version in range(self.start + 1, last + 1) if version not in steps]
        assert len(unexplained) == len(orders)
        assert ordered_version == (unexplained[-1] if unexplained else None)
        taken_at = {taken: lines for taken, (_, lines) in zip(unexplained, orders, strict=True)}
        cart: dict[str, tuple[int, int]] = {self.lines[n]: (n, 2) for n in (0, 1)}
        for version in range(self.start, last + 1):
            if version > self.start:
                self._step(cart, steps.get(version), taken_at.get(version, {}))
            if version in read_at:
                assert read_at[version] == {line: units for line, (_, units) in cart.items()}
        assert self._cart() == {line: units for line, (_, units) in cart.items()}
        assert (
            self.market.scalar(
                "select count(*) from carts where session_id = %s and claimed_by is not null", (self._session,)
            )
            == 0
        )

    def _step(self, cart: dict[str, tuple[int, int]], step: Answered | None, taken: dict[str, int]) -> None:
        """The next version of the cart."""
        if step is not None:
            self._apply(cart, step)
        for line in taken.keys() & cart.keys():
            product, held = cart.pop(line)
            if held > taken[line]:
                cart[line] = (product, held - taken[line])

    def _apply(self, cart: dict[str, tuple[int, int]], step: Answered) -> None:
        request, body = step.request, step.answer.json()
        if request.kind == "add":
            line = next(
                item["cartItemId"]
                for item in body["items"]
                if item["product"]["productId"] == self.goods[request.product]["productId"]
            )
            _, held = cart.get(line, (request.product, 0))
            cart[line] = (request.product, held + request.quantity)
        elif request.kind == "set":
            cart[self.lines[request.product]] = (request.product, request.quantity)
        else:
            del cart[self.lines[request.product]]
        assert {item["cartItemId"]: item["quantity"] for item in body["items"]} == {
            line: units for line, (_, units) in cart.items()
        }

    @property
    def _session(self) -> str:
        return self.headers["X-Session-Id"]

    def _versions(self) -> tuple[int, int | None]:
        """Of the cart now, and after its last order."""
        row = self.market.sql.execute(
            "select version, ordered_version from carts where session_id = %s", (self._session,)
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    def _orders(self) -> list[tuple[int, dict[str, int]]]:
        """(version that was read, units by line) of each checkout, the first one first; each must be one confirmed
        order of these units with one capture."""
        rows = self.market.sql.execute(
            "select (c.plan->'cart'->>'version')::int, c.plan->'cart'->'lines', o.status,"
            " (select sum(quantity)::int from order_items i where i.order_id = o.order_id),"
            " (select count(*) from payments p where p.order_id = o.order_id and p.captured_amount = o.total)"
            " from checkouts c join orders o using (order_id) where c.session_id = %s order by 1",
            (self._session,),
        ).fetchall()
        found = []
        for read, lines, status, units, captures in rows:
            ordered = {line["cart_item_id"]: line["quantity"] for line in lines}
            assert (status, units, captures) == ("confirmed", sum(ordered.values()), 1)
            found.append((read, ordered))
        return found

    def _cart(self) -> dict[str, int]:
        return dict(
            self.market.sql.execute(
                "select cart_item_id::text, quantity from cart_items join carts using (cart_id) where session_id = %s",
                (self._session,),
            ).fetchall()
        )


def mixed(rng: random.Random) -> list[Request]:
    """Two to eight requests: an order, and others of any kind."""
    requests = [Request("order")]
    for _ in range(rng.randint(1, 7)):
        kind = rng.choice(["order", "add", "add", "set", "remove"])
        requests.append(Request(kind, rng.randrange(3 if kind == "add" else 2), rng.randint(1, 4)))
    rng.shuffle(requests)
    return requests


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path_factory.mktemp("races"), env) as parent:
        yield parent


@pytest.fixture(scope="module")
def processes(fleet: Fleet, server: Server) -> list[Server]:
    return [server, fleet.api()]


@pytest.fixture
async def clients(processes: list[Server]) -> AsyncIterator[list[httpx.AsyncClient]]:
    opened = [httpx.AsyncClient(base_url=one.url, timeout=60, trust_env=False, verify=PLAIN) for one in processes]
    yield opened
    for client in opened:
        await client.aclose()


@pytest.fixture(scope="module")
def goods(market: Market) -> list[Product]:
    seller = market.person("seller")
    return [market.product(seller, stock=90_000, price=10.0) for _ in range(3)]


@pytest.mark.parametrize(("seed", "races"), SEEDS)
async def test_every_unit_is_in_the_order_or_in_the_cart(
    market: Market, clients: list[httpx.AsyncClient], goods: list[Product], seed: int, races: int
) -> None:
    rng, statuses = random.Random(seed), Counter[tuple[str, int]]()
    for _ in range(races):
        race = Race(market, clients, goods)
        await race.fill()
        answered = await race.run(mixed(rng))
        statuses.update((one.request.kind, one.answer.status_code) for one in answered)
        race.check(answered)
    print(f"seed {seed}: {races} races, {dict(sorted(statuses.items()))}")
    assert statuses["order", 201] >= races // 2
    assert {status for _, status in statuses} <= {200, 201, 404, 409, 422}


async def test_of_eight_orders_of_one_cart_one_is_charged(
    market: Market, clients: list[httpx.AsyncClient], goods: list[Product]
) -> None:
    race = Race(market, clients, goods)
    await race.fill()

    answered = await race.run([Request("order")] * 8)

    race.check(answered)
    assert Counter(one.answer.status_code for one in answered) == {201: 1, 409: 7}
    kinds = {one.answer.json()["type"] for one in answered if one.answer.status_code == 409}
    assert kinds <= {"/problems/cart-being-ordered", "/problems/cart-ordered"}


async def test_a_mutant_without_the_claim_charges_twice(fleet: Fleet, market: Market, goods: list[Product]) -> None:
    child = fleet.api(mutant="no claim on the cart")
    async with httpx.AsyncClient(base_url=child.url, timeout=60, trust_env=False, verify=PLAIN) as client:
        race = Race(market, [client], goods)
        await race.fill()
        answered = await race.run([Request("order")] * 8)
    child.kill9()

    assert [one.answer.status_code for one in answered].count(201) > 1
    with pytest.raises(AssertionError, match="two orders of one version"):
        race.check(answered)
    market.sql.execute("update carts set claimed_by = null")
