"""What a save of a product changes: what was sent, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.catalog.statements import NAMES_TAKEN
from tests.harness.buying import Market
from tests.harness.shop import Person, problem

OAK: dict[str, Any] = {"attributes": {"wood": "oak"}}
BIRCH: dict[str, Any] = {"attributes": {"wood": "birch"}}
Json = dict[str, Any]


class Saves:
    """Saves of one product by its seller."""

    def __init__(self, market: Market, seller: Person, variants: list[Json], price: float = 100.0) -> None:
        self.market, self.seller = market, seller
        self.body: Json = {"title": f"Chair {uuid4()}", "category": str(market.category("/Home")), "price": price}
        answer = self.post({**self.body, "variants": variants})
        assert answer.status_code == 201, answer.text
        self.product_id: str = answer.json()["productId"]
        self.path = f"/api/v1/products/{self.product_id}"

    def post(self, body: Json) -> Any:
        return self.market.client.post("/api/v1/products", json=body, headers=self.seller.headers)

    def put(self, variants: list[Json] | None = None, etag: str | None = None, **fields: Any) -> Any:
        given = {} if variants is None else {"variants": variants}
        return self._send("PUT", {**self.body, **given, **fields}, etag)

    def patch(self, variants: list[Json] | None = None, etag: str | None = None, **fields: Any) -> Any:
        given = {} if variants is None else {"variants": variants}
        return self._send("PATCH", {**given, **fields}, etag)

    def read(self) -> tuple[Json, str]:
        answer = self.market.client.get(self.path, headers=self.seller.headers)
        assert answer.status_code == 200, answer.text
        return answer.json(), answer.headers["etag"]

    def variants(self) -> list[Json]:
        found: list[Json] = self.read()[0]["variants"]
        return found

    def told(self, *names: str) -> list[Any]:
        """Of each variant these fields, one alone as it is."""
        rows = [tuple(variant[name] for name in names) for variant in self.variants()]
        return [row[0] for row in rows] if len(names) == 1 else rows

    def sell(self, variant: int, units: int) -> None:
        """A paid order."""
        buyer = self.market.person()
        line = {
            "productId": self.product_id,
            "variantId": self.variants()[variant]["variantId"],
            "quantity": units,
        }
        answer = self.market.buy(buyer, {**self.market.order_body(), "items": [line]})
        assert answer.status_code == 201, answer.text

    def _send(self, method: str, body: Json, etag: str | None) -> Any:
        headers = {**self.seller.headers, **({"If-Match": etag} if etag else {})}
        return self.market.client.request(method, self.path, json=body, headers=headers)


@pytest.fixture
def oak(market: Market, seller: Person) -> Saves:
    """Oak at 150.00 of its own, with 3 units, of a chair at 100.00."""
    return Saves(market, seller, [{**OAK, "sku": f"OAK-{uuid4().hex[:8]}", "price": 150.0, "stock": 3}])


def refused(answer: Any) -> tuple[str, ...]:
    return tuple(error["pointer"] for error in problem(answer, 422, "validation-failed")["errors"])


def test_a_patch_of_a_variant_changes_the_fields_that_were_sent(oak: Saves) -> None:
    (before,) = oak.variants()

    assert oak.patch([{"sku": before["sku"], "stock": 7}]).status_code == 200
    assert oak.variants() == [{**before, "stock": 7}]

    assert oak.patch([{"variantId": before["variantId"], "sku": "renamed " + before["sku"]}]).status_code == 200
    assert oak.variants() == [{**before, "stock": 7, "sku": "renamed " + before["sku"]}]

    assert oak.patch([{**OAK, "price": None}]).status_code == 200
    assert oak.told("price", "ownPrice", "stock") == [(100.0, None, 7)]


def test_a_price_is_inherited_or_own_whatever_the_numbers_are(market: Market, seller: Person) -> None:
    saves = Saves(market, seller, [{**OAK}, {**BIRCH, "price": 120.0}])

    saves.patch(price=120.0)
    assert saves.told("price", "ownPrice") == [(120.0, None), (120.0, 120.0)]
    saves.patch(price=90.0)
    assert saves.told("price", "ownPrice") == [(90.0, None), (120.0, 120.0)]
    saves.put([{**OAK, "price": 90.0}, {**BIRCH}], price=90.0)
    saves.patch(price=80.0)
    assert saves.told("price", "ownPrice") == [(90.0, 90.0), (80.0, None)]


def test_a_put_twice_is_one_put_and_removes_what_it_does_not_name(market: Market, seller: Person) -> None:
    white, black = {"attributes": {"color": "white"}, "stock": 2}, {"attributes": {"color": "black"}, "stock": 1}
    saves = Saves(market, seller, [white, black])
    before = saves.variants()

    for _ in range(3):
        assert saves.put([white]).status_code == 200
        assert saves.variants() == before[:1]

    again = saves.put([white, black]).json()["variants"]
    assert [variant["stock"] for variant in again] == [2, 1]
    assert again[0] == before[0]
    assert again[1]["variantId"] != before[1]["variantId"]
    for _ in range(2):
        assert saves.put().status_code == 200
        (one,) = saves.variants()
        assert (one["attributes"], one["stock"]) == ({}, 0)


def test_variants_keep_their_ids_by_id_sku_and_attributes(market: Market, seller: Person) -> None:
    key = uuid4().hex[:8]
    saves = Saves(market, seller, [{**OAK, "sku": f"A-{key}", "stock": 1}, {**BIRCH, "sku": f"B-{key}", "stock": 2}])
    oak, birch = (variant["variantId"] for variant in saves.variants())

    # They change SKUs with one another.
    changed = saves.put([{**OAK, "variantId": oak, "sku": f"B-{key}"}, {**BIRCH, "sku": f"A-{key}"}])
    assert refused(changed) == ("/variants/1",)  # the SKU names what the first one's id names
    changed = saves.put(
        [{**OAK, "variantId": oak, "sku": f"B-{key}"}, {**BIRCH, "variantId": birch, "sku": f"A-{key}"}]
    )
    assert changed.status_code == 200
    assert saves.told("variantId", "sku", "stock") == [(oak, f"B-{key}", 1), (birch, f"A-{key}", 2)]
    changed = saves.put([{"attributes": {"Wood": "OAK"}}, {"sku": f"a-{key}", "attributes": {"wood": "elm"}}])
    assert changed.status_code == 200
    assert saves.told("variantId", "sku", "attributes") == [
        (oak, f"B-{key}", {"Wood": "OAK"}),
        (birch, f"a-{key}", {"wood": "elm"}),
    ]


@pytest.mark.parametrize("how", ["post", "put", "patch"])
def test_two_variants_with_equal_attributes_are_refused(market: Market, seller: Person, how: str) -> None:
    saves = Saves(market, seller, [{**OAK, "sku": f"O-{uuid4().hex}"}])
    before = saves.read()
    alike = [{**OAK, "sku": f"X-{uuid4().hex}"}, {"attributes": {"WOOD": "Ｏａｋ "}, "sku": f"Y-{uuid4().hex}"}]

    if how == "post":
        answer = saves.post({**saves.body, "title": "Another", "variants": alike})
    else:
        answer = saves.put(alike) if how == "put" else saves.patch(alike)

    assert refused(answer) == ("/variants/1/attributes",)
    assert saves.read()[0]["variants"] == before[0]["variants"]


@pytest.mark.parametrize(
    ("variants", "pointer"),
    [
        ([{"variantId": str(uuid4())}], "/variants/0/variantId"),
        ([{"stock": 1, "stockChange": 1}], "/variants/0/stockChange"),
        ([{"sku": "a#b"}], "/variants/0/sku"),
        ([{"sku": "  "}], "/variants/0/sku"),
        ([OAK, {**OAK, "stock": 1}], "/variants/1/attributes"),
        ([{"sku": "N-1"}, {"sku": "n-1", **BIRCH}], "/variants/1/sku"),
    ],
    ids=["foreign id", "both ways of stock", "sign", "blank", "twice by attributes", "twice by sku"],
)
def test_a_wrong_variant_is_named(oak: Saves, variants: list[Json], pointer: str) -> None:
    before = oak.read()
    assert refused(oak.put(variants)) == (pointer,)
    assert oak.read() == before


def test_stock_that_was_read_before_a_sale_is_refused_and_a_difference_taken(market: Market, seller: Person) -> None:
    saves = Saves(market, seller, [{**OAK, "stock": 10}])
    _, etag = saves.read()
    saves.sell(0, 3)

    for answer in (saves.put([{**OAK, "stock": 10}], etag), saves.patch([{**OAK, "stock": 10}], etag)):
        problem(answer, 412, "stock-changed")
    assert saves.told("stock") == [7]
    assert saves.patch(etag=etag, title="Renamed").status_code == 200
    _, etag = saves.read()
    saves.sell(0, 1)
    assert saves.put([{**OAK, "stockChange": 5}], etag).status_code == 200
    assert saves.told("stock") == [11]
    assert problem(saves.patch([{**OAK, "stockChange": -12}]), 409, "stock-below-zero")["available"] == 11
    assert saves.patch([{**OAK, "stockChange": -11}]).status_code == 200
    assert saves.patch([{**OAK, "stock": 4}]).status_code == 200
    assert saves.patch([{**OAK, "stock": 6}], saves.read()[1]).status_code == 200
    assert saves.told("stock") == [6]


def test_a_sku_is_one_of_a_sellers_whatever_its_case(market: Market, seller: Person, oak: Saves) -> None:
    sku = oak.variants()[0]["sku"]
    body = {**oak.body, "title": f"Other {uuid4()}", "variants": [{"sku": sku.lower()}]}

    taken = problem(oak.post(body), 409, "sku-taken")
    assert taken["productId"] == oak.product_id
    another = market.client.post("/api/v1/products", json=body, headers=market.person("seller").headers)
    assert another.status_code == 201

    assert oak.put([BIRCH]).status_code == 200  # the variant that had it is removed
    reused = oak.post(body)
    assert reused.status_code == 201
    path = f"/api/v1/products/{reused.json()['productId']}"
    assert market.client.delete(path, headers=seller.headers).status_code == 204
    assert oak.post(body).status_code == 201


@pytest.mark.slow
def test_whether_a_sku_is_taken_costs_the_same_however_many_a_seller_has(market: Market, oak: Saves) -> None:
    """Of 5,000 variants none is read but those that are named."""
    market.sql.execute(
        "insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price)"
        " select gen_random_uuid(), product_id, seller_id, 'MANY-' || n, jsonb_build_object('n', n::text), 1"
        " from products, generate_series(1, 5000) n where product_id = %s",
        (oak.product_id,),
    )
    market.sql.execute("analyze product_variants")
    asked = {"seller_id": oak.seller.user_id, "product_id": uuid4(), "skus": ["NONE-1", "NONE-2"], "gtins": ["1"]}
    compiled = NAMES_TAKEN.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
    try:
        (plan,) = market.scalar(f"explain (analyze, buffers, format json) {compiled}", asked)
        taken = market.sql.execute(str(compiled), {**asked, "skus": ["NONE-1", "many-7"]}).fetchall()
    finally:
        market.sql.execute("delete from product_variants where sku like 'MANY-%'")

    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 30
    assert [(name, str(product_id), is_gtin) for name, product_id, is_gtin in taken] == [
        ("MANY-7", oak.product_id, False)
    ]


@pytest.mark.parametrize(("sent", "stored"), [("AB 123", "AB 123"), (" Ａ１  b ", "A1 b"), ("é/1_2.3-4", "é/1_2.3-4")])
def test_a_sku_may_have_spaces_and_is_stored_in_one_form(market: Market, sent: str, stored: str) -> None:
    saves = Saves(market, market.person("seller"), [{"sku": sent}])
    assert saves.told("sku") == [stored]


@pytest.mark.parametrize("how", ["put", "delete"])
def test_a_removed_variant_is_not_for_sale_from_then_on(market: Market, seller: Person, how: str) -> None:
    buyer = market.person()
    saves = Saves(market, seller, [{**OAK, "stock": 5}, {**BIRCH, "stock": 5}])
    product, gone = saves.product_id, saves.variants()[0]["variantId"]
    item = {"productId": product, "variantId": gone, "quantity": 1}
    ordered = market.buy(buyer, {**market.order_body(), "items": [item]}).json()["orderId"]
    assert market.client.post("/api/v1/cart/items", json=item, headers=buyer.headers).status_code == 201

    if how == "put":
        assert saves.put([BIRCH]).status_code == 200
        assert [variant["attributes"] for variant in market.detail(product)["variants"]] == [{"wood": "birch"}]
        shown = market.client.get(f"{saves.path}/variants").json()["variants"]
        assert [variant["attributes"] for variant in shown] == [{"wood": "birch"}]
    else:
        assert market.client.delete(saves.path, headers=seller.headers).status_code == 204

    (line,) = market.client.get("/api/v1/cart", headers=buyer.headers).json()["items"]
    assert line["available"] is False
    assert market.client.post("/api/v1/cart/items", json=item, headers=buyer.headers).status_code == 404
    problem(market.buy(buyer, {**market.order_body(), "items": [item]}), 422, "not-orderable")
    stocked = market.client.get("/api/v1/inventory/variants?limit=100", headers=seller.headers).json()["variants"]
    assert gone not in [variant["variantId"] for variant in stocked]
    again = market.client.post(f"/api/v1/orders/{ordered}/buy-again", headers=buyer.headers).json()
    assert [(one["added"], one["reason"]) for one in again["items"]] == [(0, "withdrawn")]
    order = market.client.get(f"/api/v1/orders/{ordered}", headers=buyer.headers).json()
    assert order["items"][0]["attributes"] == {"wood": "oak"}
    assert market.scalar("select stock_quantity from product_variants where variant_id = %s", (gone,)) == 4


def test_the_same_thing_twice_is_409_with_the_first_ones_id(market: Market, seller: Person, oak: Saves) -> None:
    body = {**oak.body, "brand": "Böhm & Co", "variants": [OAK, BIRCH]}
    first = oak.post(body).json()["productId"]
    alike = {**body, "title": f"  {body['title'].upper()}!", "brand": "BÖHM co", "variants": [BIRCH, OAK]}

    refusal = problem(oak.post(alike), 409, "duplicate-product")
    assert (refusal["productId"], refusal["link"]) == (first, f"/api/v1/products/{first}")
    different = {"title": body["title"] + " 2", "brand": "Bohm", "variants": [OAK]}
    others = [oak.post({**body, name: value}).json()["productId"] for name, value in different.items()]
    for other in others:
        path = f"/api/v1/products/{other}"
        same = {**body, "variants": [OAK, BIRCH]}
        taken = market.client.put(path, json=same, headers=seller.headers)
        assert problem(taken, 409, "duplicate-product")["productId"] == first
    assert market.client.put(f"/api/v1/products/{first}", json=alike, headers=seller.headers).status_code == 200

    rival = market.person("seller")
    offer = market.client.post("/api/v1/products", json=body, headers=rival.headers).json()["productId"]
    queued = "select other_product_id::text from offer_matches where product_id = %s"
    assert market.sql.execute(queued, (offer,)).fetchall() == [(first,)]
    assert market.client.delete(f"/api/v1/products/{first}", headers=seller.headers).status_code == 204
    assert oak.post(body).status_code == 201


def test_of_simultaneous_creations_of_one_thing_one_is_made(market: Market, seller: Person, oak: Saves) -> None:
    body = {**oak.body, "title": f"Crowded {uuid4()}"}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: oak.post(body), range(8)))

    made = [answer.json()["productId"] for answer in answers if answer.status_code == 201]
    refusals = [problem(answer, 409, "duplicate-product") for answer in answers if answer.status_code != 201]
    assert len(made) == 1
    assert {refusal["productId"] for refusal in refusals} == set(made)


def test_a_seller_lists_their_own_products_drafts_among_them(market: Market) -> None:
    seller, key = market.person("seller"), uuid4().hex[:8]
    drafts = [Saves(market, seller, [{**OAK, "sku": f"{key}-{n}", "stock": n}, BIRCH]) for n in range(3)]
    for draft in drafts[:2]:
        assert draft.patch(status="draft").status_code == 200
    deleted = Saves(market, seller, [])
    assert market.client.delete(deleted.path, headers=seller.headers).status_code == 204

    def listed(**query: Any) -> Json:
        answer = market.client.get("/api/v1/sellers/me/products", params=query, headers=seller.headers)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    ids = [draft.product_id for draft in reversed(drafts)]
    rows = listed()["products"]
    assert [(row["productId"], row["status"], row["variants"], row["stock"]) for row in rows] == [
        (ids[0], "active", 2, 2),
        (ids[1], "draft", 2, 1),
        (ids[2], "draft", 2, 0),
    ]
    assert [row["productId"] for row in listed(status="draft")["products"]] == ids[1:]
    assert [row["productId"] for row in listed(q=f"{key}-1".upper())["products"]] == [ids[1]]
    assert [row["productId"] for row in listed(q=drafts[0].body["title"][6:20])["products"]] == [ids[2]]
    seen: list[str] = []
    cursor = None
    while len(seen) < 4:
        page = listed(limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [row["productId"] for row in page["products"]]
        cursor = page["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert seen == ids
    problem(market.client.get("/api/v1/sellers/me/products", headers=market.person().headers), 403, "forbidden")
    problem(
        market.client.get("/api/v1/sellers/me/products?status=sold", headers=seller.headers), 422, "validation-failed"
    )


def test_a_list_names_what_cannot_be_asked_for(market: Market, seller: Person) -> None:
    market.product(seller, title="In a category", category="/Found")

    for reference in ("Nowhere", "%", "01890000-0000-7000-8000-000000000000"):
        problem(market.client.get("/api/v1/products", params={"category": reference}), 404, "category-not-found")
    backwards = market.client.get("/api/v1/products", params={"minPrice": 10, "maxPrice": 5})
    assert refused(backwards) == ("/query/minPrice", "/query/maxPrice")
    assert market.titles(category="/Found", minPrice=10, maxPrice=10, sort="price") == ["In a category"]
    assert refused(market.client.get("/api/v1/products?sort=cheap")) == ("/query/sort",)
