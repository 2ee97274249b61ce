"""Card numbers are recognised, ordinary numbers are not."""

import pytest

from api.kernel.card_numbers import holds_card_number


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "card: 5555-5555-5555-4444.",
        "378282246310005",
        "4222222222222",
        "6011.1111.1111.1117",
        "2223003122003222",
        "30569309025904",
        "3566 0020 2036 0505",
        "6200 0000 0000 0005",
        "6759649826438453",
        "my IMEI is 490154203237518 4111 1111 1111 1111",  # a number before it does not hide it
        "4111 1111 1111 1111 2027",
        "\u0664" + "\u0661" * 15,  # in the digits of Arabic
    ],
)
def test_card_numbers(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "IMEI 490154203237518 does not register",
        "IMEI 35 209900 176148 1",
        "1Z 9999 9999 9999 999 12345",
        "112-1234567-1234567",
        "9999999999999995",
        "4111111111111",
        "37828224631000",
        "pm_sandbox_ok",
        "4242424242424241",
        "12 High Street",
        "020 7946 0958",
        "tok_1N3T00LkdIwHu7ix",
        "424242424242",
    ],
)
def test_other_text(text: str) -> None:
    assert not holds_card_number(text)
