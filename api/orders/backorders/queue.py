"""Which waiting parcels have their units by now: first come, first served. A pure rule."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

Place = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Units that a parcel waits for, of a variant in a warehouse. `lines`: of how many variants it needs some. `paid`:
    until it is, it only keeps its place."""

    parcel_id: UUID
    order_id: UUID
    variant_id: UUID
    warehouse_id: UUID
    units: int
    lines: int
    paid: bool

    @property
    def place(self) -> Place:
        return self.variant_id, self.warehouse_id


def ready(queue: Sequence[Waiting], booked: Mapping[Place, int]) -> dict[UUID, UUID]:
    """Parcel -> order of those that are paid and of which all units are there, when each gets its own before any later
    one.

    `queue`: all that is waited for in the places of `booked`, the first parcel first. `booked`: what can be sold in a
    place less what is owed; with what is waited for it is what the place has for its queue.
    """
    left = defaultdict(int, booked)
    for one in queue:
        left[one.place] += one.units
    served = defaultdict[UUID, int](int)
    for one in queue:
        left[one.place] -= one.units
        served[one.parcel_id] += left[one.place] >= 0
    return {one.parcel_id: one.order_id for one in queue if one.paid and served[one.parcel_id] == one.lines}
