"""What accounts may send: addresses of mail, phones, names, passwords."""

import pytest
from pydantic import ValidationError

from api.identity.schemas import AddressIn, Login, ProfileChange, Register

ADDRESS = {"street": "1 Market Street", "city": "London", "state": "London", "zipCode": "N1 9GU", "country": "GB"}


def registered(**fields: object) -> Register:
    body = {"email": "Anna@Example.com", "password": "  kept as typed  ", "name": "Anna", **fields}
    return Register.model_validate(body)


def test_a_mail_address_is_kept_in_lower_case_and_a_password_as_typed() -> None:
    account = registered()

    assert account.email == "anna@example.com"
    assert account.password == "  kept as typed  "
    assert account.user_type == "customer"
    assert Login.model_validate({"email": "A@B.de", "password": " x "}).password == " x "


@pytest.mark.parametrize(
    "email", ["", "anna", "anna@", "@example.com", "anna@example", "a b@example.com", "anna@ex ample.com", "a@b..com",
              "anna@example.com\n", "a@b@c.com", "x" * 65 + "@example.com", "a@" + "x" * 250 + ".com"],
)  # fmt: skip
def test_what_is_no_mail_address_is_refused(email: str) -> None:
    with pytest.raises(ValidationError):
        registered(email=email)


@pytest.mark.parametrize("phone", ["+44 20 7946 0000", "020-7946-0000", "(020) 79460000"[1:], "12345"])
def test_a_phone_number_as_people_write_it(phone: str) -> None:
    assert registered(phone=phone).phone == phone


@pytest.mark.parametrize("phone", ["", "call me", "1234", "+", "1" * 21, "+44;20"])
def test_what_is_no_phone_number_is_refused(phone: str) -> None:
    with pytest.raises(ValidationError):
        registered(phone=phone)


@pytest.mark.parametrize("field", [{"userType": "admin"}, {"name": ""}, {"name": "a\x00b"}, {"password": ""}, {"x": 1}])
def test_nobody_registers_as_an_admin_or_without_a_name(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        registered(**field)


def test_a_field_that_was_not_sent_is_told_from_one_that_was_emptied() -> None:
    assert ProfileChange.model_validate({}).model_fields_set == set()
    assert ProfileChange.model_validate({"phone": None}).model_fields_set == {"phone"}


def test_a_street_may_have_two_lines_and_a_city_only_one() -> None:
    assert AddressIn.model_validate({**ADDRESS, "street": "Flat 2\n1 Market Street"}).street.count("\n") == 1
    with pytest.raises(ValidationError):
        AddressIn.model_validate({**ADDRESS, "city": "Lon\ndon"})


@pytest.mark.parametrize("name", ["street", "city", "country"])
def test_an_address_needs_a_street_a_city_and_a_country(name: str) -> None:
    with pytest.raises(ValidationError):
        AddressIn.model_validate({key: value for key, value in ADDRESS.items() if key != name})
