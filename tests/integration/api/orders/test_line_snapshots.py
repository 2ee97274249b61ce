"""An order is what was bought: whatever a seller does to the product afterwards, its JSON stays the same bytes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from api.kernel.actor import Actor
from api.kernel.db import Database
from api.kernel.settings import Settings
from api.orders.queries.detail import order_of
from tests.harness.buying import Market
from tests.harness.pictures import base64_of, one_of
from tests.harness.shop import Person
from tests.harness.wire import rewritten_wire

PICTURE = base64_of(one_of(1))
VARIANT = {"sku": "C-OAK", "attributes": {"wood": "oak", "height": "44"}, "price": 33.33}


def chair(market: Market, seller: Person, sku: str) -> dict[str, Any]:
    variant = {**VARIANT, "sku": sku}
    fields: dict[str, Any] = {
        "title": "Oak chair",
        "brand": sku,
        "price": 40.0,
        "listPrice": 50.0,
        "images": [PICTURE],
        "variants": [variant],
    }
    return market.product(seller, **fields)


def ordered(market: Market, buyer: Person, *lines: tuple[dict[str, Any], int]) -> str:
    answer = market.buy(buyer, market.order_body(*lines))
    assert answer.status_code == 201, answer.text
    order: str = answer.json()["orderId"]
    return order


def seen(market: Market, buyer: Person, order: str) -> bytes:
    answer = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers)
    assert answer.status_code == 200, answer.text
    return answer.content


def change(market: Market, seller: Person, product: Mapping[str, Any], how: str) -> None:
    path = f"/api/v1/products/{product['productId']}"
    new = {"title": "Beech stool", "price": 9.0, "category": product["category"]}
    sku = product["variants"][0]["sku"]
    parts: dict[str, Any] = {
        "rename": {
            "title": "Beech stool",
            "images": [base64_of(one_of(2))],
            "price": 99.0,
            "listPrice": 120.0,
        },
        "replace": {**new, "variants": [{"sku": sku, "attributes": {"wood": "beech"}, "price": 9.0}]},
    }
    if how == "rename":
        answer = market.client.patch(path, json=parts[how], headers=seller.headers)
    elif how == "replace":
        answer = market.client.put(path, json=parts[how], headers=seller.headers)
    else:
        answer = market.client.delete(path, headers=seller.headers)
    assert answer.status_code in {200, 204}, answer.text


def test_an_order_stays_the_same_bytes_when_its_product_is_renamed_replaced_and_deleted(
    market: Market, buyer: Person, seller: Person
) -> None:
    product = chair(market, seller, "C-OAK-1")
    order = ordered(market, buyer, (product, 2))
    bought = seen(market, buyer, order)

    for how in ("rename", "replace", "delete"):
        change(market, seller, product, how)
        assert seen(market, buyer, order) == bought, how


def test_a_line_says_what_was_bought_and_at_what_price_and_tax(market: Market, buyer: Person, seller: Person) -> None:
    product, plain = chair(market, seller, "C-OAK-2"), market.product(seller, title="Plain", price=0.07)
    order = ordered(market, buyer, (product, 3), (plain, 1))

    answer = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()

    lines = {line["title"]: line for line in answer["items"]}
    asked = ("sku", "attributes", "imageUrl", "price", "listPrice", "subtotal", "discount", "promotion")
    assert {name: lines["Oak chair"][name] for name in asked} == {
        "sku": "C-OAK-2",
        "attributes": {"wood": "oak", "height": "44"},
        "imageUrl": product["media"][0]["url480"],
        "price": 33.33,
        "listPrice": 43.33,
        "subtotal": 99.99,
        "discount": 0.0,
        "promotion": None,
    }
    assert lines["Plain"]["imageUrl"] == f"/api/v1/products/{plain['productId']}/image.svg"
    tax = {title: [line[name] for name in TAX] for title, line in lines.items()}
    assert tax == {"Oak chair": [0.08, 8.0, False, "standard"], "Plain": [0.08, 0.01, False, "standard"]}
    # 8 % of 100.06 is 8.00; the lines' taxes are 7.9992 and 0.0056, each rounded, and the order's is their sum.
    assert (answer["tax"], answer["taxIncluded"], answer["total"]) == (8.01, 0.0, 108.07)


TAX = ("taxRate", "taxAmount", "taxIncluded", "taxClass")


def test_the_taxes_of_the_lines_add_up_to_the_orders(market: Market, buyer: Person, seller: Person) -> None:
    products = [market.product(seller, price=price) for price in (0.33, 1.11, 7.77, 12.49)]
    order = ordered(market, buyer, *((product, 1) for product in products))

    answer = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()

    lines = [Decimal(str(line["taxAmount"])) for line in answer["items"]]
    assert (sum(lines), len(lines)) == (Decimal(str(answer["tax"])), 4)
    assert answer["tax"] == 1.74


async def test_a_read_of_the_products_words_is_seen(market: Market, buyer: Person, seller: Person) -> None:
    """Negative control: the title is read from the product, as it was before lines kept their own."""
    product = chair(market, seller, "C-OAK-3")
    order = ordered(market, buyer, (product, 1))
    actor = Actor("customer", UUID(buyer.user_id))
    db = Database(Settings.model_validate({"DATABASE_URL": market.database_url, "SOUK_PROFILE": "test"}))

    async def titles() -> list[str]:
        async with db.read() as tx:
            return [line.title for line in (await order_of(tx, actor, UUID(order))).items]

    of_product = "(SELECT title FROM products p WHERE p.product_id = order_items.product_id)"
    with rewritten_wire(r"order_items\.title", of_product):
        before = await titles()
        change(market, seller, product, "rename")
        after = await titles()
    assert (before, after, await titles()) == (["Oak chair"], ["Beech stool"], ["Oak chair"])
    await db.close()


@pytest.mark.parametrize("column", ["title", "sku", "attributes", "image_url", "tax_rate", "tax_amount", "tax_class"])
def test_no_line_that_is_placed_lacks_a_part_of_its_snapshot(
    market: Market, buyer: Person, seller: Person, column: str
) -> None:
    ordered(market, buyer, (chair(market, seller, f"C-{column}"), 1))

    assert market.scalar(f"select count(*) from order_items where {column} is null") == 0


def test_a_line_of_a_time_at_which_the_shop_linked_to_pictures_elsewhere_shows_the_drawn_one(
    market: Market, buyer: Person, seller: Person
) -> None:
    product = chair(market, seller, f"linked-{buyer.user_id}")
    order = ordered(market, buyer, (product, 1))
    market.sql.execute("update order_items set image_url = 'https://a.example/1.jpg' where order_id = %s", (order,))

    drawn = f"/api/v1/products/{product['productId']}/image.svg"
    assert b"a.example" not in seen(market, buyer, order)
    assert drawn.encode() in seen(market, buyer, order)
    listed = market.client.get("/api/v1/users/me/orders", headers=buyer.headers)
    assert (b"a.example" in listed.content, drawn.encode() in listed.content) == (False, True)
