"""Promises: zones, cut-offs, working days and what is offered to whom."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.delivery.calendar import holidays, is_working_day, working_days_after
from api.delivery.places import Place
from api.delivery.promises import PERIOD_SECONDS, SPEEDS, Origin, Parcel, Speed, in_words, offered, period, promise
from api.delivery.zones import LOCAL_KM, kilometres, point_of, zone_of

CHICAGO, SEATTLE, LONDON = (41.9, -87.6), (47.6, -122.3), (51.5, -0.1)
ILLINOIS, CALIFORNIA = Place("US", "IL"), Place("US", "CA")
ZONE = ZoneInfo("America/Chicago")
MOMENTS = st.integers(1_735_689_600, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def origin(
    point: tuple[float, float] = CHICAGO, *, country: str = "US", prime: bool = True, cut_off: int = 14 * 60,
    zone: str = "America/Chicago",
) -> Origin:  # fmt: skip
    return Origin(country, *point, prime, cut_off, zone)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def speeds(parcels: list[Parcel], place: Place, *, member: bool = True) -> list[Speed]:
    return [one.speed for one in offered(parcels, place, local("2026-12-01T10:00"), member=member)]


def last_day(speed: Speed, at: str, *, place: Place = ILLINOIS, start: Origin | None = None) -> str:
    found = promise([Parcel(start or origin(), prime=True)], place, speed, local(at))
    assert found is not None
    return f"{found.last:%a %d %b}"


@pytest.mark.parametrize(
    ("point", "country", "place", "zone"),
    [(CHICAGO, "US", ILLINOIS, "local"), (CHICAGO, "US", Place("US", "NY"), "regional"),
     (CHICAGO, "US", CALIFORNIA, "national"), (SEATTLE, "US", Place("US", "WA"), "local"),
     (CHICAGO, "US", Place("US"), "national"), (CHICAGO, "US", Place("CA", "ON"), "international"),
     (LONDON, "GB", Place("GB"), "local"), (CHICAGO, "US", Place("KE"), "international")],
)  # fmt: skip
def test_zones_by_distance(point: tuple[float, float], country: str, place: Place, zone: str) -> None:
    assert zone_of(country, point, place) == zone


def test_a_distance_is_one_on_the_ground() -> None:
    assert kilometres(LONDON, CHICAGO) == pytest.approx(6_360, abs=30)
    assert kilometres(CHICAGO, CHICAGO) == 0
    there = point_of(ILLINOIS)
    assert there is not None
    assert kilometres(CHICAGO, there) < LOCAL_KM


def test_the_cut_off_of_the_warehouse_decides_when_a_parcel_leaves() -> None:
    assert last_day("prime_next_day", "2026-12-01T13:59") == "Wed 02 Dec"
    assert last_day("prime_next_day", "2026-12-01T14:00") == "Thu 03 Dec"
    assert last_day("prime_next_day", "2026-12-01T14:00", start=origin(cut_off=15 * 60)) == "Wed 02 Dec"
    # At 13:59 in Chicago it is 19:59 in London.
    assert last_day("prime_next_day", "2026-12-01T13:59", start=origin(zone="Europe/London")) == "Thu 03 Dec"


def test_weekends_and_holidays_are_no_working_days() -> None:
    assert last_day("prime_next_day", "2026-12-04T10:00") == "Mon 07 Dec"
    assert last_day("prime_next_day", "2026-12-05T10:00") == "Tue 08 Dec"
    assert last_day("prime_next_day", "2026-12-24T10:00") == "Mon 28 Dec"
    assert last_day("prime_2day", "2026-11-25T10:00") == "Mon 30 Nov"
    assert last_day("standard", "2026-12-01T10:00") == "Fri 04 Dec"


def test_what_is_offered() -> None:
    near, far = [Parcel(origin(), prime=True)], [Parcel(origin(SEATTLE), prime=True)]

    assert speeds(near, ILLINOIS) == list(SPEEDS)
    assert speeds(near, ILLINOIS, member=False) == ["standard"]
    assert speeds(far, ILLINOIS) == ["standard", "prime_2day"]
    assert speeds(near, Place("JP")) == ["standard"]
    assert speeds([Parcel(origin(), prime=False)], ILLINOIS) == ["standard"]
    assert speeds([Parcel(origin(prime=False), prime=True)], ILLINOIS) == ["standard"]
    assert speeds([*near, *far], ILLINOIS) == ["standard", "prime_2day"]
    assert speeds([], ILLINOIS) == []


def test_several_parcels_are_promised_for_the_latest() -> None:
    near, far = Parcel(origin(), prime=True), Parcel(origin(SEATTLE, cut_off=9 * 60), prime=True)
    now = local("2026-12-01T10:00")

    alone, both = promise([far], ILLINOIS, "standard", now), promise([near, far], ILLINOIS, "standard", now)

    assert alone is not None
    assert both is not None
    assert (both.first, both.last, both.zone) == (alone.first, alone.last, alone.zone)
    assert both.order_by == local("2026-12-01T14:00")


def test_a_promise_in_words() -> None:
    assert in_words(date(2026, 12, 1), date(2026, 12, 3)) == "Tue, Dec 1 - Thu, Dec 3"
    assert in_words(date(2026, 12, 1), date(2026, 12, 1)) == "Tue, Dec 1"


@given(MOMENTS, st.sampled_from(SPEEDS), st.integers(0, 47), st.sampled_from(["UTC", "Asia/Tokyo", "America/Chicago"]))
def test_a_promise_holds_until_it_must_be_ordered(now: datetime, speed: Speed, half_hours: int, zone: str) -> None:
    parcels = [Parcel(origin(cut_off=half_hours * 30, zone=zone), prime=True)]

    found = promise(parcels, ILLINOIS, speed, now)

    assert found is not None
    assert now < found.order_by
    assert promise(parcels, ILLINOIS, speed, found.order_by - timedelta(seconds=1)) == found
    later = promise(parcels, ILLINOIS, speed, found.order_by)
    assert later is not None
    assert later.last > found.last
    assert found.first <= found.last
    assert is_working_day(found.last, "US")


@given(MOMENTS)
def test_within_a_half_hour_a_promise_is_the_same(now: datetime) -> None:
    start = datetime.fromtimestamp(period(now) * PERIOD_SECONDS, UTC)
    parcels = [Parcel(origin(), prime=True)]

    assert promise(parcels, ILLINOIS, "standard", start) == promise(parcels, ILLINOIS, "standard", now)


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 12), st.sampled_from(["US", "GB", "PT"]))
def test_working_days_are_counted_one_by_one(day: date, count: int, country: str) -> None:
    found = working_days_after(day, count, country)

    between = (day + timedelta(days=n) for n in range(1, (found - day).days + 1))
    assert sum(is_working_day(one, country) for one in between) == count
    assert is_working_day(found, country)


@pytest.mark.parametrize(
    ("country", "day", "free"),
    [("US", "2026-11-26", True), ("US", "2026-07-04", True), ("US", "2027-07-05", True), ("US", "2026-05-25", True),
     ("GB", "2026-04-03", True), ("GB", "2026-04-06", True), ("GB", "2026-12-28", True), ("GB", "2027-12-28", True),
     ("GB", "2026-11-26", False), ("PT", "2026-12-25", True), ("PT", "2026-07-03", False)],
)  # fmt: skip
def test_public_holidays(country: str, day: str, free: bool) -> None:
    found = date.fromisoformat(day)

    assert (found in holidays(country, found.year)) is free


@given(MOMENTS, st.integers(0, 60), st.sampled_from(SPEEDS))
def test_what_is_not_there_yet_is_promised_as_if_it_were_ordered_on_the_day_on_which_it_is(
    now: datetime, days: int, speed: Speed
) -> None:
    start = origin()
    day = now.astimezone(ZONE).date() + timedelta(days=days)
    early = datetime(day.year, day.month, day.day, 1, tzinfo=ZONE)

    later = promise([Parcel(start, True, day)], ILLINOIS, speed, now)
    then = promise([Parcel(start, True)], ILLINOIS, speed, max(early, now))

    assert later is not None
    assert then is not None
    assert (later.first, later.last) == (then.first, then.last)
