"""An exchange ends, whoever dies and whenever: the new order is paid once and the return asked for, or nothing came.

`finishing.py` is the rule; contexts of this process stand for the process that asked and for the worker.
"""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api import nouns
from api.checkout.commands import complete_abandoned as complete_checkouts
from api.checkout.exchanges import finishing
from api.checkout.exchanges.commands import exchange_units
from api.checkout.exchanges.failpoints import POINTS
from api.checkout.exchanges.finishing import complete_abandoned
from api.checkout.exchanges.schemas import ExchangeUnits
from api.checkout.saga.failpoints import POINTS as CHECKOUT_POINTS
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.failpoints import FailpointError
from api.operations.invariants.run import violations
from api.orders.exchanges import commands as rows
from api.payments.gateways.interface import Unreachable
from api.payments.gateways.sandbox import SandboxGateway
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market
from tests.harness.edited import Answer, answered, key_of
from tests.harness.invariants import assert_invariants
from tests.harness.processes import KILLED
from tests.harness.quick import few
from tests.harness.shop import PASSWORD, Person, problem

# The new order of one unit at 12.50, with tax and shipping.
PAID = Decimal("18.49")
COMPENSATING = {"checkout.before_compensate", "checkout.after_void"}
# Nothing of the new order is stored before.
NOTHING_YET = {"checkout.exchange_after_begin", "checkout.before_create"}
ON_THE_WAY = sorted((POINTS | CHECKOUT_POINTS) - COMPENSATING - NOTHING_YET - {"checkout.exchange_after_return"})


class Exchanged:
    """A delivered order of two units, one of which its buyer exchanges for another size."""

    def __init__(self, ctx: Context, market: Market, seller: Person) -> None:
        self.ctx, self.market, self.seller, self.buyer = ctx, market, seller, market.person()
        self.actor, self.key = Actor("customer", UUID(self.buyer.user_id)), uuid4().hex
        name = uuid4().hex[:8]
        variants = [
            {"sku": f"{name}-{size}", "attributes": {"size": size}, "price": price}
            for size, price in (("M", 10.0), ("L", 12.5))
        ]
        self.product = market.product(seller, stock=5, price=10.0, variants=variants)
        self.order = market.buy(self.buyer, market.order_body((self.product, 2))).json()["orderId"]
        market.deliver(seller, self.order)
        self.line = self.seen()["items"][0]["orderItemId"]
        self.body: dict[str, Any] = {
            "orderItemId": self.line,
            "quantity": 1,
            "variantId": self.product["variants"][1]["variantId"],
            "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
        }

    async def ask(self, **fields: Any) -> Answer:
        request = ExchangeUnits.model_validate({**self.body, **fields})
        return await answered(
            exchange_units(self.ctx, self.actor, key_of(self.actor, self.key), UUID(self.order), request)
        )

    async def cut_at(self, point: str) -> None:
        """Its process dies at `point`, and its leases have ended."""
        failpoints.arm(f"{point}=error", nouns.failpoints())
        with pytest.raises(FailpointError):
            await self.ask()
        failpoints.arm("", nouns.failpoints())
        self.abandon()

    def abandon(self) -> None:
        """Whoever drove it has gone."""
        for table in ("order_exchanges", "checkouts"):
            self.market.sql.execute(f"update {table} set lease_expires_at = now() - interval '1 second'".encode())

    def seen(self) -> dict[str, Any]:
        body: dict[str, Any] = self.market.client.get(f"/api/v1/orders/{self.order}", headers=self.buyer.headers).json()
        return body

    def paid(self) -> list[Decimal]:
        """What the buyer's other orders were charged and have not got back."""
        rows = self.market.sql.execute(
            "select p.captured_amount - p.refunded_amount from payments p join orders o using (order_id)"
            " where o.user_id = %s and o.order_id <> %s and p.captured_amount > 0",
            (self.buyer.user_id, self.order),
        ).fetchall()
        return [amount for (amount,) in rows]

    def returns(self) -> list[str | None]:
        """The new order of each return."""
        return [row["exchangeOrderId"] for row in self.seen()["returns"]]

    def forget_key(self) -> None:
        """What a mutant left behind breaks no check of another test."""
        self.market.sql.execute(
            "update checkouts set idempotency_key = 'mutant' where idempotency_key like 'exchange-%%' and user_id = %s",
            (self.buyer.user_id,),
        )

    def free(self) -> bool:
        return self.market.scalar("select edited_by from orders where order_id = %s", (self.order,)) is None


async def finished(ctx: Context, exchanged: Exchanged) -> None:
    """The worker's rounds, until nothing waits for one."""
    for _ in range(3):
        await complete_checkouts(ctx)
        await complete_abandoned(ctx)
        exchanged.abandon()


@pytest.fixture
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("", nouns.failpoints())


@pytest.fixture
def exchanged(ctx: Context, market: Market, seller: Person, disarmed: None) -> Exchanged:
    return Exchanged(ctx, market, seller)


def sound(market: Market) -> None:
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key=SANDBOX_KEY)


async def once(exchanged: Exchanged) -> None:
    """The exchange is there, once, and its repetition is answered with it."""
    status, _, body = await exchanged.ask()
    assert (status, body["charged"]) == (200, float(PAID))
    assert (exchanged.paid(), exchanged.free()) == ([PAID], True)
    assert exchanged.returns() == [body["exchangeOrderId"]]
    assert (await exchanged.ask())[2] == body
    assert exchanged.paid() == [PAID]
    sound(exchanged.market)


@pytest.mark.parametrize("point", few(ON_THE_WAY, 3))
async def test_the_worker_finishes_an_exchange_whose_process_died(
    ctx: Context, exchanged: Exchanged, point: str
) -> None:
    await exchanged.cut_at(point)
    assert (exchanged.returns(), exchanged.free()) == ([], False)

    await finished(ctx, exchanged)

    assert exchanged.paid() == [PAID]
    await once(exchanged)


@pytest.mark.parametrize("point", sorted(NOTHING_YET))
async def test_the_worker_undoes_one_that_ordered_nothing(ctx: Context, exchanged: Exchanged, point: str) -> None:
    before = exchanged.seen() | {"updatedAt": None}
    await exchanged.cut_at(point)
    assert (await exchanged.ask())[:2] == (409, "request-in-flight")

    assert await complete_abandoned(ctx) == 1

    assert (exchanged.seen() | {"updatedAt": None}, exchanged.paid(), exchanged.free()) == (before, [], True)
    sound(exchanged.market)
    await once(exchanged)


async def test_one_that_died_with_all_of_it_committed_has_its_answer(ctx: Context, exchanged: Exchanged) -> None:
    await exchanged.cut_at("checkout.exchange_after_return")
    assert await complete_abandoned(ctx) == 0
    await once(exchanged)


@pytest.mark.parametrize("point", few(sorted(COMPENSATING), 1))
async def test_a_gateway_that_does_not_answer_leaves_everything_as_it_was(
    ctx: Context, exchanged: Exchanged, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    async def silent(*_: Any, **__: Any) -> Any:
        raise Unreachable("cut")

    with monkeypatch.context() as away:
        away.setattr(SandboxGateway, "authorise", silent)
        assert (await exchanged.ask())[:2] == (503, "payment-unavailable")
    assert (exchanged.returns(), exchanged.free()) == ([], True)
    exchanged.abandon()
    failpoints.arm(f"{point}=error", nouns.failpoints())
    with pytest.raises(FailpointError):
        await complete_checkouts(ctx)
    failpoints.arm("", nouns.failpoints())
    exchanged.abandon()
    await finished(ctx, exchanged)

    assert exchanged.paid() == []
    await once(exchanged)


async def test_a_refusal_after_its_process_died_is_the_answer(ctx: Context, exchanged: Exchanged) -> None:
    exchanged.body["paymentMethod"]["token"] = "pm_sandbox_declined"
    await exchanged.cut_at("checkout.before_authorise")
    await finished(ctx, exchanged)

    assert (await exchanged.ask())[:2] == (402, "payment-declined")
    assert (exchanged.paid(), exchanged.returns(), exchanged.free()) == ([], [], True)
    sound(exchanged.market)


def killed(exchanged: Exchanged, server: Server, folder: Path, point: str) -> None:
    """A process of the API is killed at `point` of the exchange."""
    doomed = Server("api", "SOUK_API_URL", folder, {**server.env, "SOUK_HOME": str(folder)})
    doomed.start(SOUK_FAILPOINTS=f"{point}=kill")
    with doomed.client() as client:
        login = client.post("/api/v1/auth/login", json={"email": exchanged.buyer.email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {login.json()['accessToken']}", "Idempotency-Key": exchanged.key}
        with pytest.raises(httpx.TransportError):
            client.post(f"/api/v1/orders/{exchanged.order}/exchanges", json=exchanged.body, headers=headers)
    assert doomed.wait(10) == KILLED


@pytest.mark.parametrize("point", few(["checkout.after_capture", *sorted(POINTS)], 1))
async def test_an_exchange_is_killed(
    *, ctx: Context, server: Server, exchanged: Exchanged, tmp_path: Path, point: str
) -> None:
    killed(exchanged, server, tmp_path, point)
    exchanged.abandon()
    await finished(ctx, exchanged)

    assert exchanged.paid() == ([] if point == "checkout.exchange_after_begin" else [PAID])
    headers = {**exchanged.buyer.headers, "Idempotency-Key": exchanged.key}
    path = f"/api/v1/orders/{exchanged.order}/exchanges"
    again = [exchanged.market.client.post(path, json=exchanged.body, headers=headers) for _ in range(2)]
    assert [one.status_code for one in again] == [200, 200]
    assert again[0].content == again[1].content
    assert (exchanged.paid(), exchanged.returns()) == ([PAID], [again[0].json()["exchangeOrderId"]])
    sound(exchanged.market)


async def test_nothing_else_changes_the_order_meanwhile(ctx: Context, exchanged: Exchanged) -> None:
    await exchanged.cut_at("checkout.exchange_after_order")
    market, back = exchanged.market, {"items": [{"orderItemId": exchanged.line, "quantity": 2}], "reasonCode": "other"}
    busy = market.post(exchanged.buyer, f"{exchanged.order}/return", back)
    problem(busy, 409, "order-being-edited")
    assert busy.headers["retry-after"] == "2"
    await finished(ctx, exchanged)

    problem(market.post(exchanged.buyer, f"{exchanged.order}/return", back), 422, "not-returnable")
    await once(exchanged)


async def test_the_window_that_ends_meanwhile_is_not_missed(ctx: Context, exchanged: Exchanged) -> None:
    await exchanged.cut_at("checkout.exchange_after_order")
    exchanged.market.sql.execute(
        "update orders set actual_delivery = now() - interval '172 days' where order_id = %s", (exchanged.order,)
    )
    await finished(ctx, exchanged)
    await once(exchanged)


async def test_mutant_an_order_that_is_not_left_to_its_exchange_keeps_a_paid_order_without_return(
    ctx: Context, exchanged: Exchanged, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unclaimed(tx: Any, exchange: rows.StoredExchange, seconds: float) -> None:
        await kept(tx, exchange, seconds)
        await rows.release(tx, exchange)

    kept: Callable[..., Any] = rows.claim
    monkeypatch.setattr("api.checkout.exchanges.commands.claim", unclaimed)
    await exchanged.cut_at("checkout.exchange_after_order")
    back = {"items": [{"orderItemId": exchanged.line, "quantity": 2}], "reasonCode": "other"}
    assert exchanged.market.post(exchanged.buyer, f"{exchanged.order}/return", back).status_code == 200

    with pytest.raises(Exception, match="Correct the lines"):
        await complete_abandoned(ctx)
    assert exchanged.paid() == [PAID]
    assert {one.check for one in violations(exchanged.market.database_url)} == {"R-I20-claim"}
    exchanged.market.sql.execute("delete from order_exchanges where point = 'asked'")
    exchanged.forget_key()


async def slow(ctx: Context, exchanged: Exchanged, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """The answer of a request that stands still, with its exchange written down, until the worker has undone it."""
    written, go_on = asyncio.Event(), asyncio.Event()
    order: Callable[..., Any] = exchange_units.__globals__["place_order"]

    async def held(*given: Any) -> Any:
        written.set()
        await go_on.wait()
        return await order(*given)

    monkeypatch.setattr("api.checkout.exchanges.commands.place_order", held)
    request = asyncio.create_task(exchanged.ask())
    await written.wait()
    exchanged.abandon()
    assert await complete_abandoned(ctx) == 1
    go_on.set()
    return await request


async def test_a_process_that_was_only_slow_orders_nothing_later(
    ctx: Context, exchanged: Exchanged, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        assert (await slow(ctx, exchanged, patched))[0] == 503
    assert (exchanged.paid(), exchanged.returns(), exchanged.free()) == ([], [], True)
    sound(exchanged.market)
    await once(exchanged)


async def test_mutant_a_key_that_is_not_closed_charges_for_an_exchange_that_was_undone(
    ctx: Context, exchanged: Exchanged, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left_open(*_: Any) -> bool:
        return True

    with monkeypatch.context() as patched:
        patched.setattr(finishing, "_closed", left_open)
        assert (await slow(ctx, exchanged, patched))[0] == 503
    assert (exchanged.paid(), exchanged.returns()) == ([PAID], [])
    assert {one.check for one in violations(exchanged.market.database_url)} == {"R-I21-placed"}
    exchanged.forget_key()
