"""Refunds without a return: each is at most what is left, and with the returns they add up to what was paid."""

import random
from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from api.kernel.money import ZERO
from api.orders.adjustments.amounts import adjustments
from api.orders.adjustments.schemas import RefundedLine, RefundOrder
from api.orders.errors import NotInParcel, NotReturnable, RefundTooHigh
from api.orders.parcels.changes.splitting import pieces_of
from api.orders.returns.returnable import LineRefund, OrderAmounts, OrderLine, refund_of, shipping_left, whole_order
from api.payments.parts import Parts
from tests.unit.api.orders.test_returnable import after, amounts_of, line, order, random_lines


def item(one: OrderLine, amount: str = "0.00", shipping: str = "0.00", quantity: int | None = None) -> RefundedLine:
    return RefundedLine(
        order_item_id=one.order_item_id,
        amount=Decimal(amount),
        shipping_amount=Decimal(shipping),
        quantity=quantity,
    )


def adjusted(one: LineRefund) -> OrderLine:
    """The line once the adjustment is booked."""
    booked = after(one.line, one.quantity, one.refund, outbound=True)
    return booked if one.quantity else replace(booked, adjusted=True)


def test_an_amount_is_goods_and_tax_in_their_proportion_and_shipping_is_apart() -> None:
    bought = line(2, "10.00", tax_amount=Decimal("1.60"))
    amounts = amounts_of([bought], Decimal("4.99"), Decimal("0.40"))

    (one,) = adjustments(amounts, order(bought), [bought.order_item_id], [item(bought, "5.40", "1.00")])

    assert (one.refund.parts, one.refund.shipping_tax) == (
        Parts(Decimal("5.00"), Decimal("0.47"), Decimal("0.93")),
        Decimal("0.07"),
    )


def test_what_was_given_before_is_missing_from_every_unit_alike() -> None:
    bought = line(3, "10.00")
    amounts = amounts_of([bought])
    returned = after(
        bought, 1, refund_of(amounts, order(bought), bought.order_item_id, 1, outbound=False), outbound=False
    )
    (one,) = adjustments(amounts, order(returned), [bought.order_item_id], [item(bought, "6.00")])

    assert refund_of(amounts, order(adjusted(one)), bought.order_item_id, 1, outbound=False).parts.goods == Decimal(
        "7.00"
    )


@pytest.mark.parametrize("seed", range(200))
def test_adjustments_and_returns_in_any_order_are_exactly_what_was_paid(seed: int) -> None:
    rng = random.Random(seed)
    left, fee_tax = random_lines(rng), Decimal(rng.randint(0, 200)) / 100
    amounts = amounts_of(left.values(), fee_tax + Decimal(rng.randint(0, 2_000)) / 100, fee_tax, included=False)
    paid, given = whole_order(amounts, left.values()), Parts()
    while open_lines := [one for one in left.values() if one.returnable]:
        chosen = rng.choice(open_lines)
        item_id = chosen.order_item_id
        if rng.random() < 0.5:
            most, sending = chosen.left.amount, shipping_left(amounts, left, item_id).amount
            asked = item(chosen, str(_part(rng, most)), str(_part(rng, sending)))
        else:
            asked = item(chosen, quantity=rng.randint(1, chosen.returnable))
        (one,) = adjustments(amounts, left, left.keys(), [asked])
        assert min(one.refund.parts.goods, one.refund.parts.tax, one.refund.parts.shipping) >= 0
        given += one.refund.parts
        left[item_id] = adjusted(one)
        assert min(left[item_id].left.goods, left[item_id].left.tax) >= 0

    assert (given.goods, given.amount) == (paid.goods, paid.amount)
    assert given == paid


def _part(rng: random.Random, most: Decimal) -> Decimal:
    return Decimal(rng.randint(0, int(most * 100))) / 100


def test_more_than_is_left_names_what_is_left() -> None:
    bought = line(1, "10.00", tax_amount=Decimal("0.80"), goods_given=Decimal("4.00"), tax_given=Decimal("0.32"))
    amounts = amounts_of([bought], Decimal("4.99"))

    with pytest.raises(RefundTooHigh) as refused:
        adjustments(amounts, order(bought), [bought.order_item_id], [item(bought, "6.49", "5.00")])

    assert [(error.pointer, error.message) for error in refused.value.errors or ()] == [
        ("/items/0/amount", "6.48 is left"),
        ("/items/0/shippingAmount", "4.99 is left"),
    ]
    assert refused.value.extra == {
        "refundable": [{"orderItemId": str(bought.order_item_id), "amount": 6.48, "shippingAmount": 4.99}]
    }
    assert adjustments(amounts, order(bought), [bought.order_item_id], [item(bought, "6.48", "4.99")])


def test_every_wrong_line_is_named() -> None:
    bought, packed, gone = line(2), line(1, status="processing"), line(1, returned=1)
    lines = order(bought, packed, gone)
    asked = [
        item(bought, "1.00"),
        item(bought, "1.00"),
        replace_id(item(bought, "1.00")),
        item(packed, quantity=1),
        item(gone, quantity=1),
    ]

    with pytest.raises(NotReturnable) as refused:
        adjustments(amounts_of(lines.values()), lines, lines.keys(), asked)

    assert [(error.pointer, error.message) for error in refused.value.errors or ()] == [
        ("/items/1/orderItemId", "named twice"),
        ("/items/2/orderItemId", "not a line of this order that you may refund"),
        ("/items/3/quantity", "a line that is processing cannot be lost; cancel units that are not sent"),
        ("/items/4/quantity", "0 of this line can still be lost"),
    ]


def replace_id(one: RefundedLine) -> RefundedLine:
    return one.model_copy(update={"order_item_id": uuid4()})


def test_a_line_of_another_seller_is_not_there() -> None:
    mine, theirs = line(1), line(1)
    lines = order(mine, theirs)

    with pytest.raises(NotReturnable):
        adjustments(amounts_of(lines.values()), lines, [mine.order_item_id], [item(theirs, "1.00")])


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("goodwill", {"quantity": 1}),
        ("goodwill", {}),
        ("price_adjustment", {"amount": 1, "quantity": 1}),
        ("lost_parcel", {"amount": 1}),
        ("lost_parcel", {"quantity": 1, "shippingAmount": 1}),
    ],
)
def test_units_are_for_what_was_lost_and_amounts_for_the_rest(code: str, fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RefundOrder.model_validate({"reasonCode": code, "items": [{"orderItemId": str(UUID(int=1)), **fields}]})


def test_a_return_that_ignores_the_refunds_before_it_would_pay_too_much() -> None:
    """Negative control: returns that do not know what was given without one."""
    bought = line(1, "10.00")
    amounts = OrderAmounts(Decimal("10.00"), ZERO, ZERO, ZERO)
    (one,) = adjustments(amounts, order(bought), [bought.order_item_id], [item(bought, "4.00")])

    blind = refund_of(amounts, order(bought), bought.order_item_id, 1, outbound=True).parts.amount

    assert blind + one.refund.parts.amount > amounts.total
    assert refund_of(amounts, order(adjusted(one)), bought.order_item_id, 1, outbound=True).parts.amount == Decimal(
        "6.00"
    )


def test_a_line_for_which_money_went_back_moves_whole_to_another_parcel() -> None:
    """Split in two, one of them would have given back more than was paid for it."""
    bought = line(2, "10.00", status="confirmed")
    (one,) = adjustments(amounts_of([bought]), order(bought), [bought.order_item_id], [item(bought, "15.00")])
    lines = order(adjusted(one))

    with pytest.raises(NotInParcel) as refused:
        pieces_of({bought.order_item_id: 1}, lines)

    assert refused.value.errors is not None
    assert refused.value.errors[0].message == "money went back for this line: move all 2, or none"
    assert [piece.quantity for piece in pieces_of({bought.order_item_id: 2}, lines)] == [2]
