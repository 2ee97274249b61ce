"""Kits in tests: products of the kind kit, made over HTTP."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

from tests.harness.shop import Person, Shop

Json = Mapping[str, Any]


def variant_of(product: Json, place: int = 0) -> str:
    return str(product["variants"][place]["variantId"])


def made_of(*parts: tuple[Json, int]) -> list[dict[str, Any]]:
    """The components of a variant: units of the first variants of products."""
    return [{"variantId": variant_of(product), "units": units} for product, units in parts]


def kit_body(shop: Shop, *parts: tuple[Json, int], price: float = 10.0, **fields: Any) -> dict[str, Any]:
    """A kit of one variant."""
    return {
        "title": f"Kit {uuid4().hex[:12]}",
        "category": str(shop.category("/Electronics/Phones")),
        "price": price,
        "kind": "kit",
        "variants": [{"components": made_of(*parts)}],
        **fields,
    }


def offer_kit(shop: Shop, seller: Person, body: Json) -> httpx.Response:
    return shop.client.post("/api/v1/products", json=dict(body), headers=seller.headers)


def kit_of(shop: Shop, seller: Person, *parts: tuple[Json, int], price: float = 10.0, **fields: Any) -> dict[str, Any]:
    """A new kit of units of the first variants of products, as its page shows it."""
    answer = offer_kit(shop, seller, kit_body(shop, *parts, price=price, **fields))
    assert answer.status_code == 201, answer.text
    return shop.detail(answer.json()["productId"])


def cents(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))
