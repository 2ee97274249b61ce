"""A kit as it was bought: what each line of its components keeps of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class KitBought:
    """A variant of a kit, as it was offered. `quantity`: units of it in the order; `price`: of one, before discounts.
    The lines of its components add up to quantity times price."""

    variant_id: UUID
    product_id: UUID
    title: str
    sku: str
    quantity: int
    price: Decimal

    def as_json(self) -> str:
        """As a line keeps it; the price is a text, so that it never becomes a float."""
        return orjson.dumps(
            {
                "variantId": self.variant_id,
                "productId": self.product_id,
                "title": self.title,
                "sku": self.sku,
                "quantity": self.quantity,
                "price": str(self.price),
            }
        ).decode()


def kit_of(stored: Mapping[str, Any] | None) -> KitBought | None:  # Any: JSON
    """What a line keeps of its kit."""
    if stored is None:
        return None
    return KitBought(
        variant_id=UUID(stored["variantId"]),
        product_id=UUID(stored["productId"]),
        title=stored["title"],
        sku=stored["sku"],
        quantity=stored["quantity"],
        price=Decimal(stored["price"]),
    )


def kit_json(kit: KitBought | None) -> str | None:
    return None if kit is None else kit.as_json()
