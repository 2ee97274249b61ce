"""Which passwords are refused, and why; without a database."""

import pytest

from api.identity.passwords import normalised, require_acceptable
from api.kernel.errors import ValidationFailed


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "пароль из слов",
        "Tr0ub4dor&3",
        "12345678x",
        "aaaaaaab1",
        " " * 4 + "ab cd ef",
        "anna likes long walks",
    ],
)
def test_unusual_passwords_are_taken(password: str) -> None:
    require_acceptable(password, email="anna@example.com", name="Anna")


@pytest.mark.parametrize(
    "password",
    [
        "1234567",
        "password",
        "PASSWORD",
        "Password1",
        "aaaaaaaa",
        "abababab",
        "98765432",
        "abcdefgh",
        "anna2026",
        "anna-anna",
        "souksouk",
    ],
)
def test_guessable_passwords_are_refused_without_repeating_them(password: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        require_acceptable(password, email="anna@example.com", name="Anna Shopper")

    assert refused.value.errors is not None
    assert refused.value.errors[0].pointer == "/password"
    assert password == "password" or password not in str(refused.value) + refused.value.errors[0].message


def test_the_same_keys_give_the_same_bytes() -> None:
    assert normalised("ﬁancé") == normalised("fiance\u0301")
