"""What mails say of an order's lines: the buyer bought the kit, so it is named, with its components under it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from api.kernel.money import ZERO


class _Line(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def kit(self) -> Mapping[str, Any] | None: ...  # Any: JSON


@dataclass(slots=True)
class _Row:
    quantity: int
    title: str
    amount: Decimal
    parts: list[dict[str, object]]


def rows_of(lines: Iterable[_Line]) -> list[dict[str, object]]:
    """`quantity`, `title` and `amount` of each line or kit, in the order of the first lines. `parts`: quantity and
    title of a kit's components; its quantity is that which was bought, its amount that of its lines."""
    rows: dict[object, _Row] = {}
    for place, line in enumerate(lines):
        if line.kit is None:
            rows[place] = _Row(line.quantity, line.title, line.amount, [])
            continue
        bought = _Row(line.kit["quantity"], line.kit["title"], ZERO, [])
        kit = rows.setdefault((line.kit["variantId"],), bought)
        kit.amount += line.amount
        kit.parts.append({"quantity": line.quantity, "title": line.title})
    return [
        {"quantity": row.quantity, "title": row.title, "amount": str(row.amount), "parts": row.parts}
        for row in rows.values()
    ]


def title_with_kit(line: _Line) -> str:
    """The title of a line alone, with that of the kit which it is a part of."""
    return line.title if line.kit is None else f"{line.title} (part of {line.kit['title']})"
