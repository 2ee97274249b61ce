"""A store's page: what its seller says of it, and who sees how the seller can be reached."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.buying import ADDRESS
from tests.harness.shop import Person, Shop, problem

CONTACT = {
    "legalName": "Mill Lane Trading Ltd",
    "address": {"street": "1 Mill Lane", "city": "Leeds", "zipCode": "ls1 1aa", "country": "United Kingdom"},
    "email": "Trade@Example.com",
    "phone": "+44 20 7946 0000",
    "registrationNumber": "HRB 12345",
    "vatNumber": "GB123456789",
}
SHOWN = {
    **CONTACT,
    "address": {"street": "1 Mill Lane", "city": "Leeds", "state": None, "zipCode": "LS1 1AA", "country": "GB"},
    "email": "trade@example.com",
}
STORE = {
    "name": "Mill Lane", "about": "Since 1901.", "policies": {"shipping": "Daily.", "returns": None}, "trader": True,
    "contact": CONTACT, "safetyContact": {"name": "Sal", "email": "sal@example.com", "phone": None},
}  # fmt: skip


@pytest.fixture
def seller(shop: Shop) -> Person:
    return shop.person("seller")


def describe(shop: Shop, seller: Person, **fields: Any) -> httpx.Response:
    return shop.client.put("/api/v1/sellers/me", json={**STORE, **fields}, headers=seller.headers)


def seen(shop: Shop, seller: Person, **headers: str) -> dict[str, Any]:
    answer = shop.client.get(f"/api/v1/sellers/{seller.user_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_traders_data_is_public(shop: Shop, seller: Person) -> None:
    before = seen(shop, seller)
    assert before == {
        "sellerId": seller.user_id, "name": "Some Seller", "about": None, "country": "US", "rating": 0.0,
        "verified": True, "since": before["since"], "policies": {"shipping": None, "returns": None}, "trader": False,
        "contact": None, "safetyContact": None, "products": f"/api/v1/products?sellerId={seller.user_id}",
    }  # fmt: skip

    answer = describe(shop, seller)

    assert answer.status_code == 200, answer.text
    after = seen(shop, seller)
    assert after == answer.json() == {**before, **STORE, "contact": SHOWN, "country": "GB"}
    assert shop.client.get(after["products"]).json()["products"] == []
    product = shop.product(seller, title="Of the mill")
    assert product["seller"]["name"] == "Mill Lane"
    assert [one["title"] for one in shop.client.get(after["products"]).json()["products"]] == ["Of the mill"]


def test_how_to_reach_a_private_seller_is_for_nobody_else(shop: Shop, seller: Person) -> None:
    assert describe(shop, seller, trader=False).json()["contact"] == SHOWN

    assert seen(shop, seller)["contact"] is None
    assert seen(shop, seller, **shop.person().headers)["contact"] is None
    assert seen(shop, seller, **shop.person("seller").headers)["contact"] is None
    assert seen(shop, seller, **seller.headers)["contact"] == SHOWN
    assert shop.client.get("/api/v1/sellers/me", headers=seller.headers).json()["contact"] == SHOWN
    assert "Mill Lane Trading" not in str(seen(shop, seller))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a\u202eb"}, "/name"),
        ({"contact": None}, ""),
        ({"contact": {**CONTACT, "phone": "none"}}, "/contact/phone"),
        ({"contact": {**CONTACT, "email": "none"}}, "/contact/email"),
        ({"contact": {**CONTACT, "vatNumber": "12"}}, "/contact/vatNumber"),
        ({"contact": {key: CONTACT[key] for key in CONTACT if key != "legalName"}}, "/contact/legalName"),
        ({"contact": {**CONTACT, "address": {**ADDRESS, "country": "Nowhere"}}}, "/contact/address/country"),
        ({"safetyContact": {"name": "S", "email": "s"}}, "/safetyContact/email"),
        ({"policies": {"shipping": "x" * 5_001}}, "/policies/shipping"),
    ],
)
def test_what_is_wrong_is_named(shop: Shop, seller: Person, fields: dict[str, Any], pointer: str) -> None:
    answer = describe(shop, seller, **fields)
    assert answer.status_code == 422, answer.text
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert seen(shop, seller)["name"] == "Some Seller"


def test_a_store_that_is_none_is_not_found(shop: Shop) -> None:
    buyer = shop.person()
    for seller in (str(uuid4()), "x", buyer.user_id):
        problem(shop.client.get(f"/api/v1/sellers/{seller}"), 404, "seller-not-found")
    problem(shop.client.get("/api/v1/products", params={"sellerId": str(uuid4())}), 404, "seller-not-found")
    problem(shop.client.put("/api/v1/sellers/me", json=STORE, headers=buyer.headers), 403, "forbidden")
    problem(shop.client.put("/api/v1/sellers/me", json=STORE), 401, "not-authenticated")
