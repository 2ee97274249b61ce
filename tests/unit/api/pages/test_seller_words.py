"""What the seller's page says in words."""

import pytest

from api.pages.seller.render import against_chance


@pytest.mark.parametrize(
    ("lift", "words"),
    [
        (0.2, "less often than by chance"),
        (0.95, "about as often as by chance"),
        (1.049, "about as often as by chance"),
        (1.05, "1.1 times more than chance"),
        (3.44, "3.4 times more than chance"),
        (9.94, "9.9 times more than chance"),
        (9.96, "10 times more than chance"),
        (1234.5, "1,234 times more than chance"),
    ],
)
def test_lift_in_words(lift: float, words: str) -> None:
    assert against_chance(lift) == words
