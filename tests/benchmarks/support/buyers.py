"""The requests of shoppers: orders of two items, additions to carts, pages. Seeded: every run sends the same."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import psycopg

from tests.benchmarks.support.http import Expected, Request, get, post
from tests.harness.sessions import guest_headers

ADDRESS = {"street": "1 Market Street", "city": "Springfield", "state": "IL", "zipCode": "62701", "country": "US"}
LINES_OF_A_CART = 5
CARTS_AT_ONCE = 256
PAGE, MOST_PAGES, POPULAR_PAGES = 24, 80, 20
SORTS = ("relevance", "price_asc", "price_desc", "rating", "newest")
# Of a hundred requests of the mix: ninety read, ten buy.
SHARES = {"list": 30, "detail": 35, "search": 15, "for-you": 5, "related": 5, "cart": 5, "order": 5}
EXPECTED = {
    "order": Expected(201, '"orderNumber"'),
    "cart": Expected(201, '"itemCount"'),
    "list": Expected(200, '"pagination"'),
    "detail": Expected(200, '"variants"'),
    "search": Expected(200, '"totalResults"'),
    "for-you": Expected(200, '"recommendations"'),
    "views": Expected(202, ""),
    "related": Expected(200, '"recommendations"'),
}


@dataclass(frozen=True)
class Goods:
    """What the shop sells, as the API names it: the best sellers first. `categories`: path, and products below it."""

    products: Sequence[str]
    titles: Sequence[str]
    variants: Sequence[tuple[str, str]]
    categories: Sequence[tuple[str, int]]

    @classmethod
    def of(cls, database_url: str) -> "Goods":
        """Read from the tables; only what is on sale."""
        with psycopg.connect(database_url) as connection:
            rows = connection.execute(
                "select product_id::text, title, array_agg(variant_id::text order by variant_id)"
                " from products join product_counters using (product_id) join product_variants using (product_id)"
                " where status = 'active' and deleted_at is null and stock_quantity > 0"
                " group by product_id, title, units_sold_90d order by units_sold_90d desc, product_id"
            ).fetchall()
            categories = connection.execute(
                "select above.path, count(*) from categories above join categories below"
                " on below.path = above.path or starts_with(below.path, above.path || '/')"
                " join products on products.category_id = below.category_id and status = 'active' group by 1 order by 1"
            ).fetchall()
        return cls(
            products=[row[0] for row in rows],
            titles=[row[1] for row in rows],
            variants=[(row[0], variant) for row in rows for variant in row[2]],
            categories=[(path, count) for path, count in categories],
        )

    def first(self, variants: int) -> "Goods":
        """The same with that many variants at most."""
        return replace(self, variants=self.variants[:variants])


def orders(goods: Goods, seed: str, hot: tuple[str, str] | None = None) -> Iterator[Request]:
    """Guests who each order one unit of two variants; with `hot`, one of the two is always that one."""
    draw = random.Random(seed)
    for number in itertools.count():
        one, other = draw.sample(goods.variants, 2)
        if hot is not None:
            one = hot
            while other == hot:
                other = draw.choice(goods.variants)
        body = {
            "items": [{"productId": product, "variantId": variant, "quantity": 1} for product, variant in (one, other)],
            "shippingAddress": ADDRESS,
            "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
            "email": "benchmark@example.com",
        }
        keys = {**guest_headers(f"buyer-{seed}-{number}"), "Idempotency-Key": f"{seed}-{number:07d}"}
        yield post("order", "/api/v1/orders", body, keys)


def additions(goods: Goods, seed: str) -> Iterator[Request]:
    """Guests who put five variants into a cart each; neighbouring requests are of different carts."""
    draw = random.Random(seed)
    for number in itertools.count():
        round_, place = divmod(number, CARTS_AT_ONCE)
        session = guest_headers(f"cart-{seed}-{round_ // LINES_OF_A_CART}-{place}")
        product, variant = draw.choice(goods.variants)
        body = {"productId": product, "variantId": variant, "quantity": 1}
        yield post("cart", "/api/v1/cart/items", body, session)


def list_page(**query: object) -> Request:
    """One page of the product list."""
    return get("list", f"/api/v1/products?{urlencode(query)}")


def lists(goods: Goods) -> Iterator[Request]:
    """Full pages of every department in every order, in a random sequence: no two are the same."""
    scopes = [({}, len(goods.products)), *(({"category": path}, count) for path, count in goods.categories)]
    pages = [
        {"limit": PAGE, "page": page, "sort": sort, **stock, **scope}
        for scope, count in scopes
        for page in range(1, min(count // PAGE, MOST_PAGES) + 1)
        for sort in SORTS
        for stock in ({}, {"inStock": "true"})
    ]
    random.Random("lists").shuffle(pages)
    return (list_page(**page) for page in pages)


def popular_pages(goods: Goods) -> list[Request]:
    """The first page of the whole shop and of its biggest departments."""
    biggest = sorted(goods.categories, key=lambda category: (-category[1], category[0]))
    scopes = [{}, *({"category": path} for path, _ in biggest[: POPULAR_PAGES - 1])]
    return [list_page(limit=PAGE, **scope) for scope in scopes]


def details(goods: Goods) -> Iterator[Request]:
    """Every product once, in an order that has nothing to do with sales."""
    for product in random.Random("details").sample(goods.products, len(goods.products)):
        yield get("detail", f"/api/v1/products/{product}")


def words(goods: Goods, seed: str) -> Iterator[str]:
    """Two words of one title each."""
    draw = random.Random(seed)
    while True:
        title = draw.choice(goods.titles).split()
        yield " ".join(draw.sample(title, min(2, len(title))))


def searches(goods: Goods, seed: str) -> Iterator[Request]:
    """Searches for two words of a title."""
    for text in words(goods, seed):
        yield get("search", f"/api/v1/search?{urlencode({'q': text})}")


def pages(goods: Goods, seed: str) -> Iterator[Request]:
    """Popular pages of the list, products' pages and searches, in the shares that they have in the mix."""
    draw = random.Random(seed)
    popular_lists, found = popular_pages(goods), searches(goods, seed)
    shares = {kind: SHARES[kind] for kind in ("list", "detail", "search")}
    while True:
        kind = draw.choices([*shares], [*shares.values()])[0]
        if kind == "list":
            yield draw.choice(popular_lists)
        elif kind == "detail":
            yield get("detail", f"/api/v1/products/{popular(goods, draw)}")
        else:
            yield next(found)


def views(goods: Goods, draw: random.Random, guest: Mapping[str, str], count: int) -> Request:
    """What a guest's browser reports after looking at some popular products."""
    events = [{"type": "view", "productId": popular(goods, draw)} for _ in range(count)]
    return post("views", "/api/v1/events", {"events": events}, guest)


def popular(goods: Goods, draw: random.Random) -> str:
    """A product: the best sellers are looked at most, by Zipf's law."""
    return goods.products[int(len(goods.products) ** draw.random()) - 1]
