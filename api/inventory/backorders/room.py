"""How many units may be sold that no warehouse has, and when they are expected: pure rules."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple


class Room(NamedTuple):
    """Up to `units` more may be backordered in one warehouse. `days`: (so many of them, expected on that day), the
    last for all of them."""

    units: int
    days: tuple[tuple[int, date], ...]

    def expected_on(self, units: int) -> date:
        """When so many units, at most `self.units`, are expected."""
        return next(day for many, day in self.days if many >= units)

    def without(self, taken: int) -> "Room | None":
        """What `taken` units leave; None when that is nothing."""
        if taken >= self.units:
            return None
        return Room(self.units - taken, tuple((many - taken, day) for many, day in self.days if many > taken))


def room_of(free: int, owed: int, days: int, coming: Iterable[tuple[date, int]], today: date) -> Room:
    """The room of a warehouse that may owe `free` units more than the `owed`.

    What is `coming` (day, units) covers what is owed first. Beyond what has a day, units are expected `days` from
    `today`, and never before those that have one.
    """
    steps, there, last = [], -owed, today + timedelta(days=days)
    known = sorted(one for one in coming if one[0] >= today)
    for day, units in known:
        there += units
        if there > 0:
            steps.append((min(there, free), day))
    if there < free:
        steps.append((free, max(last, known[-1][0]) if known else last))
    return Room(free, tuple(steps))
