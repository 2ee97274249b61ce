"""Which lines of an order travel together, and which parcels wait for each other: pure rules."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Literal, TypeVar
from uuid import UUID

ShippingPreference = Literal["together", "as_ready"]
Place = TypeVar("Place", bound=Hashable)
# A parcel of an order to one address: its seller, its warehouse, whether it is backordered, and whether it is delivered
# online.
PlaceOf = tuple[UUID, UUID, bool, bool]
# A parcel by its seller and what else tells it from others.
Sent = TypeVar("Sent", bound=tuple[UUID, *tuple[object, ...]])
# A parcel that its seller has not begun. Those that are cancelled keep nobody waiting.
NOT_READY = frozenset({"pending", "confirmed", "backordered"})


def numbered(places: Iterable[Place]) -> dict[Place, int]:
    """Each (seller, warehouse, destination, backordered, digital) of an order's lines with the number of its parcel,
    from 1 in the order of the lines."""
    return {place: number for number, place in enumerate(dict.fromkeys(places), 1)}


def is_online(place: PlaceOf) -> bool:
    """Whether nobody sends it: it waits for no other parcel, and none for it."""
    return place[3]


def latest_of(promises: Mapping[Sent, date]) -> dict[Sent, date]:
    """The promises of parcels when those of a seller wait for each other: the latest one."""
    latest: dict[UUID, date] = {}
    for (seller, *_), promised in promises.items():
        latest[seller] = max(promised, latest.get(seller, promised))
    return {place: latest[place[0]] for place in promises}


def waits_for(preference: str, seller_id: UUID, parcels: Iterable[tuple[int, UUID, str]]) -> list[int]:
    """The numbers of the parcels that one of this seller has to wait for before it is sent; `parcels` are the order's,
    as (number, seller, status)."""
    if preference != "together":
        return []
    return [number for number, seller, status in parcels if seller == seller_id and status in NOT_READY]
