"""Documents of orders that are changed after their invoices were written: what rises is billed, what falls is credited,
and no document is of less than nothing."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from api.kernel.context import Context
from tests.harness.buying import Market
from tests.harness.documents import invoices, misstated, said_by, ship
from tests.harness.editing import Editing
from tests.harness.mailing import mailing_context, settle
from tests.harness.shop import Person

Said = list[tuple[str, str, Decimal]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    async with mailing_context(database_url, redis_url, tmp_path_factory.mktemp("invoices")) as context:
        yield context


class Changing:
    """An order of a member to three sellers, of whom the first sends at once. What has Prime is sent free when all of
    the order has it."""

    def __init__(self, market: Market, sellers: list[Person], context: Context, *prices: tuple[float, bool]) -> None:
        self.market, self.context, self.buyer, self.sellers = market, context, market.person(), sellers
        market.sql.execute("update users set prime_member = true where user_id = %s", (self.buyer.user_id,))
        self.edits = Editing(market, self.buyer)
        goods = [self.product(seller, f"First {n}", *prices[n]) for n, seller in enumerate(sellers[: len(prices)])]
        body = market.order_body(*((product, 1) for product in goods))
        self.order = market.buy(self.buyer, body).json()["orderId"]
        ship(market, self.order, sellers[0])

    def product(self, seller: Person, title: str, price: float, prime: bool = False) -> dict[str, Any]:
        return self.market.product(seller, stock=9, price=price, title=title, primeEligible=prime, brand=uuid4().hex)

    def change(self, gone: tuple[str, ...] = (), *new: tuple[int, tuple[str, float, bool]]) -> Decimal:
        """Takes the lines of these titles off and adds (seller, (title, price, Prime)); returns what is due more."""
        ids = {one["title"]: one["orderItemId"] for one in self.edits.order(self.order)["items"]}
        add = [self.edits.line(self.product(self.sellers[n], *one), 1) for n, one in new]
        lines = [{"orderItemId": ids[title], "quantity": 0} for title in gone]
        staged = self.edits.staged(self.order, lines=lines, add=add)
        self.edits.committed(staged)
        return Decimal(str(staged["delta"]))

    async def said(self) -> Said:
        """(seller, kind, total) of the documents of what has happened since they were looked at; each line of the order
        is what all of them say of it."""
        before = {one["number"] for one in invoices(self.market, self.order, self.buyer)}
        await settle(self.context)
        await settle(self.context)
        assert misstated(self.market.sql, [self.order]) == []
        found = [one for one in invoices(self.market, self.order, self.buyer) if one["number"] not in before]
        return sorted((one["sellerId"], one["kind"], Decimal(str(one["total"]))) for one in found)

    def by(self, *expected: tuple[int, str, str]) -> Said:
        """(number of the seller, kind, total) as `said` says it."""
        return sorted((self.sellers[n].user_id, kind, Decimal(total)) for n, kind, total in expected)


@pytest.fixture(scope="module")
def sellers(market: Market, seller: Person) -> list[Person]:
    return [seller, market.person("seller"), market.person("seller")]


async def test_what_comes_is_billed_and_what_goes_is_credited(
    market: Market, sellers: list[Person], context: Context
) -> None:
    """10.00 of one seller are sent, 12.00 of the other go. Whether the difference is charged or refunded, a seller's
    documents are of their own units, and the fee is of those who sent for it."""
    order = Changing(market, sellers, context, (10.0, False), (12.0, False))
    # 4.99 are shared as 10.00 to 12.00.
    assert await order.said() == order.by((0, "invoice", "13.07"), (1, "invoice", "15.68"))
    # 9.72 and 32.40 come, 12.96 go, and nothing is due for sending any more: the 2.27 and 2.72 of it go too.
    assert order.change(("First 1",), (1, ("Cup", 9.0, False)), (0, ("Desk", 30.0, False))) == Decimal("24.17")
    assert await order.said() == order.by(
        *((0, "credit_note", "2.27"), (1, "credit_note", "15.68"), (0, "invoice", "32.40"), (1, "invoice", "9.72"))
    )
    # 32.40 go, 5.40 come, and 4.99 are due again: the rest is refunded.
    assert order.change(("Desk",), (1, ("Egg", 5.0, False))) == Decimal("-22.01")
    assert await order.said() == order.by((0, "credit_note", "32.40"), (1, "invoice", "10.39"))
    # An even exchange moves no money.
    assert order.change(("Egg",), (2, ("Fan", 5.0, False))) == Decimal(0)
    assert await order.said() == order.by((1, "credit_note", "5.40"), (2, "invoice", "5.40"))
    # What came and went before anybody could bill it is not billed, and neither is it later.
    assert order.change((), (2, ("Gnu", 7.0, False))) == Decimal("7.56")
    assert order.change(("Gnu",)) == Decimal("-7.56")
    assert await order.said() == []
    # Nor is what the buyer cancels without an edit.
    order.change((), (2, ("Gum", 7.0, False)))
    gum = next(one for one in order.edits.order(order.order)["items"] if one["title"] == "Gum")
    cancelled = market.post(order.buyer, f"{order.order}/items/{gum['orderItemId']}/cancel", {"quantity": 1})
    assert (cancelled.status_code, cancelled.json()["refundAmount"]) == (200, 7.56), cancelled.text
    assert await order.said() == []
    order.change((), (2, ("Hat", 3.0, False)), (2, ("Ink", 2.0, False)))
    order.change(("Hat",))
    assert await order.said() == order.by((2, "invoice", "2.16"))
    assert order.change(("Ink",)) == Decimal("-2.16")
    assert await order.said() == order.by((2, "credit_note", "2.16"))
    further = next(one for one in invoices(market, order.order, order.buyer) if one["total"] == 10.39)
    assert "Shipping" in said_by(market.client.get(further["pdf"], headers=order.buyer.headers).content)


async def test_a_fee_that_falls_with_lines_that_were_never_billed_is_credited(
    market: Market, sellers: list[Person], context: Context
) -> None:
    """What is left has Prime, so nothing is due for sending it: 12.96 and the fee go back, and the 7.56 of a line that
    came and went before anybody could bill it."""
    order = Changing(market, sellers, context, (10.0, True), (12.0, False))
    assert await order.said() == order.by((0, "invoice", "13.07"), (1, "invoice", "15.68"))
    assert order.change((), (2, ("Gnu", 7.0, False))) == Decimal("7.56")
    assert order.change(("Gnu", "First 1")) == Decimal("-25.51")
    assert await order.said() == order.by((0, "credit_note", "2.27"), (1, "credit_note", "15.68"))


async def test_a_fee_that_falls_by_more_than_what_comes_costs_no_document_of_what_comes(
    market: Market, sellers: list[Person], context: Context
) -> None:
    """3.60 come, with which the order is sent free of 4.99."""
    order = Changing(market, sellers, context, (10.0, False), (22.0, False))
    assert await order.said() == order.by((0, "invoice", "12.36"), (1, "invoice", "27.19"))
    assert order.change((), (2, ("Cup", 3.33, False))) == Decimal("-1.39")
    assert await order.said() == order.by(
        (0, "credit_note", "1.56"), (1, "credit_note", "3.43"), (2, "invoice", "3.60")
    )


async def test_a_refund_of_more_than_what_goes_has_the_fee_on_its_notes(
    market: Market, sellers: list[Person], context: Context
) -> None:
    """12.96 and the fee go, 3.24 with Prime come."""
    order = Changing(market, sellers, context, (10.0, True), (12.0, False))
    await order.said()
    assert order.change(("First 1",), (1, ("Cup", 3.0, True))) == Decimal("-14.71")
    assert await order.said() == order.by(
        (0, "credit_note", "2.27"), (1, "credit_note", "15.68"), (1, "invoice", "3.24")
    )
