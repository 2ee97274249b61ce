"""Working days: not Saturday, not Sunday, and no public holiday of the warehouse's country."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

_MONDAY, _THURSDAY, _SATURDAY = 0, 3, 5
_DAY = timedelta(days=1)


@cache
def holidays(country: str, year: int) -> frozenset[date]:
    """Public holidays on which parcels do not move; of a country without rules here, New Year's Day and Christmas."""
    rules = {"US": _of_us, "GB": _of_gb}.get(country, _of_others)
    return frozenset(rules(year))


def is_working_day(day: date, country: str) -> bool:
    return day.weekday() < _SATURDAY and day not in holidays(country, day.year)


def next_working_day(day: date, country: str) -> date:
    """The first working day after `day`."""
    return working_days_after(day, 1, country)


@cache
def working_days_after(day: date, count: int, country: str) -> date:
    """The `count`-th working day after `day`."""
    while count:
        day += _DAY
        count -= is_working_day(day, country)
    return day


def _of_us(year: int) -> Iterator[date]:
    """The federal holidays on which the large carriers rest. One on a Sunday is kept on Monday."""
    for day in (date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 12, 25)):
        yield day + _DAY if day.weekday() == 6 else day
    yield _weekday(year, 5, _MONDAY, -1)
    yield _weekday(year, 9, _MONDAY, 1)
    yield _weekday(year, 11, _THURSDAY, 4)


def _of_gb(year: int) -> Iterator[date]:
    """Bank holidays of England and Wales. One on a weekend is kept on the next day that is neither."""
    easter = _easter(year)
    yield easter - 2 * _DAY
    yield easter + _DAY
    yield _weekday(year, 5, _MONDAY, 1)
    yield _weekday(year, 5, _MONDAY, -1)
    yield _weekday(year, 8, _MONDAY, -1)
    kept: set[date] = set()
    for day in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        while day.weekday() >= _SATURDAY or day in kept:
            day += _DAY
        kept.add(day)
        yield day


def _of_others(year: int) -> Iterator[date]:
    yield from (date(year, 1, 1), date(year, 12, 25))


def _weekday(year: int, month: int, weekday: int, which: int) -> date:
    """The `which`-th such weekday of the month; -1 is the last."""
    if which < 0:
        last = (date(year, month, 28) + 4 * _DAY).replace(day=1) - _DAY
        return last - (last.weekday() - weekday) % 7 * _DAY
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (which - 1)) * _DAY


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    century, of_century = divmod(year, 100)
    leap, rest = divmod(century, 4)
    moon = (19 * (year % 19) + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * rest + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (year % 19 + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
