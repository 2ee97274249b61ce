"""Kits: what they are made of is judged at each save, and how many there are of one follows from its components."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api import nouns
from api.catalog.kits.counting import count_kits
from api.catalog.kits.statements import MISCOUNTED
from api.catalog.pages import product_tag
from api.kernel import outbox
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.kits import Json, kit_body, kit_of, made_of, offer_kit, variant_of
from tests.harness.shop import Person, problem
from tests.integration.api.catalog.test_offers import Article


@pytest.fixture
async def ctx(market: Market, server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as context:
        yield context


async def settle(ctx: Context) -> None:
    """What the relay does within half a second."""
    await outbox.relay(ctx, nouns.followers(), nouns.drops(), nouns.doors(), nouns.spreads())


def parts(market: Market, seller: Person, *stocks: int, **fields: Any) -> list[dict[str, Any]]:
    return [market.product(seller, stock=stock, **fields) for stock in stocks]


def errors_of(market: Market, seller: Person, body: Json) -> list[tuple[str, str]]:
    answer = offer_kit(market, seller, body)
    return [(error["pointer"], error["message"]) for error in problem(answer, 422, "validation-failed")["errors"]]


def listed(market: Market, product: Json, **query: str) -> bool:
    return product["title"] in market.titles(limit="100", sort="newest", **query)


def test_a_kit_shows_what_it_is_made_of_and_counts_it(market: Market, seller: Person) -> None:
    body, lens = parts(market, seller, 9, 7)

    kit = kit_of(market, seller, (body, 1), (lens, 2), price=25.0)

    (variant,) = kit["variants"]
    assert (kit["kind"], kit["price"], variant["stock"], kit["inStock"]) == ("kit", 25.0, 3, True)
    assert variant["components"] == [
        {
            "variantId": variant_of(part),
            "productId": part["productId"],
            "title": part["title"],
            "sku": part["variants"][0]["sku"],
            "units": units,
            "stock": stock,
            "forSale": True,
        }
        for part, units, stock in ((body, 1, 9), (lens, 2, 7))
    ]
    assert body["variants"][0]["components"] is None
    assert kit["shipping"]["standardFrom"] is not None
    assert listed(market, kit, inStock="true")


def test_components_are_named_by_sku_too(market: Market, seller: Person) -> None:
    first, second = parts(market, seller, 4, 4)
    named = [{"sku": one["variants"][0]["sku"].lower(), "units": 1} for one in (first, second)]

    kit = kit_of(market, seller, variants=[{"components": named}])

    assert [one["variantId"] for one in kit["variants"][0]["components"]] == [variant_of(first), variant_of(second)]


def test_what_cannot_be_a_component_is_named(market: Market, seller: Person) -> None:
    first, second, gone = parts(market, seller, 4, 4, 4)
    kit = kit_of(market, seller, (first, 1), (second, 1))
    foreign = market.product(market.person("seller"))
    assert market.client.delete(f"/api/v1/products/{gone['productId']}", headers=seller.headers).status_code == 204
    at = "/variants/0/components"

    def wrong(*components: Json) -> list[tuple[str, str]]:
        return errors_of(market, seller, kit_body(market, variants=[{"components": [*components]}]))

    good = made_of((first, 1), (second, 2))
    assert wrong(*made_of((kit, 1)), good[0]) == [(f"{at}/0/variantId", "is a kit itself")]
    assert wrong(good[0], *made_of((foreign, 1))) == [(f"{at}/1/variantId", "you sell no such variant")]
    assert wrong(good[0], *made_of((gone, 1))) == [(f"{at}/1/variantId", "you sell no such variant")]
    assert wrong(good[0], {"sku": "NOT-THERE"}) == [(f"{at}/1/sku", "you sell no such variant")]
    twice = "names the same variant as /variants/0/components/0: add the units there"
    assert wrong(good[0], {"sku": first["variants"][0]["sku"]}) == [(f"{at}/1/sku", twice)]
    assert [pointer for pointer, _ in wrong(good[0], {**good[1], "units": 0})] == [f"{at}/1/units"]
    assert [pointer for pointer, _ in wrong(good[0], {"units": 2})] == [f"{at}/1"]
    assert [pointer for pointer, _ in wrong(good[0], {**good[1], "sku": "BOTH"})] == [f"{at}/1"]
    assert [pointer for pointer, _ in wrong(good[0])] == [at]
    assert [pointer for pointer, _ in wrong(*good * 11)] == [at]


def test_a_kit_has_components_and_no_stock_and_others_have_none(market: Market, seller: Person) -> None:
    first, second = parts(market, seller, 4, 4)
    components = made_of((first, 1), (second, 1))
    needed, kept = "a kit is made of 2 to 20 variants: name them", "a kit has the stock of its components: change that"

    assert errors_of(market, seller, kit_body(market, variants=[])) == [("/variants/0/components", needed)]
    both = [{"components": components, "attributes": {"size": "S"}}, {"attributes": {"size": "L"}}]
    assert errors_of(market, seller, kit_body(market, variants=both)) == [("/variants/1/components", needed)]
    stocked = [{"components": components, "stock": 3}]
    assert errors_of(market, seller, kit_body(market, variants=stocked)) == [("/variants/0/stock", kept)]
    changed = [{"components": components, "stockChange": 3}]
    assert errors_of(market, seller, kit_body(market, variants=changed)) == [("/variants/0/stockChange", kept)]
    plain = kit_body(market, (first, 1), (second, 1), kind="physical")
    assert errors_of(market, seller, plain) == [("/variants/0/components", "only a product of the kind kit has them")]


def test_a_product_is_of_one_kind_for_ever(market: Market, seller: Person) -> None:
    first, second = parts(market, seller, 4, 4)
    kit = kit_of(market, seller, (first, 1), (second, 1))

    for product, kind in ((first, "kit"), (kit, "physical")):
        url = f"/api/v1/products/{product['productId']}"
        answer = market.client.patch(url, json={"kind": kind}, headers=seller.headers)
        assert [error["pointer"] for error in problem(answer, 422, "validation-failed")["errors"]] == ["/kind"]


def test_saves_change_what_was_sent_and_put_twice_is_once(market: Market, seller: Person) -> None:
    first, second, third = parts(market, seller, 8, 8, 3)
    kit = kit_of(market, seller, (first, 1), (second, 2))
    url = f"/api/v1/products/{kit['productId']}"

    def patched(**variant: Any) -> dict[str, Any]:
        named = {"variantId": variant_of(kit), **variant}
        answer = market.client.patch(url, json={"variants": [named]}, headers=seller.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["variants"][0])

    assert (patched(price=12.5)["stock"], len(patched(sku="KIT-1")["components"])) == (4, 2)
    changed = patched(components=made_of((first, 1), (third, 1)))
    assert ([one["variantId"] for one in changed["components"]], changed["stock"]) == (
        [variant_of(first), variant_of(third)],
        3,
    )
    removed = market.client.patch(
        url, json={"variants": [{"variantId": variant_of(kit), "components": None}]}, headers=seller.headers
    )
    assert [e["pointer"] for e in problem(removed, 422, "validation-failed")["errors"]] == ["/variants/0/components"]
    body = kit_body(market, (second, 3), (third, 1), title=kit["title"])
    versions = "select count(*) from product_versions where product_id = %s"
    found = []
    for _ in range(2):
        answer = market.client.put(url, json=body, headers=seller.headers)
        assert answer.status_code == 200, answer.text
        found.append((answer.json()["variants"], market.scalar(versions, (kit["productId"],))))
    assert found[0] == found[1]
    assert market.scalar("select count(*) from kit_components where variant_id = %s", (variant_of(kit),)) == 2


def test_an_earlier_version_brings_back_what_it_was_made_of(market: Market, seller: Person) -> None:
    first, second, third = parts(market, seller, 8, 8, 8)
    kit = kit_of(market, seller, (first, 1), (second, 2))
    url = f"/api/v1/products/{kit['productId']}"
    other = {"variantId": variant_of(kit), "components": made_of((first, 3), (third, 1))}
    assert market.client.patch(url, json={"variants": [other]}, headers=seller.headers).status_code == 200

    restored = market.client.post(f"{url}/versions/1/restore", headers=seller.headers)

    assert restored.status_code == 200, restored.text
    shown = market.detail(kit["productId"])["variants"][0]["components"]
    assert [(one["variantId"], one["units"]) for one in shown] == [(variant_of(first), 1), (variant_of(second), 2)]


def test_nobody_books_the_stock_of_a_kit(market: Market, seller: Person) -> None:
    kit = kit_of(market, seller, *((part, 1) for part in parts(market, seller, 4, 4)))
    variant, there = variant_of(kit), market.warehouse("K1")
    level = f"variants/{variant}/warehouses/{there}"
    requests: list[tuple[str, str, dict[str, Any], str]] = [
        ("POST", "adjustments", {"variantId": variant, "warehouseId": there, "change": 1}, "/variantId"),
        ("PUT", level, {"available": 3}, "/path/variantId"),
        ("PUT", f"{level}/backorders", {"limit": 3, "days": 3}, "/path/variantId"),
        ("POST", "replenishments", {"variantId": variant, "warehouseId": there, "quantity": 3}, "/variantId"),
    ]
    for method, path, body, pointer in requests:
        headers = {**seller.headers, "Idempotency-Key": f"kit-{path}"}
        answer = market.client.request(method, f"/api/v1/inventory/{path}", json=body, headers=headers)
        assert [e["pointer"] for e in problem(answer, 422, "kit-has-no-stock")["errors"]] == [pointer], path


async def test_a_kit_is_counted_anew_when_a_component_moves(
    market: Market, seller: Person, buyer: Person, ctx: Context
) -> None:
    first, second = parts(market, seller, 9, 8)
    kit = kit_of(market, seller, (first, 1), (second, 2))
    own = f"/api/v1/sellers/me/products?q={kit['variants'][0]['sku']}"

    def seen() -> tuple[int, ...]:
        stored = market.scalar("select stock_quantity from product_variants where variant_id = %s", (variant_of(kit),))
        shown = market.client.get(own, headers=seller.headers).json()["products"][0]["stock"]
        return stored, shown, market.detail(kit["productId"])["variants"][0]["stock"]

    assert seen() == (4, 4, 4)
    assert market.buy(buyer, market.order_body((second, 3))).status_code == 201
    await settle(ctx)
    assert seen() == (2, 2, 2)
    assert market.buy(buyer, market.order_body((second, 4))).status_code == 201
    await settle(ctx)
    assert seen() == (0, 0, 0)
    assert not listed(market, kit, inStock="true")
    receipt = {"variantId": variant_of(second), "warehouseId": own_warehouse(market, second), "change": 5}
    headers = {**seller.headers, "Idempotency-Key": f"receipt-{variant_of(kit)}"}
    assert market.client.post("/api/v1/inventory/adjustments", json=receipt, headers=headers).status_code == 201
    await settle(ctx)
    assert seen() == (3, 3, 3)
    assert listed(market, kit, inStock="true")


def own_warehouse(market: Market, product: Json) -> str:
    return str(market.scalar("select warehouse_id from warehouse_stock where variant_id = %s", (variant_of(product),)))


async def test_a_count_that_ignores_units_is_seen(
    market: Market, seller: Person, buyer: Person, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""
    wrong = text(MISCOUNTED.text.replace("c.stock_quantity / k.units", "c.stock_quantity"))
    assert wrong.text != MISCOUNTED.text
    monkeypatch.setattr("api.catalog.kits.counting.MISCOUNTED", wrong)

    with pytest.raises(AssertionError, match=r"\(5, 5, 2\)"):
        await test_a_kit_is_counted_anew_when_a_component_moves(market, seller, buyer, ctx)
    monkeypatch.undo()
    kits = "select distinct product_id from product_variants join kit_components using (variant_id)"
    async with ctx.db.autocommit() as tx:
        await count_kits(tx, [row[0] for row in market.sql.execute(kits).fetchall()])


async def test_without_a_component_that_is_withdrawn_a_kit_cannot_be_bought(
    market: Market, seller: Person, buyer: Person, ctx: Context
) -> None:
    first, second = parts(market, seller, 9, 8)
    kit = kit_of(market, seller, (first, 1), (second, 2))
    line = {"productId": kit["productId"], "variantId": variant_of(kit), "quantity": 1}
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201

    assert market.client.delete(f"/api/v1/products/{second['productId']}", headers=seller.headers).status_code == 204
    await settle(ctx)

    shown = market.detail(kit["productId"])
    assert [one["forSale"] for one in shown["variants"][0]["components"]] == [True, False]
    assert (shown["variants"][0]["stock"], shown["inStock"], shown["shipping"]["standardDelivery"]) == (
        0,
        False,
        "Out of stock",
    )
    assert market.scalar("select stock_quantity from product_variants where variant_id = %s", (variant_of(kit),)) == 0
    cart = market.client.get("/api/v1/cart", headers=buyer.headers).json()
    why = f"its component {second['title']} is not for sale any more"
    assert [(one["available"], one["unavailable"]) for one in cart["items"]] == [(False, why)]
    assert cart["total"] == 0.0
    refused = problem(market.buy(buyer, market.order_body((kit, 1))), 422, "not-orderable")
    assert refused["errors"] == [
        {"pointer": "/items/0/productId", "message": f"its component {second['title']} is not for sale"}
    ]
    assert (
        market.client.delete(f"/api/v1/cart/items/{cart['items'][0]['cartItemId']}", headers=buyer.headers).status_code
        == 200
    )


def test_a_component_bars_its_kit_where_it_is_not_sold(market: Market, seller: Person, buyer: Person) -> None:
    first = market.product(seller, restrictions={"deniedCountries": ["US"]})
    second = market.product(seller, restrictions={"minAge": 18})
    kit = kit_of(market, seller, (first, 1), (second, 1))

    assert market.detail(kit["productId"])["shipping"]["standardDelivery"] == "Not sold to US"
    refused = problem(market.buy(buyer, market.order_body((kit, 1))), 422, "restricted")
    assert [(one["productId"], one["reason"]) for one in refused["items"]] == [
        (first["productId"], "country"),
        (second["productId"], "age_not_given"),
    ]


def test_a_kit_is_an_offer_as_its_components_are(market: Market, seller: Person) -> None:
    first, second = parts(market, seller, 4, 4)
    kit = kit_of(market, seller, (first, 1), (second, 2), price=25.0)
    url = f"/api/v1/products/{kit['productId']}/offers"

    (offer,) = market.client.get(url).json()["offers"]
    assert (offer["availability"], offer["price"]) == ("in_stock", 25.0)
    assert offer["shippingFee"] == kit["shipping"]["fee"]
    market.stock(variant_of(second), 1)
    (offer,) = market.client.get(url).json()["offers"]
    assert offer["availability"] == "out_of_stock"
    market.stock(variant_of(second), 4)


def test_a_file_makes_kits_and_an_export_says_what_they_are_made_of(market: Market, seller: Person) -> None:
    kit = kit_of(market, seller, *((part, 2) for part in parts(market, seller, 4, 4)))

    rows = market.client.get("/api/v1/products/export?format=jsonl", headers=seller.headers).text.splitlines()

    (row,) = [one for line in rows if (one := json.loads(line))["product"] == kit["productId"]]
    assert (row["kind"], row["stock"]) == ("kit", None)
    assert row["components"] == [{"sku": one["sku"], "units": 2} for one in kit["variants"][0]["components"]]


async def test_the_pages_of_other_offers_of_a_kit_follow_its_components(
    market: Market, seller: Person, ctx: Context
) -> None:
    first, second = parts(market, seller, 9, 8)
    article = Article(market)
    made = {"components": made_of((first, 1), (second, 2)), "gtin": article.gtin}
    kit = kit_of(market, seller, variants=[made])["productId"]
    other = article.offer(10.0)
    tags = {product_tag(UUID(second["productId"]))}

    async with ctx.db.autocommit() as tx:
        for spread in nouns.spreads():
            tags |= set(await spread(tx, tags))

    assert tags == {product_tag(UUID(one)) for one in (second["productId"], kit, other)}
