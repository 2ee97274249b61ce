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
    ],
)
def test_card_numbers(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    ["pm_sandbox_ok", "4242424242424241", "12 High Street", "020 7946 0958", "tok_1N3T00LkdIwHu7ix", "424242424242"],
)
def test_other_text(text: str) -> None:
    assert not holds_card_number(text)
