"""What goes wrong with edits when a guard is taken away: each mutant breaks an invariant that held before."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest

from api.checkout.edits import commands, driver
from api.checkout.edits.commands import complete_abandoned
from api.kernel.context import Context
from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from api.orders.commands import cancel_units
from api.orders.invoices import commands as invoices
from api.orders.queries import locked
from api.payments.parts import Parts
from api.payments.statements import NewRefund
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox
from tests.harness.edited import Edited, HeldGateway, answered, cancel, cancel_one
from tests.harness.shop import Person
from tests.property.test_shop_machine import run, shared_world


@pytest.fixture(scope="module")
def market(server: Server, database_url: str, sandbox: Sandbox) -> Iterator[Market]:
    """A market whose invariants nobody checks at its end."""
    market = Market(server, database_url, sandbox)
    yield market
    market.close()


@pytest.fixture
async def edited(ctx: Context, market: Market, buyer: Person, seller: Person) -> Edited:
    edited = Edited(ctx, market, buyer, seller)
    await edited.stage()
    return edited


def broken(market: Market) -> set[str]:
    return {found.check for found in violations(market.database_url, [Gateway(market.sandbox.url, SANDBOX_KEY)])}


async def test_the_order_is_left_to_everybody(
    edited: Edited, ctx: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the claim it is cancelled while its edit is paid for, and the money of the edit is kept."""
    assert "R-I5-cancelled" not in broken(market)
    gateway = HeldGateway(monkeypatch)
    monkeypatch.setattr(locked, "_free", lambda order: order)
    committing = asyncio.ensure_future(edited.commit())
    await gateway.asked.wait()
    assert (await answered(cancel(edited, ctx)))[0] == 200
    gateway.go_on.set()
    await committing

    assert "R-I5-cancelled" in broken(market)


async def test_the_version_of_the_order_is_forgotten(
    edited: Edited, ctx: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit takes off a unit that was cancelled meanwhile."""
    assert "R-I7-returns" not in broken(market)
    line = edited.seen()["items"][0]["orderItemId"]
    more = {"variantId": edited.more["variants"][0]["variantId"], "quantity": 1}
    await edited.stage(lines=[{"orderItemId": line, "quantity": 0}], add=[more])
    assert (await answered(cancel_one(edited, ctx)))[0] == 200
    monkeypatch.setattr(commands, "_require_open", lambda *_: None)
    await edited.commit()

    assert "R-I7-returns" in broken(market)


async def test_every_call_has_a_key_of_its_own(
    edited: Edited, ctx: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes over authorises again, and the first money stays held."""
    assert "R-I6-gateway" not in broken(market)
    monkeypatch.setattr(driver, "payment_key", lambda _: f"edit-{uuid4()}")
    await edited.cut_at("checkout.edit_after_authorise")
    await complete_abandoned(ctx)

    assert "R-I6-gateway" in broken(market)


async def test_what_is_added_is_not_set_off(edited: Edited, market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference is charged, and what is taken off is refunded as well."""
    assert "R-I5-due" not in broken(market)
    line = edited.seen()["items"][0]["orderItemId"]
    more = {"variantId": edited.more["variants"][0]["variantId"], "quantity": 2}
    await edited.stage(lines=[{"orderItemId": line, "quantity": 0}], add=[more])
    monkeypatch.setattr("api.checkout.edits.changing.Parts", lambda *_: Parts(goods=Decimal("20.00")))
    await edited.commit()

    assert "R-I5-due" in broken(market)


def test_units_that_are_cancelled_for_nothing_are_seen_by_the_state_machine(
    market: Market, server: Server, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-P8's negative control: a shop that keeps the money of cancelled units."""
    nothing = NewRefund(uuid4(), [], [])
    monkeypatch.setattr(cancel_units, "request_refund", lambda *_: nothing)

    with shared_world(market, server, seller, buyer) as world, pytest.raises(AssertionError):
        run(world, 30)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_documents_that_forget_what_is_set_off_are_seen_by_the_state_machine(
    market: Market, server: Server, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit that an edit takes off for another stays on its seller's invoice, though the order's sum is right."""
    monkeypatch.setattr(invoices, "_set_off", lambda _: {})

    with shared_world(market, server, seller, buyer) as world, pytest.raises(AssertionError):
        run(world, 500)
