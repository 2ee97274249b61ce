"""Which units of an order go where, and that no unit of stock is promised to two addresses."""

from decimal import Decimal
from uuid import UUID

import pytest

from api.catalog.purchase import Wanted
from api.checkout.dividing.destinations import Bound, bound, without
from api.checkout.errors import AddressUnknown, NotOrderable
from api.checkout.schemas import Destination, DestinationLine, SavedAddress
from api.delivery.addresses import Checked, check
from api.inventory.allocation import Allocation, StockLevel
from api.kernel.ids import new_id
from api.pricing.tax_table import STANDARD

PORTUGAL = {"street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}
HOME: Checked = check("", {"street": "1 High Street", "city": "Dublin", "country": "IE"})
BOOK = {new_id(): PORTUGAL}
PLACE = new_id()


def wanted(units: int, *, there: int = 9) -> Wanted:
    variant = new_id()
    level = StockLevel(variant, PLACE, "US", there)
    return Wanted(variant, units, Decimal("5.00"), STANDARD, 100, prime=False, levels=[level], origins={})


def to(*lines: tuple[Wanted, int], book: UUID | None = None) -> Destination:
    named = book or next(iter(BOOK))
    return Destination(
        shipping_address=SavedAddress(address_id=named),
        lines=[DestinationLine(variant_id=one.variant_id, quantity=units) for one, units in lines],
    )


def units_of(*going: Bound) -> list[tuple[int, list[tuple[UUID, int]]]]:
    return [(one.number, [(each.variant_id, each.units) for each in one.wanted]) for one in going]


def test_what_no_destination_names_goes_to_the_orders_own_address() -> None:
    cup, pen = wanted(5), wanted(2)

    going = bound(HOME, [cup, pen], [to((cup, 1), (cup, 1)), to((cup, 2), (pen, 2))], BOOK)

    assert units_of(*going) == [
        (0, [(cup.variant_id, 1)]),
        (1, [(cup.variant_id, 2)]),
        (2, [(cup.variant_id, 2), (pen.variant_id, 2)]),
    ]
    assert [one.address.country for one in going] == ["IE", "PT", "PT"]


@pytest.mark.parametrize(
    ("counts", "pointers"),
    [
        ([(4,), (2,)], ["/destinations/1/lines/0/quantity"]),
        ([(6,)], ["/destinations/0/lines/0/quantity"]),
        ([(2, 3)], ["/shippingAddress"]),
    ],
)
def test_more_than_there_is_and_nothing_at_home_is_refused(counts: list[tuple[int, ...]], pointers: list[str]) -> None:
    cup = wanted(5)

    with pytest.raises(NotOrderable) as refused:
        bound(HOME, [cup], [to(*((cup, units) for units in lines)) for lines in counts], BOOK)

    assert [error.pointer for error in refused.value.errors or []] == pointers


def test_what_is_not_in_the_order_or_the_address_book_is_refused() -> None:
    cup = wanted(5)

    with pytest.raises(NotOrderable) as refused:
        bound(HOME, [cup], [to((cup, 1), (wanted(1), 1))], BOOK)
    assert [error.pointer for error in refused.value.errors or []] == ["/destinations/0/lines/1/variantId"]
    with pytest.raises(AddressUnknown) as unknown:
        bound(HOME, [cup], [to((cup, 1), book=new_id())], BOOK)
    assert [error.pointer for error in unknown.value.errors or []] == ["/destinations/0/shippingAddress/addressId"]


def test_a_unit_that_one_address_gets_is_not_there_for_the_next() -> None:
    cup, pen = wanted(5), wanted(2)
    taken = [Allocation(cup.variant_id, PLACE, 3), Allocation(cup.variant_id, PLACE, 1)]

    left = without([cup, pen], taken)

    assert [level.available for one in left for level in one.levels] == [5, 9]
    assert left == [cup._replace(levels=left[0].levels), pen]
