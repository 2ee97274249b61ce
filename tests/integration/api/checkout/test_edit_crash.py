"""An edit that is paid for ends, whoever dies and whenever: it is charged once and made, or nothing has changed.

Two contexts stand for two processes. `test_edit_mutants.py` has a mutant for each guard.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from api import nouns
from api.checkout.edits.commands import complete_abandoned
from api.checkout.edits.failpoints import POINTS
from api.inventory.commands import release_expired
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.mail.tokens import token_of
from api.orders.adjustments.commands import refund_order
from api.orders.adjustments.schemas import RefundOrder
from api.orders.commands import claims
from api.orders.commands.fulfil import advance_order
from api.orders.refunds import settle_refunds
from api.orders.schemas import AdvanceOrder
from api.payments.gateways.interface import GatewayRefused, Unreachable
from api.payments.gateways.sandbox import SandboxGateway
from tests.harness.buying import SANDBOX_KEY, Market, until
from tests.harness.edited import CHANGES, Answer, Edited, HeldGateway, answered, begin, cancel, key_of
from tests.harness.invariants import assert_invariants
from tests.harness.sessions import guest_session
from tests.harness.shop import Person

PAID = [Decimal("26.59"), Decimal("12.96")]
COMPENSATING = {"checkout.edit_before_compensate", "checkout.edit_after_void"}
FIRST = "checkout.edit_before_begin"


@pytest.fixture
async def other(ctx: Context) -> AsyncIterator[Context]:
    async with open_context(ctx.settings) as context:
        yield context


@pytest.fixture
async def edited(ctx: Context, market: Market, buyer: Person, seller: Person) -> Edited:
    edited = Edited(ctx, market, buyer, seller)
    await edited.stage()
    return edited


def sound(market: Market) -> None:
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key=SANDBOX_KEY)


@pytest.mark.parametrize("point", sorted(POINTS - COMPENSATING - {FIRST}))
async def test_another_process_finishes_an_edit_whose_own_died(
    edited: Edited, other: Context, market: Market, point: str
) -> None:
    await edited.cut_at(point)

    assert await complete_abandoned(other) == (0 if point == "checkout.edit_after_complete" else 1)
    assert (edited.point(), edited.charges()) == ("completed", PAID)
    assert (await edited.commit())[0] == 200
    assert edited.charges() == PAID
    assert edited.seen()["total"] == 39.55
    assert market.stock_of(edited.more) == (4, 0)
    sound(market)


async def test_an_edit_that_died_before_it_began_has_changed_nothing(edited: Edited, other: Context) -> None:
    before = edited.seen()
    await edited.cut_at(FIRST)

    assert await complete_abandoned(other) == 0
    assert (edited.point(), edited.seen()) == ("staged", before)
    assert (await edited.commit())[0] == 200


@pytest.mark.parametrize("point", sorted(COMPENSATING))
async def test_another_process_gives_up_what_the_gateway_did_not_answer(
    edited: Edited, other: Context, market: Market, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    before = edited.seen()

    async def silent(*_: Any, **__: Any) -> Any:
        raise Unreachable("cut")

    with monkeypatch.context() as away:
        away.setattr(SandboxGateway, "authorise", silent)
        assert (await edited.commit())[:2] == (503, "payment-unavailable")
    assert (edited.point(), edited.seen()) == ("compensating", before)
    failpoints.arm(f"{point}=error", nouns.failpoints())
    with pytest.raises(failpoints.FailpointError):
        await complete_abandoned(other)
    edited.abandon()
    assert await complete_abandoned(other) == 1

    assert (edited.point(), edited.charges(), edited.seen()) == ("failed", PAID[:1], before)
    assert market.stock_of(edited.more) == (5, 0)
    assert (await edited.commit())[:2] == (409, "order-edit-over")
    sound(market)


async def test_a_capture_that_is_refused_changes_nothing(
    edited: Edited, other: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = edited.seen()

    async def refused(*_: Any, **__: Any) -> Any:
        raise GatewayRefused("expired")

    with monkeypatch.context() as away:
        away.setattr(SandboxGateway, "capture", refused)
        assert (await edited.commit())[:2] == (402, "payment-declined")
    assert await complete_abandoned(other) == 1

    assert (edited.point(), edited.charges(), edited.seen()) == ("failed", PAID[:1], before)
    assert market.stock_of(edited.more) == (5, 0)
    sound(market)


async def test_a_silent_capture_is_taken_later(
    edited: Edited, other: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: Any, **__: Any) -> Any:
        raise Unreachable("cut")

    with monkeypatch.context() as away:
        away.setattr(SandboxGateway, "capture", silent)
        assert (await edited.commit())[:2] == (503, "order-edit-pending")
    assert (await edited.commit())[:2] == (409, "request-in-flight")
    edited.abandon()
    assert await complete_abandoned(other) == 1

    assert (await edited.commit())[0] == 200
    assert edited.charges() == PAID
    sound(market)


async def test_a_reservation_that_ran_out_before_the_payment_changes_nothing(
    edited: Edited, other: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, gateway = edited.seen(), HeldGateway(monkeypatch)
    committing = asyncio.ensure_future(edited.commit())
    await gateway.asked.wait()
    market.sql.execute(
        "update inventory_reservations set expires_at = now() - interval '1 second' where checkout_id = %s",
        (edited.edit["editId"],),
    )
    assert await release_expired(other) == 1
    gateway.go_on.set()

    assert (await committing)[:2] == (409, "out-of-stock")
    assert await complete_abandoned(other) == 1
    assert (edited.point(), edited.charges(), edited.seen()) == ("failed", PAID[:1], before)
    sound(market)


async def test_nothing_else_changes_an_order_while_its_edit_is_paid_for(
    edited: Edited, other: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = HeldGateway(monkeypatch)
    committing = asyncio.ensure_future(edited.commit())
    await gateway.asked.wait()

    for answer in [await answered(change(edited, other)) for change in CHANGES]:
        assert answer[:2] == (409, "order-being-edited")
    gateway.go_on.set()

    assert (await committing)[0] == 200
    assert (await answered(cancel(edited, other)))[0] == 200
    assert edited.seen()["status"] == "cancelled"
    assert market.stock_of(edited.more) == (5, 0)
    sound(market)


@pytest.mark.parametrize("change", CHANGES)
async def test_an_edit_of_an_order_that_was_changed_meanwhile_is_refused(
    edited: Edited, other: Context, market: Market, change: Any
) -> None:
    assert (await answered(change(edited, other)))[0] == 200

    status, code, _ = await edited.commit()
    assert (status, code) == (409, "order-changed")
    assert edited.charges() == PAID[:1]
    sound(market)


async def test_of_many_at_once_each_counts_once(edited: Edited, other: Context, market: Market) -> None:
    """The same commit four times, a cancellation and a parcel that is begun: whoever comes first wins."""
    commits = [edited.commit(via=where) for where in (edited.ctx, other, edited.ctx, other)]
    others = [answered(cancel(edited, other)), answered(begin(edited, other))]
    answers = await asyncio.gather(*commits, *others)

    assert {code for _, code, _ in answers} <= {
        *("", "request-in-flight", "order-changed", "order-being-edited", "order-edit-over", "order-state"),
    }
    made = edited.point() == "completed"
    assert edited.charges() == PAID[: 1 + made]
    await settle_refunds(edited.ctx)
    sound(market)


async def test_an_owner_that_slept_past_its_lease_changes_nothing(
    edited: Edited, other: Context, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = HeldGateway(monkeypatch)
    sleeping = asyncio.ensure_future(edited.commit())
    await gateway.asked.wait()
    edited.abandon()
    assert await complete_abandoned(other) == 1
    gateway.go_on.set()

    assert (await sleeping)[:2] == (503, "order-edit-pending")
    assert edited.charges() == PAID
    assert (await edited.commit())[0] == 200
    sound(market)


async def test_an_edit_is_finished_also_when_its_guest_order_became_a_members_meanwhile(
    ctx: Context, other: Context, market: Market, buyer: Person, seller: Person
) -> None:
    guest, email = guest_session("edits and claims"), "edits-and-claims@example.com"
    edited = Edited(ctx, market, buyer, seller, guest=(guest, email))
    await edited.stage()
    await edited.cut_at("checkout.edit_after_authorise")

    member = Actor("customer", UUID(buyer.user_id))
    await claims.ask_for_claim(ctx, member, email)
    token_id = market.scalar("select token_id from order_tokens where email = %s", (email,))
    await claims.claim_orders(ctx, member, key_of(member), token_of(ctx.keys, token_id))
    assert await complete_abandoned(other) == 1

    assert (edited.point(), edited.charges()) == ("completed", PAID)
    assert edited.seen()["total"] == 39.55
    sound(market)


async def held_in_turn(market: Market, order_id: str, *requests: Callable[[], Awaitable[Answer]]) -> list[Answer]:
    """The answers of requests that have all come to the order's lock, in their order, while somebody else held it."""
    waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"

    async def waiting(requests: int) -> None:
        await until(lambda: bool(market.scalar(waits) >= requests))

    running = []
    with psycopg.connect(market.database_url) as holder:
        holder.execute("select 1 from orders where order_id = %s for update", (order_id,))
        for place, request in enumerate(requests, 1):
            running.append(asyncio.ensure_future(request()))
            await waiting(place)
    return list(await asyncio.gather(*running))


async def test_an_edit_that_waited_for_a_refund_is_priced_anew(
    edited: Edited, ctx: Context, market: Market, seller: Person
) -> None:
    sender, line = Actor("seller", UUID(seller.user_id)), edited.seen()["items"][0]["orderItemId"]

    def refund(**amounts: float) -> Awaitable[Answer]:
        request = {"reasonCode": "goodwill", "items": [{"orderItemId": line, **amounts}]}
        command = refund_order(ctx, sender, key_of(sender), UUID(edited.order), RefundOrder.model_validate(request))
        return answered(command)

    assert (await refund(amount=1.0))[0] == 200
    await edited.stage()
    given, committed = await held_in_turn(market, edited.order, lambda: refund(shippingAmount=2.0), edited.commit)

    assert (given[0], committed[:2]) == (200, (409, "order-changed"))
    assert (edited.point(), edited.charges()) == ("staged", PAID[:1])
    sound(market)


async def test_a_seller_who_waited_for_an_edit_that_adds_anothers_line_does_not_send_it(
    edited: Edited, ctx: Context, market: Market, seller: Person
) -> None:
    other = market.product(market.person("seller"), stock=5, price=5.0)
    removed = {"orderItemId": edited.seen()["items"][0]["orderItemId"], "quantity": 1}
    await edited.stage(lines=[removed], add=[{"variantId": other["variants"][0]["variantId"], "quantity": 1}])
    sender = Actor("seller", UUID(seller.user_id))

    def advance() -> Awaitable[Answer]:
        step = AdvanceOrder.model_validate({"status": "processing"})
        return answered(advance_order(ctx, sender, key_of(sender), UUID(edited.order), step))

    committed, advanced = await held_in_turn(market, edited.order, edited.commit, advance)

    assert (committed[0], advanced[:2]) == (200, (404, "order-not-found"))
    assert {parcel["status"] for parcel in edited.seen()["parcels"]} == {"confirmed"}
    sound(market)
