"""What is offered to a place, and when it arrives: from warehouses, distance, cut-off, working days and membership."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from api.delivery.calendar import is_working_day, next_working_day, working_days_after
from api.delivery.places import Place
from api.delivery.zones import Zone, farthest, zone_of

Speed = Literal["standard", "prime_2day", "prime_next_day"]
SPEEDS: tuple[Speed, ...] = ("standard", "prime_2day", "prime_next_day")
# Working days from the day on which the warehouse hands the parcel over, the first and the last; a speed is offered in
# the zones that it has.
TRANSIT: dict[Speed, dict[Zone, tuple[int, int]]] = {
    "standard": {"local": (2, 3), "regional": (3, 4), "national": (3, 5), "international": (6, 10)},
    "prime_2day": {"local": (2, 2), "regional": (2, 2), "national": (2, 2)},
    "prime_next_day": {"local": (1, 1)},
}
PERIOD_SECONDS = 1_800


class Origin(NamedTuple):
    """A warehouse. What is ordered on a working day before `cut_off_minutes` (after midnight there) leaves that day."""

    country: str
    latitude: float
    longitude: float
    prime_capable: bool
    cut_off_minutes: int
    time_zone: str


class Parcel(NamedTuple):
    """What one warehouse sends. `prime`: everything in it takes part in Prime. `not_before`: the day on which the
    warehouse expects to have it all, None where it does."""

    origin: Origin
    prime: bool
    not_before: date | None = None


class Promise(NamedTuple):
    """Arrives from `first` to `last`, if it is ordered before `order_by`."""

    speed: Speed
    zone: Zone
    first: date
    last: date
    order_by: datetime

    @property
    def text(self) -> str:
        """The days in words, such as `Tue, Dec 1 - Thu, Dec 3`."""
        return in_words(self.first, self.last)


def offered(parcels: Sequence[Parcel], place: Place, now: datetime, *, member: bool) -> list[Promise]:
    """What can be had, the slowest first; nothing without parcels. The promise of several parcels is that of the
    latest."""
    promises = (promise(parcels, place, speed, now) for speed in SPEEDS if member or speed == "standard")
    return [found for found in promises if found is not None]


def at_once(now: datetime) -> Promise:
    """What is delivered online: on the day (UTC) on which it is paid. It holds as long as any promise."""
    ends = datetime.fromtimestamp((period(now) + 1) * PERIOD_SECONDS, UTC)
    day = datetime.fromtimestamp(period(now) * PERIOD_SECONDS, UTC).date()
    return Promise("standard", "local", day, day, ends)


def promise(parcels: Sequence[Parcel], place: Place, speed: Speed, now: datetime) -> Promise | None:
    """The promise of one speed to a member; None where it is not offered."""
    latest: Promise | None = None
    for one in promises(parcels, place, speed, now):
        if one is None:
            return None
        latest = one if latest is None else _latest(latest, one)
    return latest


@lru_cache(maxsize=20_000)
def _latest(one: Promise, other: Promise) -> Promise:
    """The promise of two parcels."""
    return Promise(
        speed=one.speed,
        zone=farthest(one.zone, other.zone),
        first=max(one.first, other.first),
        last=max(one.last, other.last),
        order_by=min(one.order_by, other.order_by),
    )


def promises(parcels: Iterable[Parcel], place: Place, speed: Speed, now: datetime) -> list[Promise | None]:
    """What is promised of each parcel."""
    half_hour = period(now)
    there = place[:2]
    return [
        _from(origin, there, speed, half_hour, not_before)
        if speed == "standard" or (prime and origin.prime_capable)
        else None
        for origin, prime, not_before in parcels
    ]


def in_words(first: date, last: date) -> str:
    return _day(first) if first == last else f"{_day(first)} - {_day(last)}"


def period(now: datetime) -> int:
    """The half hour of a moment: cut-offs and midnights lie between two of them, so a promise holds within one."""
    return int(now.timestamp()) // PERIOD_SECONDS


@lru_cache(maxsize=50_000)
def _from(
    origin: Origin, there: tuple[str, str | None], speed: Speed, half_hour: int, not_before: date | None
) -> Promise | None:
    """What is promised of a parcel that a warehouse sends to a country and region, ordered in a half hour."""
    zone = zone_of(origin.country, (origin.latitude, origin.longitude), Place(*there))
    days = TRANSIT[speed].get(zone)
    if days is None:
        return None
    leaves, order_by = _leaves(origin.country, origin.cut_off_minutes, origin.time_zone, half_hour)
    if not_before is not None and not_before > leaves:
        works = is_working_day(not_before, origin.country)
        leaves = not_before if works else next_working_day(not_before, origin.country)
    first, last = (working_days_after(leaves, count, origin.country) for count in days)
    return Promise(speed, zone, first, last, order_by)


def _leaves(country: str, cut_off_minutes: int, time_zone: str, half_hour: int) -> tuple[date, datetime]:
    """The day on which the warehouse hands over what is ordered in a half hour, and until when that day holds."""
    zone = ZoneInfo(time_zone)
    local = datetime.fromtimestamp(half_hour * PERIOD_SECONDS, zone)
    day = local.date()
    late = local.hour * 60 + local.minute >= cut_off_minutes
    if late or not is_working_day(day, country):
        day = next_working_day(day, country)
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return day, midnight + timedelta(minutes=cut_off_minutes)


@lru_cache(maxsize=1_000)
def _day(day: date) -> str:
    return f"{day:%a, %b} {day.day}"
