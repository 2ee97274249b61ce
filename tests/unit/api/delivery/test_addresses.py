"""Addresses by country: what each needs, and the form in which one is stored."""

import pytest

from api.delivery.addresses import Checked, check, destination, is_whole
from api.delivery.errors import AddressNotValid
from api.delivery.places import Place, country_code, country_codes

FULL = {"street": "1 High Street", "city": "Chicago", "state": "IL", "zipCode": "60601", "country": "US"}


def refused(**change: str | None) -> list[str]:
    with pytest.raises(AddressNotValid) as found:
        check("/at", {**FULL, **change})
    return [error.pointer for error in found.value.errors or ()]


def kept(**change: str | None) -> Checked:
    return check("/at", {**FULL, **change})


@pytest.mark.parametrize(
    ("text", "code"),
    [("US", "US"), ("us", "US"), ("United States", "US"), ("USA", "US"), (" united  kingdom ", "GB"), ("UK", "GB"),
     ("Hong Kong", "HK"), ("Portugal", "PT"), ("Atlantis", None), ("", None), ("ZZ", None), ("AC", None), ("U", None)],
)  # fmt: skip
def test_a_country_is_known_by_its_code_and_its_name(text: str, code: str | None) -> None:
    assert country_code(text) == code


def test_every_country_of_the_library_has_rules() -> None:
    for code in set(country_codes().values()):
        destination(code, None, None)


def test_an_address_is_stored_in_one_form() -> None:
    assert kept(state="illinois", country="United States") == kept()
    assert kept(zipCode=" 60601-1234 ").zip_code == "60601-1234"
    london = {"city": "London", "state": None, "country": "GB"}
    assert kept(**london, zipCode="n1  9gu").zip_code == "N1 9GU"
    assert kept(city="São Paulo").city == "São Paulo"
    assert kept().as_json() == FULL
    assert kept(**london, zipCode="N1 9GU", name="A").as_json() == {
        "street": "1 High Street", "city": "London", "zipCode": "N1 9GU", "country": "GB", "name": "A",
    }  # fmt: skip


def test_names_of_states_are_kept_as_written_where_they_have_no_abbreviation() -> None:
    assert kept(country="JP", state="Tokyo", zipCode="100-0001").state == "Tokyo"
    assert kept(country="ES", state="Madrid", zipCode="28013").state == "Madrid"
    assert kept(country="AU", state="Victoria", zipCode="3000").state == "VIC"


def test_what_a_country_does_not_need_may_be_absent() -> None:
    assert kept(country="PT", state=None, zipCode="1100-048").state is None
    assert kept(country="HK", state="Kowloon", zipCode="").zip_code is None
    assert refused(country="HK", state="", zipCode="") == ["/at/state"]
    assert refused(state="", zipCode="") == ["/at/state", "/at/zipCode"]


@pytest.mark.parametrize(
    ("field", "text"),
    [("zipCode", "!!!"), ("zipCode", "6060"), ("zipCode", "60601; DROP"), ("state", "Narnia"), ("country", "Narnia"),
     ("city", "Chi\x07cago"), ("city", "Chi\ncago"), ("street", "1 \u202eteertS"), ("street", "1 \u2066Street"),
     ("city", "\u200bChicago"), ("zipCode", "60601\x00"), ("name", "A\x7f")],
)  # fmt: skip
def test_what_is_no_part_of_an_address_is_refused(field: str, text: str) -> None:
    assert f"/at/{field}" in refused(**{field: text})


def test_a_street_may_have_two_lines_and_names_may_have_joiners() -> None:
    assert kept(street="Flat 2\n1 High Street").street == "Flat 2\n1 High Street"
    assert kept(city="نیم\u200cروز").city == "نیم\u200cروز"


def test_a_country_that_is_unknown_is_named_with_a_code_that_cannot_be() -> None:
    assert refused(country="Atlantis", zipCode="!!!") == ["/at/country", "/at/zipCode"]


def test_a_destination_may_be_less_than_an_address() -> None:
    assert destination("US", None, None) == Place("US")
    assert destination("United States", "california", "94105") == Place("US", "CA", "94105")
    with pytest.raises(AddressNotValid) as found:
        destination("US", "Narnia", "!!!")
    assert [error.pointer for error in found.value.errors or ()] == ["/query/state", "/query/zipCode"]


def test_what_is_not_needed_may_be_absent_and_is_judged_where_it_is_there() -> None:
    country = {"country": "United States"}
    assert check("/at", country, lambda _: ()).as_json() == {"country": "US"}
    assert check("/at", {**FULL, "street": " "}, lambda _: ()).as_json() == {
        name: value for name, value in FULL.items() if name != "street"
    }
    given: dict[str, str | None] = {**country, "state": "Ontario", "zipCode": "x", "city": "San\u0007Francisco"}
    with pytest.raises(AddressNotValid) as found:
        check("/at", given, lambda _: ())
    assert [error.pointer for error in found.value.errors or ()] == ["/at/city", "/at/state", "/at/zipCode"]
    with pytest.raises(AddressNotValid) as found:
        check("/at", country, lambda code: ("state",) if code == "US" else ())
    assert [error.pointer for error in found.value.errors or ()] == ["/at/state"]


def test_what_is_sent_needs_all_of_an_address() -> None:
    assert refused(street=None) == ["/at/street"]
    assert refused(street=None, city=None, state=None, zipCode=None) == [
        "/at/street",
        "/at/city",
        "/at/state",
        "/at/zipCode",
    ]
    assert (is_whole(FULL), is_whole({**FULL, "city": ""}), is_whole({"country": "US"}), is_whole({})) == (
        True, False, False, False,
    )  # fmt: skip
