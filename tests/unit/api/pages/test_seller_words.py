"""What the seller's page says in words."""

from datetime import date
from decimal import Decimal

import pytest

from api.analytics.marts import Restatement
from api.pages.seller.render import against_chance, why


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


@pytest.mark.parametrize(
    ("cause", "orders", "words"),
    [
        ("cancelled", 1, "1 order was cancelled"),
        ("cancelled", 1_200, "1,200 orders were cancelled"),
        ("withheld", 0, "orders whose records contradict themselves were left out"),
        ("mended", 0, "orders that had been left out are back"),
        ("corrected", 0, "records of that day were corrected or came late"),
        ("redefined", 0, "the analytics count in another way"),
        ("unheard of", 0, "unheard of"),
    ],
)
def test_why_a_closed_day_changed_in_words(cause: str, orders: int, words: str) -> None:
    assert why(Restatement(date(2026, 3, 1), date(2026, 3, 2), orders, Decimal(0), cause)) == words
