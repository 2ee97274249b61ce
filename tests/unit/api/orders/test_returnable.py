"""What may be returned and what it is worth: parts add up to the cent, and too much is refused by name."""

import random
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.kernel.money import ZERO
from api.orders.errors import NotReturnable
from api.orders.returns.returnable import (
    LineRefund,
    OrderAmounts,
    OrderLine,
    RefundOf,
    comes_back_whole,
    not_given_back,
    nothing_sent_without,
    refund_of,
    sending_share,
    units_to_return,
    with_unspent_sending,
)
from api.orders.schemas import ReturnLine
from api.payments.parts import Parts


def line(quantity: int, price: str = "10.00", returned: int = 0, **parts: Any) -> OrderLine:
    """A line without tax or discount, unless they are given."""
    made = {
        "discount": ZERO,
        "tax_amount": ZERO,
        "tax_included": False,
        "returned_outbound": returned,
        "status": "delivered",
        "parcel_id": None,
        "adjusted": False,
        "return_days": None,
        "digital": False,
        **dict.fromkeys(("goods_given", "tax_given", "shipping_given", "shipping_tax_given"), ZERO),
        **parts,
    }
    ids = (uuid4(), uuid4(), uuid4(), uuid4(), None)
    return OrderLine(*ids, quantity=quantity, subtotal=Decimal(price) * quantity, returned=returned, **made)


def order(*lines: OrderLine) -> dict[UUID, OrderLine]:
    return {line.order_item_id: line for line in lines}


def amounts_of(
    lines: Iterable[OrderLine], fee: Decimal = ZERO, fee_tax: Decimal = ZERO, included: bool = False
) -> OrderAmounts:
    """The order's amounts; `included`: the fee contains its tax."""
    lines = list(lines)
    tax = sum((one.tax_amount for one in lines), fee_tax)
    inside = sum((one.tax_amount for one in lines if one.tax_included), fee_tax if included else ZERO)
    shown = sum((one.subtotal - one.discount for one in lines), ZERO)
    return OrderAmounts(shown + tax - inside + fee, tax, inside, fee)


def after(bought: OrderLine, units: int, refund: RefundOf, *, outbound: bool) -> OrderLine:
    """The line once `units` more are on their way back for `refund`."""
    return replace(
        bought,
        returned=bought.returned + units,
        returned_outbound=bought.returned_outbound + (units if outbound else 0),
        goods_given=bought.goods_given + refund.parts.goods,
        tax_given=bought.tax_given + refund.parts.tax - refund.shipping_tax,
        shipping_given=bought.shipping_given + refund.parts.shipping,
        shipping_tax_given=bought.shipping_tax_given + refund.shipping_tax,
    )


def cents(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


def test_a_line_gives_back_its_goods_its_tax_and_its_share_of_the_shipping_fee() -> None:
    book, lamp = line(1, "10.00", tax_amount=Decimal("0.80")), line(1, "30.00", tax_amount=Decimal("2.40"))
    lines, amounts = order(book, lamp), OrderAmounts(Decimal("48.19"), Decimal("3.20"), ZERO, Decimal("4.99"))

    back = {
        one.order_item_id: refund_of(amounts, lines, one.order_item_id, 1, outbound=True).parts for one in (book, lamp)
    }

    assert sorted(parts.shipping for parts in back.values()) in (cents("1.25", "3.74"), cents("1.24", "3.75"))
    assert (back[book.order_item_id].goods, back[book.order_item_id].tax) == (Decimal("10.00"), Decimal("0.80"))
    assert (back[lamp.order_item_id].goods, back[lamp.order_item_id].tax) == (Decimal("30.00"), Decimal("2.40"))
    assert sum(parts.amount for parts in back.values()) == amounts.total


def test_without_outbound_shipping_goods_and_their_tax_come_back_alone() -> None:
    book = line(1, "10.00", tax_amount=Decimal("2.10"))
    amounts = OrderAmounts(Decimal("18.10"), Decimal("3.14"), ZERO, Decimal("4.96"))

    assert refund_of(amounts, order(book), book.order_item_id, 1, outbound=False) == RefundOf(
        Parts(Decimal("10.00"), Decimal("2.10"), ZERO), ZERO
    )
    assert refund_of(amounts, order(book), book.order_item_id, 1, outbound=True) == RefundOf(
        Parts(Decimal("10.00"), Decimal("3.14"), Decimal("4.96")), Decimal("1.04")
    )


def test_of_a_price_that_contains_its_tax_the_goods_are_the_rest() -> None:
    book = line(1, "12.10", tax_amount=Decimal("2.10"), tax_included=True, discount=Decimal("1.00"))

    assert refund_of(amounts_of([book]), order(book), book.order_item_id, 1, outbound=True) == RefundOf(
        Parts(Decimal("9.00"), Decimal("2.10"), ZERO), ZERO
    )


def test_units_returned_one_by_one_are_worth_what_they_are_worth_together() -> None:
    bought = line(3, "33.33", tax_amount=Decimal("8.00"))
    amounts = amounts_of([bought], Decimal("4.99"))
    one_by_one, left = [], bought
    for _ in range(3):
        refund = refund_of(amounts, order(left), left.order_item_id, 1, outbound=True)
        one_by_one.append(refund.parts)
        left = after(left, 1, refund, outbound=True)

    assert [parts.goods for parts in one_by_one] == cents("33.33", "33.33", "33.33")
    assert [parts.tax for parts in one_by_one] == cents("2.67", "2.66", "2.67")
    assert [parts.shipping for parts in one_by_one] == cents("1.66", "1.67", "1.66")
    assert refund_of(amounts, order(bought), bought.order_item_id, 3, outbound=True).parts == Parts(
        Decimal("99.99"), Decimal("8.00"), Decimal("4.99")
    )


def random_lines(rng: random.Random) -> dict[UUID, OrderLine]:
    lines = []
    for number in range(rng.randint(1, 6)):
        quantity, price = rng.randint(1, 9), Decimal(rng.randint(1, 50_000)) / 100
        tax = min(Decimal(rng.randint(0, 9_999)) / 100, price * quantity)
        bought = line(quantity, str(price), tax_amount=tax, tax_included=rng.random() < 0.5)
        lines.append(replace(bought, order_item_id=UUID(int=number + 1)))
    return order(*lines)


@pytest.mark.parametrize("seed", range(200))
def test_any_way_of_returning_everything_gives_back_exactly_what_was_paid(seed: int) -> None:
    """In parts, with and without the shipping fee, and with returns that are refused and asked for again."""
    rng = random.Random(seed)
    left, fee_tax = random_lines(rng), Decimal(rng.randint(0, 200)) / 100
    fee = fee_tax + Decimal(rng.randint(0, 2_000)) / 100
    amounts = amounts_of(left.values(), fee, fee_tax, included=rng.random() < 0.5)
    paid, given_back, kept = not_given_back(amounts, list(left.values())), Parts(), False
    while open_lines := [item for item in left.values() if item.returnable]:
        item = rng.choice(open_lines)
        units, outbound = rng.randint(1, item.returnable), rng.random() < 0.9
        refund = refund_of(amounts, left, item.order_item_id, units, outbound=outbound)
        assert min(refund.parts.goods, refund.parts.tax, refund.parts.shipping) >= 0
        if rng.random() < 0.2:  # refused
            continue
        kept = kept or not outbound
        given_back += refund.parts
        left[item.order_item_id] = after(item, units, refund, outbound=outbound)
        assert not_given_back(amounts, list(left.values())) == paid - given_back

    assert given_back.goods == paid.goods
    assert given_back.amount <= paid.amount == amounts.total
    if not kept:
        assert given_back == paid


def test_the_tax_of_a_return_without_its_own_part_is_seen() -> None:
    """Negative control: a refund that takes everything for goods, as it was before refunds had parts."""
    bought = line(1, "10.00", tax_amount=Decimal("0.80"))
    refund = refund_of(amounts_of([bought], Decimal("4.99")), order(bought), bought.order_item_id, 1, outbound=True)

    assert refund.parts.amount - refund.parts.goods == Decimal("5.79")


def test_two_entries_for_one_line_count_together() -> None:
    bought = line(3)
    entries = [ReturnLine(order_item_id=bought.order_item_id, quantity=n) for n in (1, 2)]

    assert units_to_return(entries, order(bought)) == {bought.order_item_id: 3}


def test_every_wrong_entry_is_named_with_what_is_left() -> None:
    bought, gone = line(3, returned=1), line(1, returned=1)
    entries = [
        ReturnLine(order_item_id=bought.order_item_id, quantity=2),
        ReturnLine(order_item_id=bought.order_item_id, quantity=1),
        ReturnLine(order_item_id=uuid4(), quantity=1),
        ReturnLine(order_item_id=gone.order_item_id, quantity=1),
    ]

    with pytest.raises(NotReturnable) as refused:
        units_to_return(entries, order(bought, gone))

    assert [(error.pointer, error.message) for error in refused.value.errors or ()] == [
        ("/items/1/quantity", "2 of this line can still be returned"),
        ("/items/2/orderItemId", "not a line of this order"),
        ("/items/3/quantity", "0 of this line can still be returned"),
    ]


def test_the_whole_order_comes_back_only_with_its_last_unit() -> None:
    lines = order(line(2, returned=1), line(1))
    last = dict.fromkeys(lines, 1)

    assert comes_back_whole(lines, last)
    for fewer in combinations(last, 1):
        assert not comes_back_whole(lines, dict.fromkeys(fewer, 1))


def test_what_is_delivered_online_has_no_part_in_the_cost_of_sending() -> None:
    sent, online = line(1, "10.00"), line(1, "30.00", digital=True)
    amounts, lines = amounts_of([sent, online], Decimal("4.99")), order(sent, online)

    given = {
        one: refund_of(amounts, lines, one, 1, outbound=True).parts.shipping
        for one in (sent.order_item_id, online.order_item_id)
    }

    assert given == {sent.order_item_id: Decimal("4.99"), online.order_item_id: ZERO}


def mixed(rng: random.Random) -> dict[UUID, OrderLine]:
    """Lines that are sent, and one that is delivered online and stays."""
    lines = {item: replace(bought, status="confirmed") for item, bought in random_lines(rng).items()}
    online = replace(line(2, "20.00", digital=True), order_item_id=UUID(int=99))
    return {**lines, online.order_item_id: online}


def cancelled(
    amounts: OrderAmounts, lines: dict[UUID, OrderLine], units: dict[UUID, int], *, by_seller: bool
) -> dict[UUID, OrderLine]:
    """The lines after units of them are cancelled, by their buyer or by their seller, as the commands book it."""
    off = [
        LineRefund(lines[item], many, refund_of(amounts, lines, item, many, outbound=by_seller))
        for item, many in units.items()
    ]
    outbound = by_seller or nothing_sent_without(lines, units)
    whole, others = with_unspent_sending(amounts, lines, off)
    assert [one.line for one in whole] == [one.line for one in off]
    assert not others or nothing_sent_without(lines, units)
    left = dict(lines)
    for one in (*whole, *others):
        parts = one.refund.parts
        assert min(parts.goods, parts.tax, parts.shipping, one.refund.shipping_tax) >= 0
        gone = left[one.line.order_item_id]
        left[gone.order_item_id] = after(gone, one.quantity, one.refund, outbound=outbound)
    return left


@pytest.mark.parametrize("seed", range(200))
def test_any_way_of_cancelling_all_that_is_sent_gives_back_all_that_sending_cost(seed: int) -> None:
    """Unit by unit, line by line or several at once, by buyer and sellers in any order: each line its own share."""
    rng = random.Random(seed)
    lines, fee_tax = mixed(rng), Decimal(rng.randint(0, 200)) / 100
    fee = fee_tax + Decimal(rng.randint(0, 2_000)) / 100
    amounts = amounts_of(lines.values(), fee, fee_tax, included=rng.random() < 0.5)
    bought, left = dict(lines), lines
    while open_lines := [one for one in left.values() if one.returnable and not one.digital]:
        chosen = rng.sample(open_lines, rng.randint(1, len(open_lines)))
        units = {one.order_item_id: rng.choice([one.returnable, rng.randint(1, one.returnable)]) for one in chosen}
        left = cancelled(amounts, left, units, by_seller=rng.random() < 0.5)

    for item, one in left.items():
        goods_of = (bought[item].goods, bought[item].tax_amount) if not one.digital else (ZERO, ZERO)
        assert (one.goods_given, one.tax_given) == goods_of
        assert (one.shipping_given, one.shipping_tax_given) == sending_share(amounts, bought, one)
    online = bought[UUID(int=99)]
    assert not_given_back(amounts, list(left.values())) == Parts(online.goods, online.tax_amount)


def test_as_long_as_something_is_sent_the_cost_of_sending_stays() -> None:
    first, last = (line(2, status="confirmed") for _ in range(2))
    online = line(1, status="confirmed", digital=True)
    amounts, lines = amounts_of([first, last, online], Decimal("4.99")), order(first, last, online)

    some = cancelled(amounts, lines, {first.order_item_id: 2, online.order_item_id: 1}, by_seller=False)
    assert {one.shipping_given for one in some.values()} == {ZERO}
    # A parcel that left has cost what its lines paid for it.
    gone = {**some, first.order_item_id: replace(some[first.order_item_id], status="shipped")}
    after_last = cancelled(amounts, gone, {last.order_item_id: 2}, by_seller=False)
    shares = {item: sending_share(amounts, lines, lines[item])[0] for item in lines}
    assert after_last[first.order_item_id].shipping_given == ZERO
    assert after_last[last.order_item_id].shipping_given == shares[last.order_item_id] > 0


def test_a_line_whose_share_an_edit_made_smaller_takes_of_no_other() -> None:
    """The order of a fee of 4.99 got a line after half of it went back: all of them give 4.99 together."""
    first = line(1, status="cancelled", returned=1, shipping_given=Decimal("4.00"))
    added = line(1, status="confirmed")
    amounts, lines = amounts_of([first, added], Decimal("4.99")), order(first, added)

    left = cancelled(amounts, lines, {added.order_item_id: 1}, by_seller=False)

    assert sum(one.shipping_given for one in left.values()) == Decimal("4.99")
