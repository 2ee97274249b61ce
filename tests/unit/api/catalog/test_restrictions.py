"""To whom and where a product is sold."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from api.catalog.restrictions.rules import Restricted, ToBuy, age_on, limits_of, require_allowed
from api.catalog.restrictions.schemas import Restrictions

TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (date(2008, 11, 27), date(2026, 11, 27), 18),
        (date(2008, 11, 28), date(2026, 11, 27), 17),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2026, 11, 27), date(2026, 11, 27), 0),
    ],
)
def test_an_age_is_in_whole_years(birth: date, day: date, age: int) -> None:
    assert age_on(day, birth) == age


@pytest.mark.parametrize(
    ("stored", "sold", "not_sold"),
    [
        ('{"deniedCountries": ["FR", "US"]}', "DE", "US"),
        ('{"allowedCountries": ["FR"]}', "FR", "US"),
        ('{"minAge": 18}', "US", None),
    ],
)
def test_a_country_is_barred_by_either_list(stored: str, sold: str, not_sold: str | None) -> None:
    assert not limits_of(stored).bar(sold)
    assert not_sold is None or limits_of(stored).bar(not_sold)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({}, None),
        ({"minAge": None, "allowedCountries": []}, None),
        ({"minAge": 18}, {"minAge": 18}),
        ({"deniedCountries": ["United Kingdom", "fr", "FR"]}, {"deniedCountries": ["FR", "GB"]}),
    ],
)
def test_what_says_nothing_is_not_stored(sent: dict[str, Any], stored: dict[str, Any] | None) -> None:
    assert Restrictions.model_validate(sent).stored() == stored


@pytest.mark.parametrize(
    "sent",
    [
        {"minAge": 0}, {"minAge": 100}, {"minAge": "18"}, {"allowedCountries": ["Atlantis"]}, {"region": "EU"},
        {"allowedCountries": ["DE"], "deniedCountries": ["FR"]},
    ],
)  # fmt: skip
def test_what_is_no_restriction_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Restrictions.model_validate(sent)


def wanted(stored: str | None, pointer: str, title: str = "Wine") -> ToBuy:
    limits = None if stored is None else limits_of(stored)
    return ToBuy(UUID(int=1), UUID(int=2), title, limits, "US", pointer)


def test_everything_that_is_wrong_is_named_and_an_age_is_asked_for_once() -> None:
    lines = [
        wanted('{"minAge": 18}', "/items/0"),
        wanted(None, "/items/1", "Milk"),
        wanted('{"deniedCountries": ["US"], "minAge": 21}', "/items/2", "Absinthe"),
    ]
    with pytest.raises(Restricted) as refused:
        require_allowed(lines, None, TODAY)

    assert [(error.pointer, error.message) for error in refused.value.errors or []] == [
        ("/birthDate", "needed: Wine is sold from 18 years of age on"),
        ("/items/2", "Absinthe is not sold to US"),
    ]
    assert [(item["title"], item["reason"]) for item in refused.value.extra["items"]] == [
        ("Wine", "age_not_given"),
        ("Absinthe", "country"),
    ]
    require_allowed(lines[:2], date(2008, 11, 27), TODAY)
    with pytest.raises(Restricted) as young:
        require_allowed(lines[:2], date(2008, 11, 28), TODAY)
    assert [(error.pointer, error.message) for error in young.value.errors or []] == [
        ("/items/0", "Wine is sold from 18 years of age on")
    ]
    require_allowed(lines[:1], None, TODAY, ages=False)
