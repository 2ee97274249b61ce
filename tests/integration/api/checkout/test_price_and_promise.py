"""One price and one promise: a product's page, the cart and the order say the same for a person, an address and a
moment."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis

from api.kernel.feeds import CHANNEL
from api.kernel.outbox import FEED
from tests.harness.api import Server, api_of
from tests.harness.buying import ADDRESS, Market, Sandbox, buying_env
from tests.harness.digital import random_file
from tests.harness.kits import cents, kit_of
from tests.harness.shop import Person, problem

PORTUGAL = {"street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}
HONG_KONG = {"street": "1 Queen's Road", "city": "Central", "state": "Hong Kong Island", "country": "HK"}
JAPAN = {"street": "1-1", "city": "Chiyoda", "state": "Tokyo", "zipCode": "100-0001", "country": "JP"}
ITALY = {"street": "Via Roma 1", "city": "Milano", "state": "MI", "zipCode": "20121", "country": "IT"}
CALIFORNIA = {"street": "1 Market Street", "city": "San Francisco", "state": "CA", "zipCode": "94105", "country": "US"}
CANADA = {"street": "1 King Street", "city": "Toronto", "state": "ON", "zipCode": "M5H 1A1", "country": "CA"}
KENYA = {"street": "Kenyatta Avenue 1", "city": "Nairobi", "zipCode": "00100", "country": "KE"}
PLACES = (ADDRESS, PORTUGAL, HONG_KONG, JAPAN, ITALY, CALIFORNIA, CANADA, KENYA)
BELL, OVERRIDE = "\x07", "\u202e"


def join_prime(market: Market, *people: Person) -> None:
    """As long as nothing sells the membership: the flag that it will set."""
    for person in people:
        market.sql.execute("update users set prime_member = true where user_id = %s", (person.user_id,))


@pytest.fixture(scope="module")
def member(market: Market) -> Person:
    person = market.person()
    join_prime(market, person)
    return person


@pytest.fixture(scope="module")
def never_sold(market: Market, seller: Person) -> dict[str, Any]:
    """For orders that are refused."""
    return market.product(seller, stock=1, price=10.0)


def where(address: Mapping[str, str]) -> dict[str, str]:
    return {name: address[name] for name in ("country", "state", "zipCode") if name in address}


def page(market: Market, product: Mapping[str, Any], who: Person | None = None, **query: str) -> dict[str, Any]:
    headers = who.headers if who else {}
    answer = market.client.get(f"/api/v1/products/{product['productId']}", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def put(market: Market, headers: Mapping[str, str], product: Mapping[str, Any], units: int) -> None:
    line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": units}
    assert market.client.post("/api/v1/cart/items", json=line, headers=dict(headers)).status_code == 201


def cart(market: Market, headers: Mapping[str, str], address: Mapping[str, str], **query: str) -> dict[str, Any]:
    answer = market.client.get("/api/v1/cart", params={**where(address), **query}, headers=dict(headers))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def order_to(
    market: Market, who: Person, product: Mapping[str, Any], address: Mapping[str, str], **fields: Any
) -> httpx.Response:
    return market.buy(who, market.order_body((dict(product), 1), shippingAddress=address, **fields))


@pytest.mark.parametrize(
    "address", [PORTUGAL, {**PORTUGAL, "state": ""}, HONG_KONG, {**HONG_KONG, "zipCode": ""}, JAPAN]
)
def test_an_address_needs_what_its_country_needs(
    market: Market, seller: Person, buyer: Person, address: dict[str, str]
) -> None:
    product = market.product(seller, stock=2)

    placed = order_to(market, buyer, product, address)
    kept = market.client.post("/api/v1/users/me/addresses", json=address, headers=buyer.headers)

    assert (placed.status_code, kept.status_code) == (201, 201), (placed.text, kept.text)
    saved = order_to(market, buyer, product, {"addressId": kept.json()["addressId"]})
    assert saved.status_code == 201, saved.text
    seen = [
        market.client.get(f"/api/v1/orders/{one.json()['orderId']}", headers=buyer.headers).json()["shippingAddress"]
        for one in (placed, saved)
    ]
    assert seen == [{name: value for name, value in address.items() if value}] * 2


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"country": "Atlantis", "zipCode": "!!!"}, ["/country", "/zipCode"]),
        ({"country": "Narnia"}, ["/country"]),
        ({"country": "ZZ"}, ["/country"]),
        ({"zipCode": "!!!"}, ["/zipCode"]),
        ({"zipCode": ""}, ["/zipCode"]),
        ({"state": None}, ["/state"]),
        ({"state": "Narnia"}, ["/state"]),
        ({"city": f"Chicago{BELL}"}, ["/city"]),
        ({"street": f"1 {OVERRIDE}teertS"}, ["/street"]),
        ({**HONG_KONG, "zipCode": "!!!"}, ["/zipCode"]),
        ({**PORTUGAL, "zipCode": "1100"}, ["/zipCode"]),
    ],
)
def test_an_address_that_does_not_exist_is_refused_by_the_order_and_the_address_book(
    market: Market, buyer: Person, never_sold: dict[str, Any], change: dict[str, Any], wrong: list[str]
) -> None:
    address = {**ADDRESS, **change}

    placed = order_to(market, buyer, never_sold, address)
    kept = market.client.post("/api/v1/users/me/addresses", json=address, headers=buyer.headers)

    for answer, at in ((placed, "/shippingAddress"), (kept, "")):
        code = answer.json()["type"].removeprefix("/problems/")
        errors = problem(answer, 422, code)["errors"]
        assert [error["pointer"] for error in errors] == [f"{at}{pointer}" for pointer in wrong]


def test_names_of_countries_and_states_are_stored_as_their_codes(market: Market, seller: Person, buyer: Person) -> None:
    address = {**ADDRESS, "country": "United States", "state": "illinois"}

    order = order_to(market, buyer, market.product(seller, stock=1), address).json()["orderId"]

    assert market.scalar("select country from orders where order_id = %s", (order,)) == "US"
    seen = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()
    assert (seen["shippingAddress"]["country"], seen["shippingAddress"]["state"]) == ("US", "IL")


@pytest.mark.parametrize(
    # class, rate, tax, included, total
    ("address", "case"),
    [
        (ADDRESS, ("standard", 0.08, 0.8, False, 15.79)),
        (JAPAN, ("standard", 0.1, 1.36, True, 14.99)),
        (JAPAN, ("food", 0.08, 1.19, True, 14.99)),
        (ITALY, ("standard", 0.22, 2.7, True, 14.99)),
        (CANADA, ("standard", 0.13, 1.95, False, 16.94)),
        (KENYA, ("standard", 0.0, 0.0, False, 14.99)),
    ],
)
def test_the_tax_of_a_place_is_shown_charged_and_kept(
    market: Market, seller: Person, buyer: Person, address: dict[str, str], case: tuple[str, float, float, bool, float]
) -> None:
    tax_class, rate, tax, included, total = case
    product = market.product(seller, stock=1, price=10.0, taxClass=tax_class)

    placed = order_to(market, buyer, product, address, expectedTotal=total)

    assert placed.status_code == 201, placed.text
    seen = market.client.get(f"/api/v1/orders/{placed.json()['orderId']}", headers=buyer.headers).json()
    item = seen["items"][0]
    line = {
        "taxClass": item["taxClass"],
        "rate": item["taxRate"],
        "amount": item["taxAmount"],
        "included": item["taxIncluded"],
    }
    assert (seen["subtotal"], seen["shipping"], seen["tax"], seen["total"]) == (10.0, 4.99, tax, total)
    assert seen["taxIncluded"] == (tax if included else 0.0)
    assert (line["taxClass"], line["rate"], line["included"]) == (tax_class, rate, included)
    assert page(market, product, None, **where(address))["tax"] == line


def test_what_takes_part_in_prime_ships_free_for_members_alone(
    market: Market, seller: Person, buyer: Person, member: Person
) -> None:
    product = market.product(seller, stock=2, price=10.0, primeEligible=True)

    totals = []
    for who in (buyer, member):
        shown = page(market, product, who)["shipping"]
        put(market, who.headers, product, 1)
        seen = cart(market, who.headers, ADDRESS)
        placed = market.buy(who, {**market.order_body(), "items": None, "expectedTotal": seen["total"]})
        assert placed.status_code == 201, placed.text
        assert (shown["freeShipping"], shown["fee"]) == (seen["shipping"] == 0.0, seen["shipping"])
        assert placed.json()["total"] == seen["total"]
        totals.append(seen["total"])

    assert totals == [15.79, 10.8]


def test_the_fast_speeds_are_for_members_where_a_warehouse_is_near_enough(
    market: Market, seller: Person, buyer: Person, member: Person
) -> None:
    prime = market.product(seller, stock=9, price=10.0, primeEligible=True)
    slow = market.product(seller, stock=9, price=10.0)

    def refused(who: Person, product: dict[str, Any], address: dict[str, str], speed: str) -> tuple[str, list[str]]:
        answer = order_to(market, who, product, address, deliverySpeed=speed)
        body = problem(answer, 422, "speed-not-offered")
        assert [error["pointer"] for error in body["errors"]] == ["/deliverySpeed"]
        return body["errors"][0]["message"], [option["speed"] for option in body["offered"]]

    fast = "prime_next_day"
    assert refused(buyer, prime, ADDRESS, fast) == ("only members of Prime may choose it", ["standard"])
    assert refused(member, slow, ADDRESS, fast) == ("not everything in the order takes part in Prime", ["standard"])
    far = "it is not offered from the warehouses to this address"
    assert refused(member, prime, CALIFORNIA, fast) == (far, ["standard", "prime_2day"])
    assert refused(member, prime, PORTUGAL, "prime_2day") == (far, ["standard"])
    days = {}
    for speed in ("standard", "prime_2day", fast):
        placed = order_to(market, member, prime, ADDRESS, deliverySpeed=speed)
        assert placed.status_code == 201, placed.text
        days[speed] = date.fromisoformat(placed.json()["estimatedDelivery"])
    assert days["standard"] > days["prime_2day"] > days[fast]
    assert all(day.weekday() < 5 for day in days.values())


def test_a_warehouse_that_is_not_fast_enough_offers_no_prime(market: Market, seller: Person, member: Person) -> None:
    product = market.product(seller, stock=1, price=10.0, primeEligible=True)
    market.sql.execute("update warehouses set prime_capable = false where code = 'T1'")
    try:
        shown = page(market, product, member, **where(ADDRESS))["shipping"]
        answer = order_to(market, member, product, ADDRESS, deliverySpeed="prime_2day")
    finally:
        market.sql.execute("update warehouses set prime_capable = true where code = 'T1'")

    assert (shown["primeDelivery"], [option["speed"] for option in shown["options"]]) == (None, ["standard"])
    assert problem(answer, 422, "speed-not-offered")["offered"] == shown["options"]


def test_a_page_of_members_is_never_answered_to_others(
    market: Market, seller: Person, member: Person, redis_url: str
) -> None:
    product = market.product(seller, stock=1, price=10.0, primeEligible=True)

    assert_its_page_is_of_who_asks(market, product, member, redis_url)


def assert_its_page_is_of_who_asks(market: Market, product: Mapping[str, Any], member: Person, redis_url: str) -> None:
    """Also when it is answered from what is kept: which a process does once it has heard that nothing is to be dropped,
    as the worker says all the time."""
    deadline, sources = time.monotonic() + 10, set[str]()
    with redis.Redis.from_url(redis_url) as worker:
        while not sources & {"souk-process; hit", "souk-redis; hit"}:
            assert time.monotonic() < deadline, sources
            worker.publish(CHANNEL, json.dumps({"tags": [], "feed": FEED}))
            time.sleep(0.02)
            for who in (None, member, None, member, None):
                headers = who.headers if who else {}
                answer = market.client.get(f"/api/v1/products/{product['productId']}", headers=headers)
                assert answer.json()["shipping"]["freeShipping"] == (who is member), "somebody else's page"
                sources.add(answer.headers["cache-status"])


def test_a_place_that_does_not_exist_is_refused_by_pages_and_carts(
    market: Market, buyer: Person, never_sold: dict[str, Any]
) -> None:
    for path in (f"products/{never_sold['productId']}", "cart"):
        answer = market.client.get(f"/api/v1/{path}", params={"country": "Atlantis"}, headers=buyer.headers)
        errors = problem(answer, 422, "address-not-valid")["errors"]
        assert [error["pointer"] for error in errors] == ["/query/country"]
        unknown = market.client.get(f"/api/v1/{path}", params={"planet": "Mars"}, headers=buyer.headers)
        assert unknown.status_code == 422


@dataclass
class Carts:
    """Random carts of a few people, products and warehouses; one draw of numbers decides all."""

    market: Market
    draw: Random
    people: list[Person]
    products: list[dict[str, Any]]

    @classmethod
    def of(cls, market: Market, seller: Person, people: list[Person], seed: int) -> "Carts":
        draw = Random(seed)
        sites = [("C1", "Chicago", "US", 41.9, -87.6, "America/Chicago"), ("C2", "Seattle", "US", 47.6, -122.3, "UTC"),
                 ("C3", "Lisboa", "PT", 38.7, -9.1, "Europe/Lisbon")]  # fmt: skip
        for code, city, country, latitude, longitude, zone in sites:
            market.sql.execute(
                "insert into warehouses (warehouse_id, code, name, city, country, latitude, longitude, time_zone,"
                " prime_capable) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (code) do nothing",
                (uuid4(), code, city, city, country, latitude, longitude, zone, code != "C2"),
            )
        products = [cls._product(market, seller, draw) for _ in range(12)]
        products += [random_file(market, seller, draw) for _ in range(2)]
        kits = [cls._kit(market, seller, draw, products) for _ in range(4)]
        return cls(market, draw, people, products + kits)

    @staticmethod
    def _kit(market: Market, seller: Person, draw: Random, products: list[dict[str, Any]]) -> dict[str, Any]:
        """Of two variants, each of units of variants of the others, which are in the carts by themselves too."""

        def components() -> list[dict[str, Any]]:
            chosen = draw.sample(products, draw.randint(2, 4))
            return [
                {"variantId": draw.choice(one["variants"])["variantId"], "units": draw.randint(1, 3)} for one in chosen
            ]

        price = draw.choice([0.05, 9.99, 35.0, 100.01, 777.77])
        variants = [
            {"attributes": {"size": size}, "price": round(price + extra, 2), "components": components()}
            for size, extra in (("S", 0), ("L", draw.choice([0, 0.37])))
        ]
        return kit_of(market, seller, price=price, variants=variants, primeEligible=draw.random() < 0.6)

    @staticmethod
    def _product(market: Market, seller: Person, draw: Random) -> dict[str, Any]:
        """Of two variants, in some of the warehouses."""
        price = draw.choice([0.01, 0.99, 4.95, 9.99, 17.5, 34.99, 35.0, 99.0, 1234.56])
        variants = [
            {"sku": uuid4().hex, "attributes": {"size": size}, "price": round(price + extra, 2)}
            for size, extra in (("S", 0), ("L", draw.choice([0, 0.37])))
        ]
        fields: dict[str, Any] = {
            "taxClass": draw.choice(["standard", "food", "books"]),
            "primeEligible": draw.random() < 0.6,
            "weightGrams": draw.choice([None, 200, 31_000]),
        }
        product = market.product(seller, stock=0, price=price, variants=variants, **fields)
        for variant in product["variants"]:
            spread(market, draw, variant["variantId"])
        return market.detail(product["productId"])

    def check_some(self, carts: int) -> None:
        for _ in range(carts):
            self.check()

    def check(self) -> None:
        """One cart: what the page and the cart say is what the order charges and promises."""
        who, address = self.draw.choice(self.people), self.draw.choice(PLACES)
        speed = self.draw.choice(["standard", "prime_2day", "prime_next_day"])
        chosen = self.draw.sample(self.products, self.draw.choice([1, 1, 2, 3, 5]))
        for product in chosen:
            variant = self.draw.choice(product["variants"])
            units = self.draw.choice([1, 1, 1, 2, 7])
            line = {"productId": product["productId"], "variantId": variant["variantId"], "quantity": units}
            added = self.market.client.post("/api/v1/cart/items", json=line, headers=who.headers)
            assert added.status_code == 201, added.text
        seen = cart(self.market, who.headers, address, deliverySpeed=speed)
        adds_up(seen)
        if len(chosen) == 1 and seen["items"][0]["quantity"] == 1:
            self._page_agrees(chosen[0], who, address, seen)
        body = {
            "shippingAddress": address,
            "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
            "deliverySpeed": seen["delivery"]["speed"],
            "expectedTotal": seen["total"],
        }
        placed = self.market.buy(who, body)
        assert placed.status_code == 201, (placed.text, seen)
        order = self.market.client.get(f"/api/v1/orders/{placed.json()['orderId']}", headers=who.headers).json()
        for field in ("subtotal", "tax", "taxIncluded", "shipping", "total", "currency"):
            assert order[field] == seen[field], (field, order, seen)
        assert order["estimatedDelivery"] == seen["delivery"]["to"]
        assert max(parcel["promisedOn"] for parcel in order["parcels"]) == seen["delivery"]["to"]
        assert order["deliverySpeed"] == seen["delivery"]["speed"]
        for kit in order["kits"]:
            (line,) = (one for one in seen["items"] if one["variant"]["variantId"] == kit["variantId"])
            own = [one for one in order["items"] if one["orderItemId"] in kit["orderItemIds"]]
            assert cents(kit["subtotal"]) == cents(line["subtotal"])
            assert sum((cents(one["subtotal"]) for one in own), Decimal(0)) == cents(line["subtotal"])
        assert len(order["kits"]) == sum(one["components"] is not None for one in seen["items"])
        taxes = sum((cents(line["taxAmount"]) for line in order["items"]), Decimal(0))
        assert taxes <= cents(order["tax"])
        wanted = [option["speed"] for option in seen["deliveryOptions"]]
        assert seen["delivery"]["speed"] == (speed if speed in wanted else "standard")
        assert bool(wanted) == any(not parcel["digital"] for parcel in order["parcels"])

    def _page_agrees(
        self, product: dict[str, Any], who: Person, address: Mapping[str, str], seen: dict[str, Any]
    ) -> None:
        """The page promises its first variant in stock; the cart may hold the other."""
        shown = page(self.market, product, who, **where(address))
        first = next(variant for variant in shown["variants"] if variant["stock"] > 0)
        if first["variantId"] != seen["items"][0]["variant"]["variantId"]:
            return
        assert shown["shipping"]["options"] == seen["deliveryOptions"]
        assert shown["shipping"]["fee"] == (seen["deliveryOptions"] or [seen["delivery"]])[0]["fee"]
        assert shown["shipping"]["freeShipping"] == (shown["shipping"]["fee"] == 0)
        if first["price"] == shown["price"]:
            taxes = [one for one in seen["explanation"] if one["kind"] == "tax" and one["text"] != "tax on shipping"]
            assert cents(shown["tax"]["amount"]) == sum(cents(one["amount"]) for one in taxes)
            assert {one["included"] for one in taxes} == {shown["tax"]["included"]}


def spread(market: Market, draw: Random, variant_id: str) -> None:
    """Units of a variant in one to three of the warehouses, booked as the warehouse books them."""
    before = 0
    for code in draw.sample(["C1", "C2", "C3"], draw.randint(1, 3)):
        units = draw.choice([4, 5_000])
        units = units if before else 5_000
        market.sql.execute(
            "insert into warehouse_stock (variant_id, warehouse_id, available)"
            " select %s, warehouse_id, %s from warehouses where code = %s",
            (variant_id, units, code),
        )
        market.sql.execute(
            "insert into inventory_transactions (transaction_id, variant_id, warehouse_id, quantity_change,"
            " transaction_type, previous_quantity, new_quantity)"
            " select %s, %s, warehouse_id, %s, 'adjustment', %s, %s from warehouses where code = %s",
            (uuid4(), variant_id, units, before, before + units, code),
        )
        before += units
    market.sql.execute(
        "update product_variants set stock_quantity = %s, updated_at = now() where variant_id = %s",
        (before, variant_id),
    )


def adds_up(seen: dict[str, Any]) -> None:
    """The charges of a cart are its total, and its amounts are theirs."""
    added = [cents(charge["amount"]) for charge in seen["explanation"] if not charge["included"]]
    assert sum(added, Decimal(0)) == cents(seen["total"])
    for kind, field in (("goods", "subtotal"), ("shipping", "shipping"), ("tax", "tax")):
        of_kind = [cents(charge["amount"]) for charge in seen["explanation"] if charge["kind"] == kind]
        assert sum(of_kind, Decimal(0)) == cents(seen[field]), (kind, seen)
    subtotal, tax, included = cents(seen["subtotal"]), cents(seen["tax"]), cents(seen["taxIncluded"])
    assert cents(seen["total"]) == subtotal + tax - included + cents(seen["shipping"])


@pytest.mark.parametrize("carts", [15, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_page_cart_and_order_agree_for_random_carts(
    market: Market, seller: Person, buyer: Person, member: Person, carts: int
) -> None:
    Carts.of(market, seller, [member, buyer, market.person()], seed=carts).check_some(carts)


Altered = Callable[[str], AbstractContextManager[Market]]


@pytest.fixture
def altered(market: Market, server: Server, sandbox: Sandbox, tmp_path: Path) -> Altered:
    """The same shop behind an API without one of its rules."""

    @contextmanager
    def by(mutant: str) -> Iterator[Market]:
        address = api_of(tmp_path, market.database_url, server.env["REDIS_URL"], buying_env(sandbox))
        address.start(mutant=mutant)
        shop = Market(address, market.database_url, sandbox)
        try:
            yield shop
        finally:
            shop.close()
            address.stop()

    return by


@pytest.mark.parametrize("mutant", ["an order that prices by itself", "an order that ignores membership"])
def test_the_random_carts_see_an_order_with_rules_of_its_own(altered: Altered, mutant: str) -> None:
    """Negative control. The people are its own: a cart that was refused stays full, and each API signs with its own
    key."""
    with altered(mutant) as shop:
        seller, member = shop.person("seller"), shop.person()
        join_prime(shop, member)
        carts = Carts.of(shop, seller, [member], seed=1)
        with pytest.raises(AssertionError, match=r"total-changed|speed-not-offered"):
            carts.check_some(30)


def test_the_random_carts_see_kits_of_rounded_parts(altered: Altered) -> None:
    """Negative control."""
    with altered("kits of rounded parts") as shop:
        carts = Carts.of(shop, shop.person("seller"), [shop.person()], seed=2)
        with pytest.raises(AssertionError, match="Decimal"):
            carts.check_some(40)


def test_a_page_that_is_kept_for_everybody_is_seen(altered: Altered, redis_url: str) -> None:
    """Negative control."""
    with altered("one page for members and others") as shop:
        seller, member = shop.person("seller"), shop.person()
        join_prime(shop, member)
        product = shop.product(seller, stock=1, price=10.0, primeEligible=True)
        with pytest.raises(AssertionError, match="somebody else's page"):
            assert_its_page_is_of_who_asks(shop, product, member, redis_url)


def test_a_total_that_was_seen_for_another_place_is_refused(
    market: Market, buyer: Person, never_sold: dict[str, Any]
) -> None:
    answer = order_to(market, buyer, never_sold, ITALY, expectedTotal=15.79)

    assert problem(answer, 409, "total-changed")["total"] == 14.99
