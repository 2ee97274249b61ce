"""An order's status from its parcels: one pure function, and the steps that take the order there."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from api.orders.states import TRANSITIONS, may_follow

_FULFILMENT = ("pending", "confirmed", "processing", "shipped", "delivered")
# A parcel that waits for units stands where one that is not begun does.
_RANK = {status: rank for rank, status in enumerate(_FULFILMENT)} | {"backordered": _FULFILMENT.index("confirmed")}
# A parcel that comes back has been delivered.
_DELIVERED = _RANK["delivered"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a parcel's order depends on. `begun`: its seller has started on it, even if it was cancelled afterwards.
    `lost`: it was given up on its way."""

    status: str
    begun: bool = False
    lost: bool = False

    @property
    def counts(self) -> bool:
        """Whether the order waits for it: it is neither cancelled nor given up, and refunded, as lost."""
        return self.status != "cancelled" and not self.lost


def order_status(parcels: Iterable[Standing]) -> str:
    """The status of an order with these parcels, of which there is at least one.

    Cancelled and lost parcels count only while others are left, as work that has begun. A return state is the order's
    when all the others have it.
    """
    everything = list(parcels)
    living = [parcel.status for parcel in everything if parcel.counts]
    if not living:
        return "shipped" if any(parcel.lost for parcel in everything) else "cancelled"
    ranks = [_RANK.get(status, _DELIVERED) for status in living]
    least = min(ranks)
    if least == _DELIVERED:
        return living[0] if len(set(living)) == 1 else "delivered"
    if least == _RANK["confirmed"] and (
        max(ranks) > least or any(parcel.begun or parcel.lost for parcel in everything)
    ):
        return "processing"
    return _FULFILMENT[least]


@cache
def steps_between(before: str, after: str) -> tuple[tuple[str, str], ...]:
    """The steps of the state machine from `before` to `after`, none when they are equal.

    An order takes two at once when the parcel that kept it from `shipped` is cancelled and the rest is delivered.
    Raises: ValueError when there is no way.
    """
    if before == after:
        return ()
    if may_follow(before, after):
        return ((before, after),)
    onward = _FULFILMENT[_RANK[before] + 1] if _RANK.get(before, _DELIVERED) < _RANK.get(after, -1) else None
    if onward is None or onward not in TRANSITIONS[before]:
        raise ValueError(f"an order never goes from {before} to {after}")
    return ((before, onward), *steps_between(onward, after))


def passed(status: str, wanted: str) -> bool:
    """Whether a parcel with this status needs the step to `wanted` no more: it is there, further, or cancelled."""
    return status == "cancelled" or _RANK.get(status, _DELIVERED) >= _RANK[wanted]
