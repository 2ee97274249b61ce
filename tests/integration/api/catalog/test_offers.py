"""Several sellers offer one article: which products are one, what each offer costs, which one is featured."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.catalog.offers import queries
from api.catalog.queries import products
from api.kernel.gtin import check_digit
from tests.harness.buying import Market
from tests.harness.shop import Person, problem

Json = dict[str, Any]
_NUMBERS = count(400638100000)
CHICAGO = {"country": "US", "state": "IL", "zipCode": "60601"}


def new_gtin(prefix: str = "") -> str:
    """One that no other test has."""
    digits = prefix + str(next(_NUMBERS))[len(prefix) :]
    return f"{digits}{check_digit(digits)}"


class Article:
    """Products of several sellers with one GTIN."""

    def __init__(self, market: Market, gtin: str | None = None) -> None:
        self.market, self.gtin = market, gtin or new_gtin()
        self.sellers: list[Person] = []
        self.products: list[str] = []

    def offer(self, price: float, *, stock: int = 5, rating: float = 0, **fields: Any) -> str:
        """The product of one more seller."""
        seller = self.market.person("seller")
        self.market.sql.execute("update sellers set rating = %s where seller_id = %s", (rating, seller.user_id))
        variants = fields.pop("variants", [{"gtin": self.gtin, "stock": stock}])
        body = {"title": f"Kettle {uuid4().hex}", "category": str(self.market.category("/Home")), "price": price}
        answer = self.market.client.post(
            "/api/v1/products", json={**body, "variants": variants, **fields}, headers=seller.headers
        )
        assert answer.status_code == 201, answer.text
        self.sellers.append(seller)
        self.products.append(answer.json()["productId"])
        return self.products[-1]

    def patch(self, number: int, **fields: Any) -> None:
        path = f"/api/v1/products/{self.products[number]}"
        answer = self.market.client.patch(path, json=fields, headers=self.sellers[number].headers)
        assert answer.status_code == 200, answer.text

    def delete(self, number: int) -> None:
        path = f"/api/v1/products/{self.products[number]}"
        assert self.market.client.delete(path, headers=self.sellers[number].headers).status_code == 204

    def variant(self, number: int) -> str:
        page = self.market.client.get(
            f"/api/v1/products/{self.products[number]}", headers=self.sellers[number].headers
        ).json()
        return str(page["variants"][0]["variantId"])

    def offers(self, number: int = 0, who: Person | None = None, **query: Any) -> Json:
        return offers_of(self.market, self.products[number], who, **query)

    def told(self, *names: str, **query: Any) -> list[Any]:
        """Of each offer these fields, one alone as it is."""
        rows = [tuple(offer[name] for name in names) for offer in self.offers(**query)["offers"]]
        return [row[0] for row in rows] if len(names) == 1 else rows

    def others(self, number: int) -> Json:
        """What the product's page says of the other offers."""
        found: Json = self.market.detail(self.products[number])["otherOffers"]
        return found


def offers_of(market: Market, product_id: str, who: Person | None = None, **query: Any) -> Json:
    headers = who.headers if who else {}
    answer = market.client.get(f"/api/v1/products/{product_id}/offers", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest.fixture
def article(market: Market) -> Iterator[Article]:
    yield Article(market)
    # No review gave these ratings.
    market.sql.execute("update sellers set rating = 0")


def test_products_with_one_gtin_are_offers_of_one_article(market: Market, article: Article, buyer: Person) -> None:
    costly, used, cheap = (
        article.offer(30.0, rating=4.0),
        article.offer(10.0, condition="used_good"),
        article.offer(29.0, stock=2, rating=4.0),
    )

    found = article.offers()

    assert [offer["productId"] for offer in found["offers"]] == [cheap, costly, used]
    assert found["featured"] == found["offers"][0]
    assert [offer["featured"] for offer in found["offers"]] == [True, False, False]
    assert article.told("price", "condition", "availability", "own") == [
        (29.0, "new", "in_stock", False), (30.0, "new", "in_stock", False), (10.0, "used_good", "in_stock", False),
    ]  # fmt: skip
    assert found["pagination"]["total"] == 3
    best, second, last = found["offers"]
    assert best["seller"] == {"sellerId": article.sellers[2].user_id, "name": "Some Seller", "rating": 4.0}
    assert best["gtin"] == f"0{article.gtin}"
    assert [(one["criterion"], one["most"]) for one in best["points"]] == [
        ("total", 50), ("delivery", 20), ("condition", 15), ("seller", 10), ("stock", 5),
    ]  # fmt: skip
    assert sum(one["points"] for one in best["points"]) == pytest.approx(best["score"])
    assert best["why"].startswith(f"{best['score']} points, the most of 2 offers: ")
    assert second["why"].startswith(f"{second['score']} points against {best['score']} of the featured offer.")
    assert (last["score"], last["points"], last["why"]) == (None, [], "It is not new, and a new one can be had.")
    assert [article.others(number) for number in range(3)] == [
        {"count": 2, "from": 10.0}, {"count": 2, "from": 29.0}, {"count": 2, "from": 10.0},
    ]  # fmt: skip
    # A buyer pays what the offer says.
    sent = article.offers(2, None, **CHICAGO)["offers"][0]
    line = {"productId": cheap, "variantId": sent["variantId"], "quantity": 1}
    preview = market.client.post(
        "/api/v1/orders/preview", json={**_preview(market), "items": [line]}, headers=buyer.headers
    )
    assert preview.status_code == 200, preview.text
    assert preview.json()["total"] == sent["total"]
    page = market.client.get(f"/api/v1/products/{cheap}", params=CHICAGO).json()
    assert (sent["shippingFee"], sent["delivery"]) == (page["shipping"]["fee"], page["shipping"]["options"][0])


def _preview(market: Market) -> Json:
    body = market.order_body()
    return {name: value for name, value in body.items() if name != "paymentMethod"}


def test_a_product_alone_is_its_own_only_offer(market: Market, seller: Person) -> None:
    product = market.product(seller)

    found = offers_of(market, product["productId"])

    assert [offer["productId"] for offer in found["offers"]] == [product["productId"]]
    assert found["featured"]["why"].split(" points, ")[1].startswith("the only offer that counts: ")
    assert product["otherOffers"] == {"count": 0, "from": None}


def test_a_seller_sees_which_offer_is_theirs_and_why_it_is_not_featured(article: Article) -> None:
    article.offer(30.0)
    article.offer(20.0)

    found = article.offers(0, article.sellers[0])["offers"]

    assert [(offer["price"], offer["own"], offer["featured"]) for offer in found] == [
        (20.0, False, True), (30.0, True, False),
    ]  # fmt: skip
    assert "Most are lost by total: " in found[1]["why"]
    # Also for one that is not on sale, which is no offer.
    article.patch(0, status="draft")
    assert [offer["own"] for offer in article.offers(0, article.sellers[0])["offers"]] == [False]
    answer = article.market.client.get(f"/api/v1/products/{article.products[0]}/offers")
    problem(answer, 404, "product-not-found")


def test_numbers_that_companies_give_out_for_themselves_join_nothing(market: Market) -> None:
    for prefix in ("02", "04", "2"):
        article = Article(market, new_gtin(prefix))
        article.offer(10.0)
        article.offer(11.0)
        assert article.told("price") == [10.0]
    # The lowest other one counts.
    low, high = sorted((new_gtin(), new_gtin()))
    own = Article(market, low)
    own.offer(10.0, variants=[
        {"attributes": {"size": "S"}, "gtin": new_gtin("2")}, {"attributes": {"size": "M"}, "gtin": low, "stock": 1},
    ])  # fmt: skip
    own.offer(11.0, variants=[
        {"attributes": {"size": "M"}, "gtin": high}, {"attributes": {"size": "L"}, "gtin": low, "stock": 1},
    ])  # fmt: skip
    assert own.told("price", "gtin") == [(10.0, f"0{low}"), (11.0, f"0{low}")]


def test_what_is_sold_out_or_not_sold_there_is_not_featured(article: Article) -> None:
    article.offer(10.0, stock=0)
    article.offer(20.0, restrictions={"deniedCountries": ["GB"]})
    article.offer(50.0, condition="refurbished")

    assert article.told("price", "availability", "featured") == [
        (20.0, "in_stock", True), (50.0, "in_stock", False), (10.0, "out_of_stock", False),
    ]  # fmt: skip
    abroad = article.offers(country="GB", zipCode="LS1 4AP")
    assert [(one["price"], one["availability"], one["delivery"] is None) for one in abroad["offers"]] == [
        (50.0, "in_stock", False), (10.0, "out_of_stock", True), (20.0, "not_sold_there", True),
    ]  # fmt: skip
    assert abroad["featured"]["price"] == 50.0
    assert [article.others(number)["count"] for number in range(3)] == [2, 1, 1]
    article.patch(2, status="inactive")
    assert article.offers(country="GB")["featured"] is None
    article.market.sql.execute(
        "insert into warehouse_stock (variant_id, warehouse_id, available, backorder_limit)"
        " select %s, warehouse_id, 0, 3 from warehouses limit 1"
        " on conflict (variant_id, warehouse_id) do update set backorder_limit = 3",
        (article.variant(0),),
    )
    assert article.told("price", "availability", sort="total") == [(10.0, "backordered"), (20.0, "in_stock")]
    assert {one["criterion"]: one["points"] for one in article.told("points", sort="total")[0]}["stock"] == 0


def test_a_product_leaves_an_article_with_its_number_and_when_it_is_deleted(market: Market, article: Article) -> None:
    for price in (10.0, 11.0, 12.0):
        article.offer(price)
    variant = article.variant(1)

    article.patch(1, variants=[{"variantId": variant, "gtin": None}])
    assert article.told("price") == [10.0, 12.0]
    assert article.others(1) == {"count": 0, "from": None}
    article.patch(1, variants=[{"variantId": variant, "gtin": article.gtin}])
    assert article.told("price") == [10.0, 11.0, 12.0]
    article.delete(2)
    assert article.told("price") == [10.0, 11.0]
    told = "select event_type from outbox_events where aggregate_id = %s order by sequence"
    assert [row[0] for row in market.sql.execute(told, (article.products[1],))] == [
        "ProductCreated", "ProductLeftArticle", "ProductChanged", "ProductChanged",
    ]  # fmt: skip
    assert [row[0] for row in market.sql.execute(told, (article.products[2],))] == [
        "ProductCreated", "ProductLeftArticle", "ProductWithdrawn",
    ]  # fmt: skip


def test_pages_hold_every_offer_once(article: Article) -> None:
    for price in (14.0, 12.0, 11.0, 13.0):
        article.offer(price, rating=4.0 if price == 14.0 else 0)
    article.offer(1.0, stock=0)

    by_sort = {sort: article.offers(sort=sort)["offers"] for sort in ("featured", "total")}

    assert [offer["price"] for offer in by_sort["total"]] == [11.0, 12.0, 13.0, 14.0, 1.0]
    for sort, whole in by_sort.items():
        seen: list[Json] = []
        cursor: Json = {}
        for _ in range(3):
            page = article.offers(sort=sort, limit=2, **cursor)
            seen += page["offers"]
            assert page["featured"] == by_sort["featured"][0]
            cursor = {"cursor": page["pagination"]["nextCursor"]}
        assert seen == whole
        assert cursor == {"cursor": None}
    assert [offer["price"] for offer in article.offers(sort="total", limit=2, page=2)["offers"]] == [13.0, 14.0]
    other = article.offers(sort="total", limit=1)["pagination"]["nextCursor"]
    path = f"/api/v1/products/{article.products[0]}/offers"
    for query, pointer in (
        ({"cursor": other}, "/query/cursor"),
        ({"sort": "price"}, "/query/sort"),
        ({"limit": "0"}, "/query/limit"),
        ({"colour": "red"}, "/query/colour"),
    ):
        refusal = problem(article.market.client.get(path, params=query), 422, "validation-failed")
        assert refusal["errors"][0]["pointer"] == pointer
    problem(article.market.client.get(path, params={"country": "Atlantis"}), 422, "address-not-valid")
    for unknown in (uuid4(), "x"):
        problem(article.market.client.get(f"/api/v1/products/{unknown}/offers"), 404, "product-not-found")


# New products of an article at 101, 102 and so on, whose own numbers are not asked for.
_MORE = """
    insert into products (product_id, seller_id, category_id, title, base_price, currency, condition, article_id)
    select gen_random_uuid(), p.seller_id, p.category_id, 'One more', 100 + n, 'USD', 'new', p.article_id
    from products p, generate_series(1, %(count)s) n where p.product_id = %(like)s"""
_VARIANTS_OF_MORE = """
    insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price)
    select gen_random_uuid(), product_id, seller_id, product_id::text, '{}', base_price from products
    where title = 'One more'"""


@pytest.mark.slow
def test_of_very_many_offers_the_cheapest_new_ones_are_compared(market: Market, article: Article) -> None:
    """500 of them, and a used one after every new one, however cheap it is. Without the limit all are."""
    new, used = article.offer(90.0), article.offer(1.0, condition="used_good")

    def compared() -> Json:
        """How many, and the first and the last price by the total; the last ones cannot be had."""
        first, last = (article.offers(sort="total", limit=100, page=page) for page in (1, 5))
        prices = [page["offers"][place]["price"] for page, place in ((first, 0), (last, -1))]
        return {"total": first["pagination"]["total"], "prices": prices, "featured": first["featured"]["productId"]}

    def read(statement: Any) -> int:
        compiled = statement.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
        return market.sql.execute(str(compiled), {**compiled.params, "product_id": new}).rowcount

    try:
        with market.sql.transaction():
            market.sql.execute(_MORE, {"count": 500, "like": new})
            market.sql.execute(_VARIANTS_OF_MORE)
        assert compared() == {"total": 500, "prices": [90.0, 599.0], "featured": new}
        assert article.offers(1)["pagination"]["total"] == 500
        assert read(queries._OFFERS) == 500  # noqa: SLF001 - the statement is what is asked about
        assert read(queries._OFFERS.limit(None)) == 502  # noqa: SLF001
        market.sql.execute("delete from products where title = 'One more' and base_price >= 599")
        assert compared() == {"total": 500, "prices": [1.0, 598.0], "featured": new}
        assert used in article.told("productId", sort="total")
        market.sql.execute("delete from products where title = 'One more' and base_price >= 598")
        assert compared() == {"total": 499, "prices": [1.0, 597.0], "featured": new}
    finally:
        market.sql.execute("delete from products where title = 'One more'")


# Products with GTINs of their own; triggers would list each, which takes most of the time.
_MANY = """
    insert into products (product_id, seller_id, category_id, title, base_price, currency, article_id)
    select gen_random_uuid(), p.seller_id, p.category_id, 'One of many', 10, 'USD', gen_random_uuid()
    from products p, generate_series(1, %(count)s) where p.product_id = %(like)s"""
_THEIR_VARIANTS = """
    insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price)
    select gen_random_uuid(), product_id, seller_id, product_id::text, '{}', 10 from products
    where title = 'One of many'"""


@pytest.mark.slow
def test_an_article_costs_the_same_in_a_shop_of_any_size(market: Market, article: Article) -> None:
    """By the pages of the database that its statements touch."""
    for price in (10.0, 11.0, 12.0):
        article.offer(price)
    alone = market.product(article.sellers[0])["productId"]
    asked = {"product_id": article.products[0], "viewer": None}
    found: list[list[int]] = []
    try:
        for count_of in (0, 20_000):
            with market.sql.transaction():
                market.sql.execute("select set_config('souk.listings', 'given', true)")
                market.sql.execute(_MANY, {"count": count_of, "like": article.products[0]})
                market.sql.execute(_THEIR_VARIANTS)
            market.sql.execute("analyze products, product_variants, price_points, joined_articles, sellers")
            named = {"variants": [article.variant(1)], "articles": [str(uuid4())]}
            changed = {"products": [article.products[0]]}
            found.append(
                [
                    touched(market, queries._OFFERS, asked),  # noqa: SLF001 - the statement is what is asked about
                    touched(market, queries._STORES, asked),  # noqa: SLF001
                    touched(market, queries._NAMED, named),  # noqa: SLF001
                    touched(market, queries._SHOWN_WITH, changed),  # noqa: SLF001
                    touched(market, products._DETAIL, asked),  # noqa: SLF001
                    touched(market, products._DETAIL, {**asked, "product_id": alone}),  # noqa: SLF001
                ]
            )
    finally:
        market.sql.execute("delete from products where title = 'One of many'")
    print(found)
    small, large = found
    assert all(many <= few + 30 for few, many in zip(small, large, strict=True)), found


def touched(market: Market, statement: Any, values: Json) -> int:
    """How many pages of the database a statement reads, when it has been run once."""
    compiled = statement.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
    asked = {**compiled.params, **values}
    for _ in range(2):
        plan = market.scalar(f"explain (analyze, buffers, format json) {compiled}", asked)
    top = plan[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
