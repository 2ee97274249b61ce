"""A parcel that is split: the pieces of a line add up to it, and a line that lost units moves whole or stays."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from api.kernel.ids import new_id
from api.kernel.money import ZERO
from api.orders.errors import NotInParcel
from api.orders.models import OrderItem
from api.orders.parcels.changes.chosen import units_of
from api.orders.parcels.changes.splitting import _SHARED, Piece, pieces_of
from api.orders.parcels.schemas import ParcelLine
from api.orders.returns.returnable import OrderAmounts, OrderLine, refund_of


def line(quantity: int, price: str = "10.00", *, discount: str = "0.00", tax: str = "0.00") -> OrderLine:
    return OrderLine(
        order_item_id=new_id(),
        product_id=new_id(),
        variant_id=new_id(),
        seller_id=new_id(),
        warehouse_id=None,
        quantity=quantity,
        subtotal=Decimal(price) * quantity,
        discount=Decimal(discount),
        tax_amount=Decimal(tax),
        tax_included=False,
        returned=0,
        returned_outbound=0,
        goods_given=ZERO,
        tax_given=ZERO,
        shipping_given=ZERO,
        shipping_tax_given=ZERO,
        status="confirmed",
        parcel_id=None,
        adjusted=False,
        return_days=None,
        digital=False,
    )


def order(*lines: OrderLine) -> dict[UUID, OrderLine]:
    return {one.order_item_id: one for one in lines}


def cut(one: OrderLine, piece: Piece) -> tuple[OrderLine, OrderLine]:
    """What `splitting` makes of a line, as its statements write it."""
    price = one.subtotal / one.quantity
    left = one.quantity - piece.quantity
    stays = replace(
        one,
        quantity=left,
        subtotal=price * left,
        discount=one.discount - piece.discount,
        tax_amount=one.tax_amount - piece.tax_amount,
    )
    moves = replace(
        one,
        order_item_id=piece.line_id,
        quantity=piece.quantity,
        subtotal=price * piece.quantity,
        discount=piece.discount,
        tax_amount=piece.tax_amount,
    )
    return stays, moves


def test_the_pieces_of_a_line_share_its_discount_and_tax_to_the_cent() -> None:
    cup = line(3, "3.33", discount="1.00", tax="0.81")

    for units, discount, tax in ((1, "0.33", "0.27"), (2, "0.67", "0.54")):
        (piece,) = pieces_of({cup.order_item_id: units}, order(cup))
        assert (piece.quantity, piece.discount, piece.tax_amount) == (units, Decimal(discount), Decimal(tax))
        stays, moves = cut(cup, piece)
        assert (stays.goods + moves.goods, stays.tax_amount + moves.tax_amount) == (cup.goods, cup.tax_amount)


def test_a_line_that_moves_whole_stays_the_line_that_it_is() -> None:
    cup, saucer = line(3), line(2)

    (piece,) = pieces_of({cup.order_item_id: 3}, order(cup, saucer))

    assert (piece.new_id, piece.line_id) == (None, cup.order_item_id)


def test_a_new_line_lies_right_after_the_old_one_so_that_no_share_of_the_shipping_fee_moves() -> None:
    lines = order(line(3, "3.33"), line(7, "0.99"), line(2, "19.95"))
    amounts = OrderAmounts(total=Decimal("61.81"), tax=ZERO, tax_included=ZERO, shipping_fee=Decimal("4.99"))
    first, second, third = lines
    before = refund_of(amounts, lines, third, 2, outbound=True)

    split = dict(lines)
    for item_id, units in ((first, 1), (second, 3), (first, 1), (second, 1)):
        (piece,) = pieces_of({item_id: units}, split)
        stays, moves = cut(split[item_id], piece)
        split |= {stays.order_item_id: stays, moves.order_item_id: moves}
    pieces = [refund_of(amounts, split, item_id, split[item_id].quantity, outbound=True) for item_id in split]

    assert len(split) == 7
    assert min(split) == first
    assert refund_of(amounts, split, third, 2, outbound=True) == before
    assert sum((one.parts.shipping for one in pieces), ZERO) == Decimal("4.99")


def test_a_line_of_which_units_were_cancelled_moves_whole_or_stays() -> None:
    cup = replace(line(5), returned=2)

    (piece,) = pieces_of({cup.order_item_id: 3}, order(cup))
    assert (piece.new_id, piece.quantity) == (None, 5)
    with pytest.raises(NotInParcel) as refused:
        pieces_of({cup.order_item_id: 2}, order(cup))
    (error,) = refused.value.errors or []
    assert (error.pointer, "all 3 that are left" in error.message) == ("/lines/0/quantity", True)


def test_a_seller_names_lines_of_the_parcel_and_units_that_are_to_be_sent() -> None:
    cup, saucer = line(3), replace(line(2), returned=2)
    inside = order(cup, saucer)

    assert units_of(None, inside) == {cup.order_item_id: 3}
    assert units_of([ParcelLine(order_item_id=cup.order_item_id, quantity=2)], inside) == {cup.order_item_id: 2}
    with pytest.raises(NotInParcel) as refused:
        units_of(
            [
                ParcelLine(order_item_id=new_id(), quantity=1),
                ParcelLine(order_item_id=cup.order_item_id, quantity=4),
                ParcelLine(order_item_id=saucer.order_item_id, quantity=1),
            ],
            inside,
        )
    assert [error.pointer for error in refused.value.errors or []] == [
        *("/lines/0/orderItemId", "/lines/1/quantity", "/lines/2/quantity")
    ]


def test_every_column_of_a_line_is_copied_or_shared() -> None:
    """A new column of a line's amounts must be shared out, too: otherwise a split would make money."""
    money = {column.key for column in OrderItem.__table__.columns if str(column.type) == "NUMERIC(12, 2)"}

    assert money - {"price_at_purchase", "list_price"} == {"subtotal", "discount", "tax_amount"}
    assert set(_SHARED) == {"order_item_id", "parcel_id", "quantity", "subtotal", "discount", "tax_amount"}
