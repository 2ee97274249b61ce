"""Which lines of an order travel together: those of one seller from one warehouse."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

Place = TypeVar("Place", bound=Hashable)


def numbered(places: Iterable[Place]) -> dict[Place, int]:
    """Each (seller, warehouse) of an order's lines with the number of its parcel, from 1 in the order of the lines."""
    return {place: number for number, place in enumerate(dict.fromkeys(places), 1)}
