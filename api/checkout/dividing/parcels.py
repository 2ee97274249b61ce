"""Which parcels an order to one address makes, and when each of them is expected and arrives."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from api.catalog.purchase import Purchase
from api.inventory.allocation import Allocation
from api.orders.parcels.packing import PlaceOf, ShippingPreference, is_online, latest_of


@dataclass(frozen=True, slots=True)
class Days:
    """Of a parcel. `expected_on`: when the warehouse has what is backordered, None where it has everything."""

    promised_on: date
    expected_on: date | None


def place_of(allocation: Allocation, seller_id: UUID) -> PlaceOf:
    """The parcel that it goes into."""
    return seller_id, allocation.warehouse_id, allocation.expected_on is not None, allocation.digital


def days_of(bought: Purchase, seller_of: Callable[[UUID], UUID], preference: ShippingPreference) -> dict[PlaceOf, Days]:
    """The days of each parcel; what a seller backorders in one warehouse waits for each other. `seller_of`: whose a
    variant is."""
    promised, expected = dict[PlaceOf, date](), dict[PlaceOf, date]()
    for one in bought.allocations:
        place, day = place_of(one, seller_of(one.variant_id)), bought.promised[one.leg]
        promised[place] = max(day, promised.get(place, day))
        if one.expected_on is not None:
            expected[place] = max(one.expected_on, expected.get(place, one.expected_on))
    if preference == "together":
        promised |= latest_of({place: day for place, day in promised.items() if not is_online(place)})
    return {place: Days(day, expected.get(place)) for place, day in promised.items()}
