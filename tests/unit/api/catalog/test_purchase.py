"""A purchase costs and promises the same whether or not somebody asks why these warehouses send it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.catalog.purchase import Occasion, Wanted, forced, offered_to_members, purchase
from api.delivery.places import Place
from api.delivery.promises import SPEEDS, Origin, Speed
from api.inventory.allocation import NotEnough, StockLevel
from api.inventory.backorders.room import Room
from tests.unit.api.pricing.terms import US

PLACES = [UUID(int=n) for n in range(1, 5)]
ORIGINS = {
    warehouse: Origin("US", 47.6 - 3 * n, -122.3 + 11 * n, n != 2, 840, "America/Chicago")
    for n, warehouse in enumerate(PLACES)
}
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
ROOM = Room(3, ((1, date(2026, 12, 9)), (3, date(2026, 12, 20))))
STOCK = st.dictionaries(
    st.sampled_from(PLACES), st.tuples(st.integers(1, 9), st.sampled_from([None, None, ROOM])), min_size=1, max_size=2
)


@st.composite
def carts(draw: st.DrawFn) -> list[Wanted]:
    """Of up to four variants, most of them in one warehouse, and some delivered online."""
    kinds = st.sampled_from([False, False, True])
    lines = draw(st.lists(st.tuples(STOCK, st.integers(1, 6), st.booleans(), kinds), max_size=4))
    return [
        Wanted(
            variant_id=(variant := UUID(int=100 + n)),
            units=units,
            price=Decimal("9.99"),
            tax_class="standard",
            grams=500,
            prime=prime,
            levels=[StockLevel(variant, warehouse, "US", *there) for warehouse, there in stock.items()],
            origins=ORIGINS,
            digital=digital,
        )
        for n, (stock, units, prime, digital) in enumerate(lines)
    ]


@given(carts(), st.sampled_from(SPEEDS), st.booleans())
def test_a_cart_is_what_its_order_will_be(wanted: list[Wanted], speed: Speed, member: bool) -> None:
    occasion = Occasion(Place("US", "IL"), NOON, member, US)
    try:
        order = purchase(wanted, occasion, speed)
    except NotEnough:
        assert any(sum(level.buyable for level in one.levels) < one.units for one in wanted)
        return

    cart = purchase(wanted, occasion, speed, explained=False)

    to_members = purchase(wanted, replace(occasion, member=True), speed)
    assert offered_to_members(cart, occasion) == [option.promise for option in to_members.options]
    assert sorted(map(repr, cart.allocations)) == sorted(map(repr, order.allocations))
    sent = [one for one in wanted if not one.digital]
    assert cart.promised == ({} if forced(sent) is not None else order.promised)
    assert replace(cart, allocations=[], choice=None, promised=order.promised) == replace(
        order, allocations=[], choice=None
    )


@given(carts())
def test_nothing_is_forced_where_there_is_a_choice_or_too_little(wanted: list[Wanted]) -> None:
    alone = all(len(one.levels) == 1 and one.levels[0].available >= one.units for one in wanted)

    assert (forced(wanted) is not None) is alone


@given(carts(), st.sampled_from(SPEEDS), st.booleans())
def test_what_is_delivered_online_changes_nothing_of_what_is_sent(
    wanted: list[Wanted], speed: Speed, member: bool
) -> None:
    occasion = Occasion(Place("US", "IL"), NOON, member, US)
    sent = [one for one in wanted if not one.digital]
    try:
        both, alone = purchase(wanted, occasion, speed), purchase(sent, occasion, speed)
    except NotEnough:
        return

    assert both.totals.shipping == alone.totals.shipping
    assert [one for one in both.allocations if not one.digital] == alone.allocations
    assert {leg: day for leg, day in both.promised.items() if not leg[2]} == alone.promised
    if sent:
        assert (both.options, both.chosen, both.choice) == (alone.options, alone.chosen, alone.choice)
    elif wanted:
        assert both.chosen is not None
        assert (both.options, both.chosen.promise.first, both.chosen.fee.amount) == ([], NOON.date(), Decimal(0))
    assert both.totals.subtotal == sum(one.price * one.units for one in wanted)
