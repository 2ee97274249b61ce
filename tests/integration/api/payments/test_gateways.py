"""Two gateways, and the setting for new payments swapped while money is held or taken: every later call reaches the
gateway that the payment names, in the ledgers of the gateways themselves."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from fastapi import Response

from api import nouns
from api.checkout.commands import complete_abandoned, place_order
from api.checkout.saga import driver
from api.checkout.schemas import PlaceOrder
from api.inventory.commands import release_expired
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.failpoints import FailpointError
from api.kernel.idempotency import RequestKey
from api.kernel.settings import Settings
from api.operations.invariants.gateway import Gateway as Ledger
from api.operations.invariants.run import violations
from api.orders.commands.cancel import cancel_order
from api.orders.refunds import settle_refunds
from api.orders.schemas import CancelOrder
from api.payments import commands as payments
from api.payments.gateways.interface import Gateway
from api.payments.gateways.registry import UnknownGateway, gateway_named
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, running_sandbox
from tests.harness.invariants import assert_invariants
from tests.harness.shop import Person

NAMES = ("sandbox", "second")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The other gateway, with a ledger of its own."""
    with running_sandbox(tmp_path_factory.mktemp("second")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def market(server: Server, database_url: str, sandbox: Sandbox, second: Sandbox) -> Iterator[Market]:
    """A shop whose payments are at two gateways. At its end both ledgers agree with the payments."""
    market = Market(server, database_url, sandbox)
    yield market
    market.close()
    others = [Ledger(second.url, SANDBOX_KEY, "second")]
    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY, others=others)


@dataclass
class Purchase:
    """One guest's order; the guest asks with one idempotency key."""

    actor: Actor
    key: RequestKey
    request: PlaceOrder

    async def place(self, ctx: Context) -> Response:
        return await place_order(ctx, self.actor, self.key, self.request)


class Desk:
    """Opens the shop with one gateway or the other for new payments, and reads what the gateways did."""

    def __init__(self, market: Market, server: Server, second: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.market = market
        self.sandboxes = {"sandbox": market.sandbox, "second": second}
        self.monkeypatch = monkeypatch
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)

    @asynccontextmanager
    async def open(self, gateway: str, *, forget: bool = False) -> AsyncIterator[Context]:
        """A process whose new payments go to `gateway`; with `forget` its settings know the first gateway alone."""
        others = {"second": {"kind": "sandbox", "url": self.sandboxes["second"].url, "key": SANDBOX_KEY}}
        self.monkeypatch.setenv("SOUK_PAYMENT_GATEWAYS", json.dumps({} if forget else others))
        self.monkeypatch.setenv("SOUK_PAYMENT_GATEWAY", gateway)
        async with open_context(Settings()) as ctx:
            yield ctx

    def purchase(self, seller: Person) -> Purchase:
        product = self.market.product(seller, stock=9)
        body = self.market.order_body((product, 1), email="guest@example.com")
        actor = Actor("anonymous", session_id=f"session-{uuid4()}")
        key = RequestKey(actor.key, uuid4().hex, "POST /api/v1/orders", uuid4().bytes)
        return Purchase(actor, key, PlaceOrder.model_validate(body))

    async def die_at(self, point: str, ctx: Context, purchase: Purchase) -> None:
        """Place the order in a process that ends at `point`; its lease is over at once."""
        failpoints.arm(f"{point}=error", nouns.failpoints())
        with pytest.raises(FailpointError):
            await purchase.place(ctx)
        self.expire_leases()

    def expire_leases(self) -> None:
        self.market.sql.execute("update checkouts set lease_expires_at = now() - interval '1 second'")

    def row(self, purchase: Purchase) -> tuple[UUID, str, str]:
        """(order, gateway, status) of the purchase's payment."""
        row = self.market.sql.execute(
            "select p.order_id, p.gateway, p.status from payments p join checkouts using (checkout_id)"
            " where actor_key = %s",
            (purchase.actor.key,),
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def gateway_key(self, purchase: Purchase) -> str:
        query = "select gateway_key from payments join checkouts using (checkout_id) where actor_key = %s"
        return str(self.market.scalar(query, (purchase.actor.key,)))

    def calls(self, purchase: Purchase) -> dict[str, list[str]]:
        """Gateway -> what it recorded for the purchase, in order."""
        key = self.gateway_key(purchase)
        return {
            name: [entry["kind"] for entry in sandbox.ledger() if key in {entry["key"], entry["parentKey"]}]
            for name, sandbox in self.sandboxes.items()
        }

    def broken(self) -> set[str]:
        """The invariants that do not hold now."""
        ledgers = [Ledger(sandbox.url, SANDBOX_KEY, name) for name, sandbox in self.sandboxes.items()]
        return {violation.check for violation in violations(self.market.database_url, ledgers)}


@pytest.fixture
def desk(market: Market, server: Server, second: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(market, server, second, monkeypatch)


async def cancel(ctx: Context, purchase: Purchase, order_id: UUID) -> None:
    key = RequestKey(purchase.actor.key, uuid4().hex, f"POST /api/v1/orders/{order_id}/cancel", uuid4().bytes)
    assert (await cancel_order(ctx, purchase.actor, key, order_id, CancelOrder())).status_code == 200


def misroute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: every call goes to the gateway that takes new payments, whatever the payment says."""

    def configured(ctx: Context, name: str) -> Gateway:
        return gateway_named(ctx, ctx.settings.payment_gateway)

    for module in (driver, payments):
        monkeypatch.setattr(module, "gateway_named", configured)


@pytest.mark.parametrize(("first", "then"), [NAMES, NAMES[::-1]])
async def test_a_capture_goes_where_the_money_is_held(desk: Desk, seller: Person, first: str, then: str) -> None:
    purchase = desk.purchase(seller)
    async with desk.open(first) as ctx:
        await desk.die_at("checkout.before_capture", ctx, purchase)
    assert desk.row(purchase)[1:] == (first, "authorised")
    async with desk.open(then) as ctx:
        assert await complete_abandoned(ctx) == 1
        assert (await purchase.place(ctx)).status_code == 201
    assert desk.row(purchase)[1:] == (first, "captured")
    assert desk.calls(purchase) == {first: ["authorisation", "capture"], then: []}


@pytest.mark.parametrize(("first", "then"), [NAMES, NAMES[::-1]])
async def test_an_authorisation_is_repeated_where_it_may_have_been_made(
    desk: Desk, seller: Person, first: str, then: str
) -> None:
    purchase = desk.purchase(seller)
    async with desk.open(first) as ctx:
        await desk.die_at("checkout.after_authorise", ctx, purchase)
    assert desk.row(purchase)[1:] == (first, "pending")
    async with desk.open(then) as ctx:
        assert await complete_abandoned(ctx) == 1
    assert desk.calls(purchase) == {first: ["authorisation", "capture"], then: []}


@pytest.mark.parametrize(("first", "then"), [NAMES, NAMES[::-1]])
async def test_a_void_goes_where_the_money_is_held(desk: Desk, seller: Person, first: str, then: str) -> None:
    purchase = desk.purchase(seller)
    async with desk.open(first) as ctx:
        await desk.die_at("checkout.after_authorise", ctx, purchase)
        desk.market.sql.execute(
            "update inventory_reservations set expires_at = now() - interval '1 second' where status = 'active'"
        )
        assert await release_expired(ctx) == 1
    async with desk.open(then) as ctx:
        assert await complete_abandoned(ctx) == 1
    assert desk.row(purchase)[1:] == (first, "voided")
    assert desk.calls(purchase) == {first: ["authorisation", "void"], then: []}


@pytest.mark.parametrize(("first", "then"), [NAMES, NAMES[::-1]])
async def test_a_refund_goes_where_the_money_was_taken(desk: Desk, seller: Person, first: str, then: str) -> None:
    purchase = desk.purchase(seller)
    async with desk.open(first) as ctx:
        assert (await purchase.place(ctx)).status_code == 201
    order_id, gateway, _ = desk.row(purchase)
    assert gateway == first
    async with desk.open(then) as ctx:
        await cancel(ctx, purchase, order_id)
    assert desk.calls(purchase) == {first: ["authorisation", "capture", "refund"], then: []}
    assert desk.market.scalar("select status from refunds where order_id = %s", (order_id,)) == "refunded"


async def test_a_refund_waits_until_its_gateway_is_configured_again(
    desk: Desk, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, other = desk.purchase(seller), desk.purchase(seller)
    async with desk.open("second") as ctx:
        assert (await waiting.place(ctx)).status_code == 201
    async with desk.open("sandbox") as ctx:
        assert (await other.place(ctx)).status_code == 201
    orders = {purchase.key.key: desk.row(purchase)[0] for purchase in (waiting, other)}
    states = "select status from refunds where order_id = %s"
    async with desk.open("sandbox", forget=True) as ctx:
        with pytest.raises(UnknownGateway, match="no payment gateway is configured under the name 'second'"):
            gateway_named(ctx, "second")
        await cancel(ctx, waiting, orders[waiting.key.key])
        assert desk.market.scalar(states, (orders[waiting.key.key],)) == "pending"
        desk.market.sandbox.faults(unavailable=True)
        try:
            await cancel(ctx, other, orders[other.key.key])
        finally:
            desk.market.sandbox.faults()
        assert desk.market.scalar(states, (orders[other.key.key],)) == "pending"
        # The younger refund does not wait behind the older one, though one of each gateway is asked for at a time.
        monkeypatch.setattr(payments, "BATCH", 1)
        assert await settle_refunds(ctx) == 1
        assert desk.market.scalar(states, (orders[other.key.key],)) == "refunded"
        assert await settle_refunds(ctx) == 0
    assert desk.calls(waiting) == {"sandbox": [], "second": ["authorisation", "capture"]}
    async with desk.open("sandbox") as ctx:
        assert await settle_refunds(ctx) == 1
    assert desk.calls(waiting) == {"sandbox": [], "second": ["authorisation", "capture", "refund"]}


async def test_a_checkout_waits_until_its_gateway_is_configured_again(desk: Desk, seller: Person) -> None:
    purchase = desk.purchase(seller)
    async with desk.open("second") as ctx:
        await desk.die_at("checkout.before_capture", ctx, purchase)
    async with desk.open("sandbox", forget=True) as ctx:
        assert await complete_abandoned(ctx) == 1
    assert desk.row(purchase)[1:] == ("second", "authorised")
    desk.expire_leases()
    async with desk.open("sandbox") as ctx:
        assert await complete_abandoned(ctx) == 1
    assert desk.row(purchase)[1:] == ("second", "captured")


async def test_mutant_the_configured_gateway_is_asked_and_money_stays_held(
    desk: Desk, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, taken = desk.purchase(seller), desk.purchase(seller)
    async with desk.open("sandbox") as ctx:
        assert (await taken.place(ctx)).status_code == 201
        await desk.die_at("checkout.before_capture", ctx, held)
    with monkeypatch.context() as mutation:
        misroute(mutation)
        async with desk.open("second") as ctx:
            assert await complete_abandoned(ctx) == 1
            await cancel(ctx, taken, desk.row(taken)[0])
    assert desk.calls(held) == {"sandbox": ["authorisation"], "second": ["void"]}
    assert desk.calls(taken) == {"sandbox": ["authorisation", "capture"], "second": []}
    assert desk.broken() == {"R-I5-cancelled", "R-I6-payments"}
    # Put right what the mutant did, so that the market's books close.
    async with desk.open("second") as ctx:
        await gateway_named(ctx, "sandbox").void(desk.gateway_key(held))
        assert await settle_refunds(ctx) == 1
    assert desk.broken() == set()
