"""Orders of several sellers, and what their sellers do with the parcels."""

from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from tests.harness.buying import Market
from tests.harness.shop import Person


class Sale(NamedTuple):
    """One order of two lines of A and one of B."""

    order_id: str
    number: str
    lines: dict[str, list[str]]


def sold(market: Market, buyer: Person, *parts: tuple[Person, float]) -> Sale:
    """An order of one unit of a new product per part."""
    products = [(seller, market.product(seller, stock=9, price=price)) for seller, price in parts]
    answer = market.buy(buyer, market.order_body(*((product, 1) for _, product in products)))
    assert answer.status_code == 201, answer.text
    lines: dict[str, list[str]] = {seller.user_id: [] for seller, _ in parts}
    for seller, product in products:
        lines[seller.user_id].append(product["title"])
    return Sale(answer.json()["orderId"], answer.json()["orderNumber"], lines)


def part_of(market: Market, seller: Person, order_id: str) -> dict[str, Any]:
    answer = market.client.get(f"/api/v1/sellers/me/orders/{order_id}", headers=seller.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def order_of(market: Market, who: Person, order_id: str) -> dict[str, Any]:
    answer = market.client.get(f"/api/v1/orders/{order_id}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def do(
    market: Market, who: Person, parcel_id: str, what: str, body: dict[str, Any] | None = None, *, key: str = ""
) -> httpx.Response:
    headers = {**who.headers, "Idempotency-Key": key or next(market.keys)}
    return market.client.post(f"/api/v1/sellers/me/parcels/{parcel_id}/{what}", json=body, headers=headers)


def send(market: Market, seller: Person, parcel_id: str, *steps: str) -> None:
    for what in steps or ("process", "ship", "deliver"):
        answer = do(market, seller, parcel_id, what)
        assert answer.status_code == 200, answer.text


def stocked_in_leeds(market: Market, seller: Person, units: int, **fields: Any) -> dict[str, Any]:
    """A new product whose units are all in a warehouse in Leeds, unlike those of `Market.product`."""
    product = market.product(seller, stock=0, **fields)
    variant = product["variants"][0]["variantId"]
    warehouse = market.warehouse("T2")
    with market.sql.transaction():
        market.sql.execute("update product_variants set stock_quantity = %s where variant_id = %s", (units, variant))
        market.sql.execute(
            "insert into warehouse_stock (variant_id, warehouse_id, available) values (%s, %s, %s)",
            (variant, warehouse, units),
        )
        market.sql.execute(
            "insert into inventory_transactions (transaction_id, variant_id, warehouse_id, quantity_change,"
            " transaction_type, previous_quantity, new_quantity) values (%s, %s, %s, %s, 'adjustment', 0, %s)",
            (uuid4(), variant, warehouse, units, units),
        )
    return product
