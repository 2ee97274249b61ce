"""R-P8: the shop as a state machine. Whatever buyers and sellers do, in any order: what was charged for an order and
not given back is what is due for it, after every step, and invoices less credit notes say the same, line by line.

Carts, orders, edits, backorders, partial cancellations, parcels, returns and refunds, with declined cards and processes
that die, over a real database and a gateway with its own ledger, which the fixture of the market compares at the end.
The negative control is in `tests/integration/api/checkout/test_edit_mutants.py`, whose market nobody checks.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api import nouns
from api.carts import commands as carts
from api.carts.schemas import AddItem
from api.checkout.commands import place_order
from api.checkout.edits import commands as edits
from api.checkout.edits.failpoints import POINTS
from api.checkout.edits.schemas import CommitEdit, StageEdit
from api.checkout.schemas import PlaceOrder
from api.inventory.commands import adjust
from api.inventory.schemas import AdjustStock
from api.kernel import failpoints, outbox
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.failpoints import FailpointError
from api.kernel.settings import Settings
from api.orders.adjustments.commands import refund_order
from api.orders.adjustments.schemas import RefundOrder
from api.orders.backorders.commands import cover
from api.orders.commands.cancel import cancel_order
from api.orders.commands.cancel_units import cancel_units
from api.orders.commands.decide import approve_return, reject_return
from api.orders.commands.returns import return_order
from api.orders.invoices.doors import DOORS
from api.orders.parcels.commands import Wanted, advance_parcel
from api.orders.schemas import ApproveReturn, CancelOrder, CancelUnits, RejectReturn, ReturnOrder
from tests.harness.api import Server
from tests.harness.buying import ADDRESS, Market
from tests.harness.documents import billed, misstated
from tests.harness.edited import Answer, answered, key_of
from tests.harness.shop import Person

PLACES: tuple[dict[str, str], ...] = (
    ADDRESS,
    {"street": "Allee 1", "city": "Berlin", "zipCode": "10115", "country": "DE"},
    {"street": "1 King St", "city": "Toronto", "state": "ON", "zipCode": "M5H 2N2", "country": "CA"},
)
TOKENS = st.sampled_from(["pm_sandbox_ok"] * 4 + ["pm_sandbox_declined"])
# Where a process dies while it pays for an edit; another finishes it.
CUTS = sorted(POINTS - {"checkout.edit_before_begin", "checkout.edit_before_compensate", "checkout.edit_after_void"})
STEPS: tuple[Wanted, ...] = ("processing", "shipped", "delivered")
CENT = Decimal("0.01")
MONEY = """
    SELECT o.order_id, sum(p.captured_amount), sum(p.refunded_amount),
           (SELECT coalesce(sum(r.amount), 0) FROM refunds r WHERE r.order_id = o.order_id AND r.status = 'refunded'),
           o.total, o.status,
           (SELECT coalesce(sum(b.refund_amount), 0) FROM returns b
            WHERE b.order_id = o.order_id AND b.status = 'refunded')
    FROM orders o JOIN payments p USING (order_id) WHERE o.order_id = ANY(%s) GROUP BY o.order_id"""


@dataclass
class World:
    """What all runs share. `do` runs a coroutine in the one loop of the test."""

    market: Market
    ctx: Context
    loop: asyncio.AbstractEventLoop
    products: list[dict[str, Any]]
    sellers: dict[str, Actor]
    members: list[Actor]
    # Of which nothing is there: it is backordered.
    awaited: dict[str, Any]
    steps: dict[str, int] = field(default_factory=dict)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def ask(self, name: str, request: Coroutine[Any, Any, Any]) -> Answer:
        """The answer of a request; the shop never fails, and `steps` counts what it did."""
        answer: Answer = self.do(answered(request))
        assert answer[0] < 500, answer
        kind = f"{name} {answer[1] or 'done'}"
        self.steps[kind] = self.steps.get(kind, 0) + 1
        return answer


@dataclass
class Bought:
    """An order, and what is due for it as its answers said."""

    order_id: UUID
    due: Decimal
    edits: list[tuple[UUID, Decimal]] = field(default_factory=list)


class ShopMachine(RuleBasedStateMachine):
    """One buyer, a member or a guest, in the world that the test sets."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.orders = list[Bought]()
        self.actor = Actor("anonymous", session_id=f"machine-{uuid4().hex}")

    @initialize(data=st.data(), member=st.booleans(), place=st.sampled_from(PLACES))
    def begin_with_an_order(self, data: st.DataObject, member: bool, place: dict[str, str]) -> None:
        # What earlier runs gave back is gone, so that a run buys the same again.
        self.book("-available")
        if member:
            # Nothing is left of the member's cart, so that a run draws the same again.
            self.actor = self.world.members[0]
            emptied = "delete from cart_items where cart_id in (select cart_id from carts where user_id = %s)"
            self.world.market.sql.execute(emptied, (self.actor.user_id,))
        for units in data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)):
            self.put(data, units)
        self.order(place, "pm_sandbox_ok")

    @rule()
    def what_is_owed_comes(self) -> None:
        if self.book("owed"):
            ready = self.world.do(cover(self.world.ctx))
            self.world.steps["ready"] = self.world.steps.get("ready", 0) + ready

    def book(self, change: str) -> bool:
        """Whether there was something to book of what is waited for."""
        variant = UUID(self.world.awaited["variants"][0]["variantId"])
        query = f"select warehouse_id, {change} from warehouse_stock where variant_id = %s"
        place, units = self.world.market.sql.execute(query.encode(), (variant,)).fetchone() or (None, 0)
        if not units:
            return False
        seller = next(iter(self.world.sellers.values()))
        body = AdjustStock(variant_id=variant, warehouse_id=place, change=units)
        self.world.ask("book", adjust(self.world.ctx, seller, key_of(seller), body))
        return True

    @rule(data=st.data(), units=st.integers(1, 3))
    def put_into_the_cart(self, data: st.DataObject, units: int) -> None:
        self.put(data, units)

    @rule(place=st.sampled_from(PLACES), token=TOKENS)
    def order_the_cart(self, place: dict[str, str], token: str) -> None:
        self.order(place, token)

    def put(self, data: st.DataObject, units: int) -> None:
        product = data.draw(st.sampled_from(self.world.products))
        variant = UUID(product["variants"][0]["variantId"])
        body = AddItem(product_id=UUID(product["productId"]), variant_id=variant, quantity=units)
        self.world.do(carts.add_item(self.world.ctx, self.actor, body))

    def order(self, place: dict[str, str], token: str) -> None:
        body = self.world.market.order_body(token=token, shippingAddress=place, email="m@example.com")
        request = PlaceOrder.model_validate({**body, "items": None})
        key = key_of(self.actor)
        status, _, told = self.world.ask("order", place_order(self.world.ctx, self.actor, key, request))
        if status == 201:
            self.orders.append(Bought(UUID(told["orderId"]), money(told["total"])))

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def stage_an_edit(self, data: st.DataObject) -> None:
        self.stage(data, data.draw(st.sampled_from(self.orders)))

    def stage(self, data: st.DataObject, order: Bought) -> None:
        change: dict[str, Any] = {"lines": [], "add": []}
        for line, units in self.lines(order):
            wanted = data.draw(st.sampled_from([units, units, 0, units - 1, units + 1]))
            if wanted >= 0:
                change["lines"].append({"orderItemId": str(line), "quantity": wanted})
        for product in data.draw(st.lists(st.sampled_from(self.world.products), max_size=2)):
            variant = product["variants"][0]["variantId"]
            change["add"].append({"variantId": variant, "quantity": data.draw(st.integers(1, 2))})
        if (place := data.draw(st.sampled_from([None, None, *PLACES]))) is not None:
            change["shippingAddress"] = place
        if not any(change.values()):
            return
        request = StageEdit.model_validate(change)
        key = key_of(self.actor)
        asked = edits.stage_edit(self.world.ctx, self.actor, key, order.order_id, request)
        status, _, told = self.world.ask("stage", asked)
        if status == 201:
            assert money(told["oldTotal"]) == order.due
            assert sum((money(one["amount"]) for one in told["changes"]), Decimal(0)) == money(told["delta"])
            order.edits.append((UUID(told["editId"]), money(told["newTotal"])))

    @rule(data=st.data())
    @precondition(lambda self: any(order.edits for order in self.orders))
    def drop_an_edit(self, data: st.DataObject) -> None:
        order, (edit_id, _) = self.some_edit(data)
        self.world.do(edits.drop_edit(self.world.ctx, self.actor, (order.order_id, edit_id)))

    @rule(data=st.data(), token=TOKENS, cut=st.sampled_from([None, None, *CUTS]))
    @precondition(lambda self: any(order.edits for order in self.orders))
    def commit_an_edit(self, data: st.DataObject, token: str, cut: str | None) -> None:
        """The process may die meanwhile; then another finishes, and the buyer asks again."""
        order, edit = self.some_edit(data)
        self.commit(order, edit, token, cut)

    @rule(data=st.data(), token=TOKENS, cut=st.sampled_from([None, None, *CUTS]))
    @precondition(lambda self: self.orders)
    def edit_at_once(self, data: st.DataObject, token: str, cut: str | None) -> None:
        order = data.draw(st.sampled_from(self.orders))
        self.stage(data, order)
        if order.edits:
            self.commit(order, order.edits.pop(), token, cut)

    def commit(self, order: Bought, edit: tuple[UUID, Decimal], token: str, cut: str | None) -> None:
        edit_id, total = edit
        method = {"type": "credit_card", "token": token}
        request = CommitEdit.model_validate({"expectedTotal": float(total), "paymentMethod": method})
        key = key_of(self.actor)

        def ask() -> Coroutine[Any, Any, Any]:
            return edits.commit_edit(self.world.ctx, self.actor, key, (order.order_id, edit_id), request)

        if cut is not None:
            self.die(cut, ask, edit_id)
        status, _, told = self.world.ask("commit", ask())
        if status == 200:
            assert money(told["total"]) == total
            order.due = total

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def cancel_some_units(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.orders))
        line, units = data.draw(st.sampled_from(self.lines(order) or [(uuid4(), 1)]))
        request = CancelUnits(quantity=data.draw(st.integers(1, units)))
        place = (order.order_id, line)
        self.pay_back(
            "cancel units", order, cancel_units(self.world.ctx, self.actor, key_of(self.actor), place, request)
        )

    @rule(data=st.data())
    @precondition(lambda self: self.orders)
    def cancel_all(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.orders))
        asked = cancel_order(self.world.ctx, self.actor, key_of(self.actor), order.order_id, CancelOrder())
        if self.pay_back("cancel", order, asked):
            assert order.due == 0

    @rule(data=st.data(), further=st.integers(1, 3))
    @precondition(lambda self: self.orders)
    def send_a_parcel(self, data: st.DataObject, further: int) -> None:
        order = data.draw(st.sampled_from(self.orders))
        query = "select parcel_id, seller_id, status from parcels where order_id = %s order by number"
        parcels = self.world.market.sql.execute(query, (order.order_id,)).fetchall()
        parcel_id, seller_id, _ = data.draw(st.sampled_from(parcels))
        seller = self.world.sellers[str(seller_id)]
        for step in STEPS[:further]:
            self.world.ask(step, advance_parcel(self.world.ctx, seller, key_of(seller), parcel_id, step))

    @rule(data=st.data(), reason=st.sampled_from(["damaged", "no_longer_needed", "wrong_size"]))
    @precondition(lambda self: self.orders)
    def ask_to_return(self, data: st.DataObject, reason: str) -> None:
        order = data.draw(st.sampled_from(self.orders))
        lines = self.lines(order)
        if not lines:
            return
        line, units = data.draw(st.sampled_from(lines))
        item = {"orderItemId": str(line), "quantity": data.draw(st.integers(1, units))}
        request = ReturnOrder.model_validate({"items": [item], "reasonCode": reason})
        self.world.ask("return", return_order(self.world.ctx, self.actor, key_of(self.actor), order.order_id, request))

    @rule(data=st.data(), approve=st.booleans(), fee=st.sampled_from([Decimal(0), Decimal(0), CENT]))
    @precondition(lambda self: self.orders)
    def decide_a_return(self, data: st.DataObject, approve: bool, fee: Decimal) -> None:
        order = data.draw(st.sampled_from(self.orders))
        query = (
            "select return_id, seller_id from returns where order_id = %s and status = 'requested'"
            " order by created_at, refund_amount, quantity"
        )
        found = self.world.market.sql.execute(query, (order.order_id,)).fetchall()
        if not found:
            return
        return_id, seller_id = data.draw(st.sampled_from(found))
        seller, place = self.world.sellers[str(seller_id)], (order.order_id, return_id)
        if approve:
            body = ApproveReturn.model_validate({"fee": float(fee)})
            self.pay_back("approve", order, approve_return(self.world.ctx, seller, key_of(seller), place, body))
        else:
            refusal = RejectReturn.model_validate({"reason": "no"})
            self.world.ask("reject", reject_return(self.world.ctx, seller, key_of(seller), place, refusal))

    @rule(data=st.data(), amount=st.sampled_from([CENT, Decimal("1.00"), Decimal("5.00")]))
    @precondition(lambda self: self.orders)
    def give_money_back(self, data: st.DataObject, amount: Decimal) -> None:
        """Goodwill of the line's seller, for no units."""
        order = data.draw(st.sampled_from(self.orders))
        query = (
            "select order_item_id, seller_id from order_items where order_id = %s"
            " order by price_at_purchase, quantity, tax_amount, order_item_id"
        )
        found = self.world.market.sql.execute(query, (order.order_id,)).fetchall()
        line, seller_id = data.draw(st.sampled_from(found))
        seller, items = self.world.sellers[str(seller_id)], [{"orderItemId": str(line), "amount": float(amount)}]
        body = RefundOrder.model_validate({"reasonCode": "goodwill", "items": items})
        self.pay_back("goodwill", order, refund_order(self.world.ctx, seller, key_of(seller), order.order_id, body))

    @invariant()
    def what_was_charged_and_not_refunded_is_due(self) -> None:
        ids = [order.order_id for order in self.orders]
        rows = self.world.market.sql.execute(MONEY, (ids,)).fetchall() if ids else []
        dues = {order.order_id: order.due for order in self.orders}
        assert len(rows) == len(dues)
        for order_id, charged, refunded, of_refunds, total, status, returned in rows:
            assert charged - refunded == dues[order_id], order_id
            assert refunded == of_refunds, order_id
            assert status == "cancelled" or total - returned == dues[order_id], order_id

    @invariant()
    def documents_say_what_is_left_of_each_line(self) -> None:
        """The worker has read what happened, as it does within a second."""
        self.world.do(outbox.relay(self.world.ctx, (), (), DOORS))
        ids = [order.order_id for order in self.orders]
        assert misstated(self.world.market.sql, ids) == []
        self.world.steps["billed"] = self.world.steps.get("billed", 0) + billed(self.world.market.sql, ids)

    def lines(self, order: Bought) -> list[tuple[UUID, int]]:
        """The lines of which something is left, with the units."""
        query = (
            "select i.order_item_id, i.quantity - coalesce((select sum(r.quantity) from returns r where r.order_item_id"
            " = i.order_item_id and r.status <> 'rejected'), 0)::int as units from order_items i where i.order_id = %s"
            " order by i.price_at_purchase, i.quantity, units, i.tax_amount, i.order_item_id"
        )
        found = self.world.market.sql.execute(query, (order.order_id,)).fetchall()
        return [(line, units) for line, units in found if units > 0]

    def some_edit(self, data: st.DataObject) -> tuple[Bought, tuple[UUID, Decimal]]:
        """An edit that was staged, which nobody tries to commit again."""
        order = data.draw(st.sampled_from([order for order in self.orders if order.edits]))
        return order, order.edits.pop(data.draw(st.integers(0, len(order.edits) - 1)))

    def pay_back(self, name: str, order: Bought, request: Coroutine[Any, Any, Any]) -> bool:
        status, _, told = self.world.ask(name, request)
        if status == 200:
            order.due -= money(told["refundAmount"] or 0)
        return status == 200

    def die(self, cut: str, ask: Callable[[], Coroutine[Any, Any, Any]], edit_id: UUID) -> None:
        """The process dies at a point, if it comes there; another takes the edit over."""
        failpoints.arm(f"{cut}=error", nouns.failpoints())
        try:
            self.world.do(answered(ask()))
        except FailpointError:
            past = "update order_edits set lease_expires_at = now() - interval '1 second' where edit_id = %s"
            self.world.market.sql.execute(past, (edit_id,))
        finally:
            failpoints.arm("", nouns.failpoints())
        self.world.do(edits.complete_abandoned(self.world.ctx))


def money(amount: object) -> Decimal:
    return Decimal(str(amount)).quantize(CENT)


@contextmanager
def shared_world(market: Market, server: Server, seller: Person, buyer: Person) -> Iterator[World]:
    rival = market.person("seller")
    prices = ((seller, 3.33), (seller, 12.0), (rival, 9.99), (rival, 34.0))
    products = [market.product(who, stock=900_000, price=price) for who, price in prices]
    awaited = market.product(seller, stock=0, price=7.77)
    market.sql.execute(
        "update warehouse_stock set backorder_limit = 900000 where variant_id = %s",
        (awaited["variants"][0]["variantId"],),
    )
    sellers = {who.user_id: Actor("seller", UUID(who.user_id)) for who in (seller, rival)}
    loop = asyncio.new_event_loop()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        opened = open_context(Settings())
        ctx = loop.run_until_complete(opened.__aenter__())
        members = [Actor("customer", UUID(buyer.user_id))]
        yield World(market, ctx, loop, [*products, awaited], sellers, members, awaited)
        loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()


def run(world: World, runs: int) -> None:
    """The same runs each time. Raises: whatever a step found wrong."""
    world.steps.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShopMachine, "world", world, raising=False)
        run_state_machine_as_test(
            ShopMachine,
            settings=settings(
                max_examples=runs,
                stateful_step_count=20,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.fixture(scope="module")
def world(market: Market, server: Server, seller: Person, buyer: Person) -> Iterator[World]:
    with shared_world(market, server, seller, buyer) as shared:
        yield shared


RUNS = [10, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]


@pytest.mark.parametrize("runs", RUNS)
def test_what_was_charged_and_not_refunded_is_due_after_every_step(world: World, runs: int) -> None:
    run(world, runs)

    print(f"R-P8: {runs} runs: {dict(sorted(world.steps.items()))}")
    assert {"order done", "commit done", "cancel units done", "cancel done", "ready"} <= world.steps.keys()
