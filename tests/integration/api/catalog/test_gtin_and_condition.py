"""GTINs, conditions and the picker of a product, as saves leave them and pages show them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from api.kernel.gtin import check_digit
from tests.harness.buying import Market
from tests.harness.shop import Person, problem
from tests.integration.api.catalog.test_saves import BIRCH, OAK, Saves, refused


def gtin() -> str:
    digits = f"4{uuid4().int % 10**11:011d}"
    return f"{digits}{check_digit(digits)}"


def kept(number: str) -> str:
    return number.zfill(14)


@pytest.fixture
def chair(market: Market, seller: Person) -> Saves:
    """Oak and birch, each with a GTIN and units."""
    variants = [{**OAK, "gtin": gtin(), "stock": 3}, {**BIRCH, "gtin": gtin(), "stock": 3}]
    return Saves(market, seller, [{**one, "sku": f"G-{uuid4().hex[:8]}"} for one in variants])


def test_a_gtin_is_a_field_of_a_variant_that_put_clears_and_patch_keeps(chair: Saves) -> None:
    (oak, first), (birch, second) = chair.told("sku", "gtin")

    assert chair.patch([{"sku": oak, "stock": 5}]).status_code == 200
    assert chair.told("gtin") == [first, second]
    other = gtin()
    assert chair.patch([{"sku": oak, "gtin": other}, {"sku": birch, "gtin": None}]).status_code == 200
    assert chair.told("gtin") == [kept(other), None]
    assert chair.put([{"sku": oak, **OAK}, {"sku": birch, **BIRCH, "gtin": second}]).status_code == 200
    assert chair.told("gtin") == [None, second]
    listed = chair.market.client.get(f"{chair.path}/variants").json()["variants"]
    assert [variant["gtin"] for variant in listed] == [None, second]


def test_two_variants_of_a_product_have_no_gtin_in_common_and_may_swap_theirs(chair: Saves) -> None:
    (oak, first), (birch, second) = chair.told("sku", "gtin")

    assert refused(chair.patch([{"sku": birch, "gtin": first}])) == ("/variants/0/gtin",)
    assert refused(chair.patch([{"sku": birch, "gtin": f"{first[:-1]}{(int(first[-1]) + 1) % 10}"}])) == (
        "/variants/0/gtin",
    )
    swap = [{"sku": oak, "gtin": second}, {"sku": birch, "gtin": first}]
    assert chair.patch(swap).status_code == 200
    assert chair.told("gtin") == [second, first]


def test_a_gtin_is_one_of_a_sellers_living_variants(market: Market, seller: Person, chair: Saves) -> None:
    (_, first), _ = chair.told("sku", "gtin")
    other = Saves(market, seller, [])

    for answer in (
        other.patch([{"attributes": {}, "gtin": first}]),
        other.post({**other.body, "title": f"T {uuid4()}", "variants": [{"gtin": first[1:]}]}),
    ):
        taken = problem(answer, 409, "gtin-taken")
        assert (taken["productId"], first in taken["detail"]) == (chair.product_id, True)
    rival = Saves(market, market.person("seller"), [{"gtin": first}])
    assert rival.told("gtin") == [first]
    assert chair.put([BIRCH]).status_code == 200
    assert other.patch([{"attributes": {}, "gtin": first}]).status_code == 200


def test_of_simultaneous_products_with_one_gtin_one_is_made(chair: Saves) -> None:
    number = gtin()
    bodies = [{**chair.body, "title": f"Rush {n} {uuid4()}", "variants": [{"gtin": number}]} for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(chair.post, bodies))

    made = [answer.json()["productId"] for answer in answers if answer.status_code == 201]
    assert len(made) == 1
    refusals = [problem(answer, 409, "gtin-taken") for answer in answers if answer.status_code != 201]
    assert {refusal["productId"] for refusal in refusals} == set(made)


def test_a_seller_has_a_thing_once_in_each_condition(market: Market, chair: Saves) -> None:
    body = {**chair.body, "title": f"Kettle {uuid4()}"}
    new, good = (chair.post({**body, "condition": one}).json() for one in ("new", "used_good"))

    assert (new["condition"], good["condition"]) == ("new", "used_good")
    for answer in (
        chair.post({**body, "condition": "used_good"}),
        market.client.patch(
            f"/api/v1/products/{new['productId']}", json={"condition": "used_good"}, headers=chair.seller.headers
        ),
    ):
        assert problem(answer, 409, "duplicate-product")["productId"] == good["productId"]
    assert market.client.get(f"/api/v1/products/{new['productId']}").json()["condition"] == "new"
    assert refused(chair.post({**body, "condition": "mint"})) == ("/condition",)
    path, headers = f"/api/v1/products/{new['productId']}", chair.seller.headers
    assert market.client.patch(path, json={"condition": "refurbished"}, headers=headers).status_code == 200
    assert chair.post({**body, "condition": "refurbished"}).status_code == 409
    assert chair.post(body).status_code == 201


def test_a_used_thing_of_another_seller_is_queued_as_an_offer_of_it(market: Market, chair: Saves) -> None:
    body = {**chair.body, "title": f"Kettle {uuid4()}", "condition": "used_like_new"}
    rival = market.person("seller")
    first = chair.post({**body, "condition": "new"}).json()["productId"]
    offer = market.client.post("/api/v1/products", json=body, headers=rival.headers).json()["productId"]

    queued = "select other_product_id::text from offer_matches where product_id = %s"
    assert market.sql.execute(queued, (offer,)).fetchall() == [(first,)]


def test_the_condition_is_on_page_and_lists(market: Market, chair: Saves) -> None:
    assert chair.patch(condition="used_acceptable").status_code == 200

    listed = market.client.get("/api/v1/products", params={"sellerId": chair.seller.user_id}).json()["products"]
    own = market.client.get("/api/v1/sellers/me/products", headers=chair.seller.headers).json()["products"]
    ids = f"{chair.product_id},{Saves(market, chair.seller, []).product_id}"
    compared = market.client.get("/api/v1/products/compare", params={"ids": ids}).json()

    assert {card["condition"] for card in listed if card["productId"] == chair.product_id} == {"used_acceptable"}
    assert own[0]["condition"] == "used_acceptable"
    assert "used_acceptable" in str(compared)
    assert chair.put().status_code == 200
    assert chair.read()[0]["condition"] == "new"


def test_a_product_is_of_one_kind_for_ever(market: Market, chair: Saves) -> None:
    path, headers = f"/api/v1/products/{chair.product_id}", chair.seller.headers

    assert chair.read()[0]["kind"] == "physical"
    for kind, pointer in (("kit", "/variants/0/components"), ("service", "/kind")):
        assert refused(chair.post({**chair.body, "title": f"Set {uuid4()}", "kind": kind})) == (pointer,)
    for kind in ("kit", "digital"):
        assert refused(market.client.patch(path, json={"kind": kind}, headers=headers)) == ("/kind",)
    assert market.client.patch(path, json={"kind": "physical"}, headers=headers).status_code == 200
    assert chair.read()[0]["kind"] == "physical"


def test_the_page_has_a_picker_of_what_is_for_sale(market: Market, seller: Person) -> None:
    made: list[dict[str, Any]] = [
        {"attributes": {"color": "Red", "size": "S"}, "stock": 5},
        {"attributes": {"color": "Blue", "size": "M"}, "stock": 0},
        {"attributes": {"color": "Green", "size": "L"}, "stock": 5},
    ]
    shirt = Saves(market, seller, made)
    assert shirt.put(made[:2]).status_code == 200
    red, blue = shirt.told("variantId")

    page = market.client.get(shirt.path).json()

    assert page["options"] == [
        {
            "name": "color",
            "values": [
                {"value": "Blue", "available": False, "image": None},
                {"value": "Red", "available": True, "image": None},
            ],
        },
        {
            "name": "size",
            "values": [
                {"value": "S", "available": True, "image": None},
                {"value": "M", "available": False, "image": None},
            ],
        },
    ]
    assert page["combinations"] == [
        {"values": {"color": "Red", "size": "S"}, "variantId": red, "available": True},
        {"values": {"color": "Blue", "size": "M"}, "variantId": blue, "available": False},
    ]
