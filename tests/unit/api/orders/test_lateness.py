"""How late a parcel is, and the links that show it."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from api.orders.tracking.lateness import days_late
from api.orders.tracking.links import code_of, parcel_of
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()
NOW = datetime(2026, 11, 27, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("promised", "delivered", "late"),
    [
        (None, None, 0),
        (date(2026, 11, 27), None, 0),
        (date(2026, 11, 26), None, 1),
        (date(2026, 11, 20), datetime(2026, 11, 20, 23, tzinfo=UTC), 0),
        (date(2026, 11, 20), datetime(2026, 11, 21, 0, tzinfo=UTC), 1),
        (date(2026, 11, 20), datetime(2026, 11, 10, tzinfo=UTC), 0),
    ],
)
def test_late_is_after_the_promised_day(promised: date | None, delivered: datetime | None, late: int) -> None:
    assert days_late(promised, delivered, NOW) == late


def test_a_link_names_its_parcel_and_cannot_be_guessed() -> None:
    parcel = UUID(int=7)
    code = code_of(KEYS, parcel)

    assert (len(code), parcel_of(KEYS, code)) == (43, parcel)
    assert parcel_of(KEYS, code_of(KEYS, UUID(int=8))) != parcel
    for place in range(0, 43, 7):
        other = "A" if code[place] != "A" else "B"
        assert parcel_of(KEYS, code[:place] + other + code[place + 1 :]) is None
    for wrong in ("", code + "A", code[:-1], "é" * 43, "=" * 43):
        assert parcel_of(KEYS, wrong) is None
