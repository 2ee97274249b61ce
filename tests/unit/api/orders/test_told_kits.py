"""What mails say of lines that were bought as a kit."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from api.orders.kits.told import rows_of, title_with_kit


@dataclass
class Line:
    title: str
    quantity: int
    amount: Decimal
    kit: dict[str, Any] | None = None


SET = {"variantId": "1", "title": "Camera set", "quantity": 2}
OTHER = {**SET, "variantId": "2", "title": "Film set", "quantity": 1}
LINES = [
    Line("Camera", 2, Decimal("52.52"), SET),
    Line("Film", 4, Decimal("11.64"), SET),
    Line("Mug", 1, Decimal("8.00")),
    Line("Film", 2, Decimal("5.84"), SET),
    Line("Film", 3, Decimal("9.00"), OTHER),
    Line("Mug", 2, Decimal("16.00")),
]


def test_a_kit_is_named_once_with_its_components_under_it() -> None:
    assert rows_of(LINES) == [
        {
            "quantity": 2,
            "title": "Camera set",
            "amount": "70.00",
            "parts": [
                {"quantity": 2, "title": "Camera"},
                {"quantity": 4, "title": "Film"},
                {"quantity": 2, "title": "Film"},
            ],
        },
        {"quantity": 1, "title": "Mug", "amount": "8.00", "parts": []},
        {"quantity": 1, "title": "Film set", "amount": "9.00", "parts": [{"quantity": 3, "title": "Film"}]},
        {"quantity": 2, "title": "Mug", "amount": "16.00", "parts": []},
    ]
    assert sum(Decimal(str(row["amount"])) for row in rows_of(LINES)) == sum(line.amount for line in LINES)


def test_a_part_alone_says_what_it_is_a_part_of() -> None:
    assert [title_with_kit(line) for line in LINES[1:3]] == ["Film (part of Camera set)", "Mug"]
