"""What is sold from an age on, or to some countries: one rule for page, cart, order, preview, edit and exchange."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.buying import ADDRESS, Market
from tests.harness.editing import Editing
from tests.harness.shop import Person, problem

PARIS = {"street": "1 Rue de Rivoli", "city": "Paris", "zipCode": "75001", "country": "FR"}
ADULT, CHILD = "1990-12-31", "2015-01-31"
Json = dict[str, Any]


@pytest.fixture
def wine(market: Market, seller: Person) -> Json:
    return market.product(seller, title="Wine", brand=uuid4().hex, restrictions={"minAge": 18})


@pytest.fixture
def fireworks(market: Market, seller: Person) -> Json:
    return market.product(seller, title="Fireworks", brand=uuid4().hex, restrictions={"deniedCountries": ["France"]})


def refused(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(error["pointer"], error["message"]) for error in problem(answer, 422, "restricted")["errors"]]


def test_the_page_says_so_and_promises_nothing_where_it_is_not_sold(
    market: Market, seller: Person, fireworks: Json
) -> None:
    path = f"/api/v1/products/{fireworks['productId']}"
    assert fireworks["restrictions"] == {"minAge": None, "allowedCountries": [], "deniedCountries": ["FR"]}
    there = market.client.get(path, params={"country": "FR"}).json()["shipping"]
    assert (there["standardDelivery"], there["options"]) == ("Not sold to FR", [])
    assert fireworks["shipping"]["options"] != []

    for sent, kept in (
        ({"restrictions": {}}, None),
        ({"restrictions": {"minAge": 16}}, 16),
        ({"title": "Rockets"}, 16),
    ):
        assert market.client.patch(path, json=sent, headers=seller.headers).status_code == 200
        shown = market.client.get(path, headers=seller.headers).json()["restrictions"]
        assert (shown and shown["minAge"]) == kept


def test_the_cart_marks_what_is_not_sold_where_it_goes(market: Market, fireworks: Json, wine: Json) -> None:
    buyer = market.person()
    for product in (fireworks, wine):
        line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"]}
        assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201

    home, abroad = (
        market.client.get("/api/v1/cart", params=params, headers=buyer.headers).json()
        for params in ({}, {"country": "FR"})
    )

    assert [(line["available"], line["restriction"], line["minAge"]) for line in home["items"]] == [
        (True, None, None),
        (True, None, 18),
    ]
    assert [(line["available"], line["restriction"], line["minAge"]) for line in abroad["items"]] == [
        (False, "not sold to FR", None),
        (True, None, 18),
    ]
    assert (home["subtotal"], abroad["subtotal"]) == (20.0, 10.0)


def test_an_order_names_the_line_and_the_reason_and_may_be_sent_again(
    market: Market, buyer: Person, fireworks: Json, wine: Json
) -> None:
    body = market.order_body((wine, 1), (fireworks, 1), shippingAddress=PARIS)
    key = next(market.keys)
    asked = problem(market.buy(buyer, body, key), 422, "restricted")

    assert [(error["pointer"], error["message"]) for error in asked["errors"]] == [
        ("/birthDate", "needed: Wine is sold from 18 years of age on"),
        ("/items/1", "Fireworks is not sold to FR"),
    ]
    assert [{name: value for name, value in item.items() if name != "variantId"} for item in asked["items"]] == [
        {"productId": wine["productId"], "title": "Wine", "reason": "age_not_given", "minAge": 18},
        {"productId": fireworks["productId"], "title": "Fireworks", "reason": "country", "country": "FR"},
    ]
    home = {**body, "shippingAddress": ADDRESS}
    assert refused(market.buy(buyer, {**home, "birthDate": CHILD}, key)) == [
        ("/items/0", "Wine is sold from 18 years of age on")
    ]
    assert market.buy(buyer, {**home, "birthDate": ADULT}, key).status_code == 201


def test_units_that_go_elsewhere_are_judged_by_where_they_go(market: Market, buyer: Person, fireworks: Json) -> None:
    variant = fireworks["variants"][0]["variantId"]
    gift = [{"shippingAddress": PARIS, "lines": [{"variantId": variant, "quantity": 1}]}]
    body = market.order_body((fireworks, 2), destinations=gift)

    assert refused(market.buy(buyer, body)) == [("/items/0", "Fireworks is not sold to FR")]
    preview = {name: value for name, value in body.items() if name != "paymentMethod"}
    answer = market.client.post("/api/v1/orders/preview", json=preview, headers=buyer.headers)
    assert refused(answer) == [("/items/0", "Fireworks is not sold to FR")]


def test_the_cart_is_ordered_by_the_same_rule(market: Market, wine: Json) -> None:
    buyer = market.person()
    line = {"productId": wine["productId"], "variantId": wine["variants"][0]["variantId"]}
    market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers)
    body = {name: value for name, value in market.order_body().items() if name != "items"}

    assert refused(market.buy(buyer, body))[0][0] == "/birthDate"
    assert market.buy(buyer, {**body, "birthDate": ADULT}).status_code == 201


@pytest.mark.parametrize("birth", ["2999-01-01", "1850-01-01", "1990-02-30", 0, "19901231", "1990-12-31T00:00:00Z"])
def test_a_day_of_birth_is_a_day_on_which_somebody_was_born(
    market: Market, buyer: Person, wine: Json, birth: object
) -> None:
    answer = market.buy(buyer, market.order_body((wine, 1), birthDate=birth))
    assert [error["pointer"] for error in problem(answer, 422, "validation-failed")["errors"]] == ["/birthDate"]


def test_the_day_of_birth_is_kept_nowhere(market: Market, buyer: Person, wine: Json) -> None:
    told = "1973-05-17"
    assert market.buy(buyer, market.order_body((wine, 1), birthDate=told)).status_code == 201

    tables = market.sql.execute(
        "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
    ).fetchall()
    assert len(tables) > 50
    for (table,) in tables:
        found = market.sql.execute(f"select count(*) from {table} r where r::text like %s", (f"%{told}%",)).fetchone()
        assert found == (0,), table


def test_an_edit_adds_nothing_that_an_order_may_not_have_and_moves_nothing_there(
    market: Market, buyer: Person, seller: Person, fireworks: Json, wine: Json
) -> None:
    order = market.buy(buyer, market.order_body((fireworks, 1))).json()["orderId"]
    editing = Editing(market, buyer)
    add = [editing.line(wine, 1)]

    assert refused(editing.stage(order, add=add)) == [("/birthDate", "needed: Wine is sold from 18 years of age on")]
    assert refused(editing.stage(order, add=add, birthDate=CHILD)) == [
        ("/add/0/variantId", "Wine is sold from 18 years of age on")
    ]
    assert refused(editing.stage(order, shippingAddress=PARIS)) == [("/shippingAddress", "Fireworks is not sold to FR")]
    edit = editing.staged(order, add=add, birthDate=ADULT)
    assert editing.commit(edit).status_code == 200
    # What is in the order was asked for already.
    assert editing.stage(order, shippingAddress={**ADDRESS, "street": "2 High Street"}).status_code == 201


def test_an_exchange_is_an_order(market: Market, buyer: Person, seller: Person) -> None:
    sizes = [{"attributes": {"size": size}} for size in ("M", "L")]
    rum = market.product(seller, title="Rum", variants=sizes, restrictions={"minAge": 21})
    order = market.buy(buyer, market.order_body((rum, 1), birthDate=ADULT)).json()["orderId"]
    market.deliver(seller, order)
    lines = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()["items"]
    body = {
        "orderItemId": lines[0]["orderItemId"], "quantity": 1, "variantId": rum["variants"][1]["variantId"],
        "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
    }  # fmt: skip

    assert refused(market.post(buyer, f"{order}/exchanges", body))[0][0] == "/birthDate"
    assert refused(market.post(buyer, f"{order}/exchanges", {**body, "birthDate": CHILD}))[0][0] == "/variantId"
    assert market.post(buyer, f"{order}/exchanges", {**body, "birthDate": ADULT}).status_code == 200


def test_what_is_restricted_after_it_was_put_into_the_cart_is_refused(
    market: Market, buyer: Person, seller: Person
) -> None:
    knife = market.product(seller, title="Knife")
    body = market.order_body((knife, 1))
    path = f"/api/v1/products/{knife['productId']}"
    assert market.buy(buyer, body).status_code == 201
    changed = market.client.patch(path, json={"restrictions": {"allowedCountries": ["DE"]}}, headers=seller.headers)
    assert changed.status_code == 200

    assert refused(market.buy(buyer, body)) == [("/items/0", "Knife is not sold to US")]


def test_a_line_keeps_the_age_and_the_condition_that_it_was_bought_with(
    market: Market, buyer: Person, seller: Person
) -> None:
    axe = market.product(seller, title="Axe", condition="used_good", restrictions={"minAge": 18})
    path, headers = f"/api/v1/products/{axe['productId']}", seller.headers
    order = market.buy(buyer, market.order_body((axe, 1), birthDate=ADULT)).json()["orderId"]
    changed = {"condition": "new", "restrictions": None}
    assert market.client.patch(path, json=changed, headers=headers).status_code == 200
    editing = Editing(market, buyer)
    assert editing.commit(editing.staged(order, add=[editing.line(axe, 1)])).status_code == 200

    lines = editing.order(order)["items"]
    mine = market.client.get(f"/api/v1/sellers/me/orders/{order}", headers=headers).json()
    sent = [line for parcel in mine["parcels"] for line in parcel["lines"]]

    assert [(line["condition"], line["minAge"]) for line in lines] == [("used_good", 18), ("new", None)]
    assert sorted((line["condition"], line["minAge"]) for line in sent) == [("new", None), ("used_good", 18)]


def test_the_cart_says_the_condition(market: Market, seller: Person) -> None:
    buyer, saw = market.person(), market.product(seller, title="Saw", condition="refurbished")
    line = {"productId": saw["productId"], "variantId": saw["variants"][0]["variantId"]}
    cart = market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).json()

    assert [one["product"]["condition"] for one in cart["items"]] == ["refurbished"]
