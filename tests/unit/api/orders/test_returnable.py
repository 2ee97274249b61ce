"""What may be returned and what it is worth: shares add up to the cent, and too much is refused by name."""

from decimal import Decimal
from itertools import combinations
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.money import ZERO
from api.orders.errors import NotReturnable
from api.orders.returnable import OrderLine, comes_back_whole, refund_share, units_to_return
from api.orders.schemas import ReturnLine

CENTS = st.integers(1, 1_000_000).map(lambda cents: Decimal(cents) / 100)


def line(quantity: int, price: str = "10.00", returned: int = 0) -> OrderLine:
    return OrderLine(uuid4(), uuid4(), uuid4(), uuid4(), None, quantity, Decimal(price) * quantity, returned)


def order(*lines: OrderLine) -> dict[UUID, OrderLine]:
    return {line.order_item_id: line for line in lines}


def after(bought: OrderLine, returned: int) -> OrderLine:
    return OrderLine(
        bought.order_item_id,
        bought.product_id,
        bought.variant_id,
        bought.seller_id,
        bought.warehouse_id,
        bought.quantity,
        bought.subtotal,
        returned,
    )


def test_a_whole_line_is_worth_its_share_of_tax_and_shipping() -> None:
    book, lamp = line(1, "10.00"), line(1, "30.00")
    lines = order(book, lamp)

    assert refund_share(Decimal("50.00"), lines, book.order_item_id, 1) == Decimal("12.50")
    assert refund_share(Decimal("50.00"), lines, lamp.order_item_id, 1) == Decimal("37.50")


def test_units_returned_one_by_one_are_worth_what_they_are_worth_together() -> None:
    total = Decimal("107.99")
    bought = line(3, "33.33")

    single = [refund_share(total, order(after(bought, n)), bought.order_item_id, 1) for n in range(3)]

    assert single == [Decimal("36.00"), Decimal("36.00"), Decimal("35.99")]
    assert refund_share(total, order(bought), bought.order_item_id, 3) == total
    assert refund_share(total, order(after(bought, 1)), bought.order_item_id, 2) == total - single[0]


@given(total=CENTS, lines=st.lists(st.tuples(st.integers(1, 9), CENTS), min_size=1, max_size=6), data=st.data())
def test_any_way_of_returning_everything_gives_back_exactly_the_total(
    total: Decimal, lines: list[tuple[int, Decimal]], data: st.DataObject
) -> None:
    bought = [line(quantity, str(price)) for quantity, price in lines]
    left = {item.order_item_id: item for item in bought}
    given_back = ZERO
    while open_lines := [item for item in left.values() if item.returnable]:
        item = data.draw(st.sampled_from(open_lines))
        units = data.draw(st.integers(1, item.returnable))
        share = refund_share(total, left, item.order_item_id, units)
        assert share >= 0
        assert share == share.quantize(ZERO)
        given_back += share
        left[item.order_item_id] = after(item, item.returned + units)

    assert given_back == total


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
