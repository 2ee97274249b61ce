"""Random catalogs in SQL, random questions about them, and what plain SQL answers.

A catalog is a root category of its own with two below it, so that many can be asked about in one database and one
index. Nothing here knows of price points, of the search index or of the statements of lists: the oracle reads products
and variants.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any, get_args
from uuid import UUID, uuid4

import psycopg

from api.catalog.queries.listing import ProductQuery
from api.catalog.schemas import Sort
from api.search.engine.index import SearchQuery
from api.search.filters import Filters, Span

SORTS = get_args(Sort)
# Two spellings of one, which search counts as one and lists do not.
BRANDS = ("Acme", "ACME", "Bolt", None)
WORDS = ("lamp", "chair", "stool")
# Few values, so that variants share some and differ in others; two spellings of one name, and characters of a pattern.
VALUES = {
    "color": ("Red", "blue", "a|b.*"),
    "size": ("S", "M"),
    "wood": ("oak", '24"'),
    "colour": ("Red", "green"),
}
# On the edges of ranges, next to them, and far away.
PRICES = tuple(map(Decimal, ("9.99", "10", "10.01", "25", "30", "50", "99.99", "100", "1000", "12345.67")))
BOUNDS = (None, *PRICES, Decimal(0), Decimal(20), Decimal("9.999"), Decimal("10.005"))
Json = dict[str, Any]

ORACLE = """
with offered as (
  select p.product_id, p.brand, p.average_rating as rating, p.prime_eligible as prime, v.price,
         v.stock_quantity > 0 as stocked, bool_or(v.stock_quantity > 0) over (partition by p.product_id) as in_stock,
         p.title like '%%' || %(word)s || '%%' as worded, p.category_id, said.facts,
         (select coalesce(array_agg(asked.key), '{}') from jsonb_each(%(attributes)s) asked
          where not exists (select from jsonb_array_elements_text(asked.value) value
                            where jsonb_build_array(asked.key, lower(value)) = any(said.facts))) as unmet
  from products p join product_variants v using (product_id)
  cross join lateral (
    select coalesce(array_agg(distinct jsonb_build_array(replace(lower(name), 'colour', 'color'), lower(value))), '{}')
    from (select * from jsonb_each(v.attributes) union all select * from jsonb_each(p.specifications)) one(name, said)
    cross join jsonb_array_elements_text(
      case jsonb_typeof(said) when 'array' then said else jsonb_build_array(said) end) value) said(facts)
  where p.status = 'active' and p.deleted_at is null and v.removed_at is null
    and p.category_id = any(%(categories)s)
    and (%(seller)s::uuid is null or p.seller_id = %(seller)s)),
judged as (
  select *, unmet = '{}' as described, case when %(folded)s then lower(brand) else brand end as counted_brand,
         (%(brands)s::text[] is null or case when %(folded)s
            then lower(brand) in (select lower(one) from unnest(%(brands)s::text[]) one)
            else brand = any(%(brands)s) end) as of_brand,
         (not %(priced)s or exists (
           select from unnest(%(lows)s::numeric[], %(highs)s::numeric[]) span(low, high)
           where price >= coalesce(low, 0) and (high is null or price <= high))) as at_price,
         (not %(rated)s or exists (
           select from unnest(%(worst)s::numeric[], %(best)s::numeric[]) span(low, high)
           where rating >= coalesce(low, 0) and (high is null or rating <= high))) as of_rating
  from offered
  where stocked = in_stock and worded
    and (%(prime)s::bool is null or prime = %(prime)s) and (%(in_stock)s::bool is null or in_stock = %(in_stock)s)),
found as (
  select product_id, min(price) as price, bool_or(in_stock) as in_stock from judged
  where of_brand and at_price and of_rating and described group by 1)
select
  (select coalesce(json_agg(json_build_array(product_id, price::text, in_stock) order by price, product_id), '[]')
   from found),
  (select coalesce(json_object_agg(counted_brand, n), '{}') from (
     select counted_brand, count(distinct product_id) n from judged
     where at_price and of_rating and described and brand is not null group by 1) b),
  (select coalesce(json_object_agg(low || '-' || high, n), '{}') from (
     select low, coalesce(high::text, '') as high, count(distinct product_id) n
     from judged join unnest(array[0, 10, 25, 50, 100, 250, 500, 1000], array[10, 25, 50, 100, 250, 500, 1000, null])
       r(low, high) on price >= low and (high is null or price <= high)
     where of_brand and of_rating and described group by 1, 2) p),
  (select json_agg((select count(distinct product_id) from judged
                    where of_brand and at_price and described and rating >= step)
                   order by step desc) from unnest(array[1, 2, 3, 4]) step),
  (select coalesce(json_object_agg(category_id, n), '{}') from (
     select category_id, count(distinct product_id) n from judged
     where of_brand and at_price and of_rating and described group by 1) c),
  (select coalesce(json_object_agg(name || ':' || value, n), '{}') from (
     select fact->>0 as name, fact->>1 as value, count(distinct product_id) n
     from judged cross join unnest(facts) fact
     where of_brand and at_price and of_rating and unmet <@ array[fact->>0] group by 1, 2) a)
"""

_CATEGORY = "insert into categories (category_id, name, parent_category_id, path, level) values (%s, %s, %s, %s, %s)"
_PRODUCT = """
insert into products (product_id, seller_id, category_id, title, brand, base_price, currency, status, prime_eligible,
                      average_rating, specifications, deleted_at)
values (%s, %s, %s, %s, %s, %s, 'USD', %s, %s, %s, %s, case when %s then now() end)"""
_VARIANT = """
insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price, own_price, stock_quantity,
                              removed_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, case when %s then now() end)"""
CHANGES = (
    ("product_variants", "stock_quantity = case when stock_quantity > 0 then 0 else 2 end"),
    ("product_variants", "price = 30, own_price = 30"),
    ("product_variants", "removed_at = case when removed_at is null then now() end"),
    ("product_variants", "attributes = attributes || jsonb_build_object('size', 'M')"),
    ("products", "status = case status when 'active' then 'draft' else 'active' end"),
    ("products", "prime_eligible = not prime_eligible, brand = 'Bolt'"),
)


@dataclass(frozen=True)
class Catalog:
    path: str
    categories: list[UUID]  # the root, and those below it
    seller: UUID


@dataclass(frozen=True)
class Question:
    """What a shopper asks of one catalog, in words that a list, a search and the oracle understand."""

    catalog: Catalog
    sort: Sort
    word: str = ""
    brands: tuple[str, ...] = ()
    prices: tuple[Span, ...] = ()
    ratings: tuple[Span, ...] = ()
    attributes: dict[str, list[str]] = field(default_factory=dict)
    prime: bool | None = None
    in_stock: bool | None = None
    seller: UUID | None = None

    def search(self, limit: int) -> SearchQuery:
        filters = Filters(
            brands=list(self.brands),
            categories=[self.catalog.path],
            prices=list(self.prices),
            ratings=list(self.ratings),
            attributes=self.attributes,
            prime=self.prime,
            in_stock=self.in_stock,
        )
        return SearchQuery(self.word, filters, self.sort, limit, 0)

    def list(self) -> ProductQuery:
        price = self.prices[0] if self.prices else Span(None, None)
        rating = self.ratings[0].lower if self.ratings else None
        return ProductQuery(
            categories=tuple(self.catalog.categories),
            seller_id=self.seller,
            brands=self.brands,
            min_price=price.lower,
            max_price=price.upper,
            min_rating=None if rating is None else float(rating),
            prime=self.prime,
            in_stock=self.in_stock,
            sort=self.sort,
        )


@dataclass(frozen=True)
class Answer:
    """`hits`: product, price in the row, whether in stock, by price and id. Counts are disjunctive; `categories` by id
    in the catalog alone, `attributes` by `name:value` in small letters."""

    hits: list[tuple[str, float, bool]]
    brands: dict[str, int]
    prices: dict[str, int]
    ratings: list[int]
    categories: dict[str, int]
    attributes: dict[str, int]


def ask_sql(sql: psycopg.Connection[Any], question: Question, *, folded: bool) -> Answer:
    """What the shop must answer; `folded`: brands are equal whatever their letters' case."""
    named: dict[str, list[str]] = {}
    for name, values in question.attributes.items():
        named.setdefault(name.replace("colour", "color"), []).extend(values)
    binds = {
        "categories": question.catalog.categories, "word": question.word, "brands": list(question.brands) or None,
        "prime": question.prime, "in_stock": question.in_stock, "seller": question.seller, "folded": folded,
        "attributes": json.dumps(named), "priced": bool(question.prices), "rated": bool(question.ratings),
        "lows": [span.lower for span in question.prices], "highs": [span.upper for span in question.prices],
        "worst": [span.lower for span in question.ratings], "best": [span.upper for span in question.ratings],
    }  # fmt: skip
    row = sql.execute(ORACLE, binds).fetchone()
    assert row is not None
    hits = [(product, float(price), in_stock) for product, price, in_stock in row[0]]
    return Answer(hits, *row[1:])


def narrowed_to_a_list(question: Question) -> Question:
    """What lists can be asked: no words and attributes, one span of prices, a least rating."""
    least = tuple(Span(span.lower, None) for span in question.ratings[:1] if span.lower is not None)
    return replace(question, word="", attributes={}, prices=question.prices[:1], ratings=least)


def without_choices(question: Question) -> Question:
    """The scope in which a list counts its groups."""
    return replace(question, brands=(), prices=(), ratings=())


def shape(draw: Random) -> tuple[Sort, frozenset[str]]:
    """The sort of a list and the filters that it is asked with: lists are slow the first time that they are asked
    so."""
    names = ("brands", "prices", "ratings", "prime", "in_stock", "seller")
    return draw.choice(SORTS), frozenset(name for name in names if draw.random() < 0.3)


def ask(draw: Random, catalog: Catalog, listed: tuple[Sort, frozenset[str]] | None = None) -> Question:
    """A random question for search, or for a list of this shape."""
    if listed is not None:
        return _asked(draw, catalog, lambda name, _: name in listed[1], listed[0])
    return _asked(draw, catalog, lambda _, chance: draw.random() < chance, draw.choice(SORTS))


def _asked(draw: Random, catalog: Catalog, has: Callable[[str, float], bool], sort: Sort) -> Question:

    def maybe(name: str, chance: float, value: Callable[[], Any], otherwise: Any) -> Any:
        return value() if has(name, chance) else otherwise

    def span(bounds: Sequence[Decimal | None]) -> Span:
        ends = sorted((draw.choice(bounds), draw.choice(bounds)), key=lambda end: -1 if end is None else end)
        return Span(None if ends[0] is None else ends[0], None if draw.random() < 0.2 else ends[1])

    names = maybe("attributes", 0.7, lambda: draw.sample(list(VALUES), draw.choice((1, 1, 2, 2, 3))), [])
    return Question(
        catalog=catalog,
        sort=sort,
        word=maybe("word", 0.3, lambda: draw.choice(WORDS), ""),
        brands=maybe("brands", 0.3, lambda: tuple(draw.sample(("Acme", "ACME", "Bolt"), draw.randint(1, 2))), ()),
        prices=maybe("prices", 0.5, lambda: tuple(span(BOUNDS) for _ in range(draw.choice((1, 1, 2)))), ()),
        ratings=maybe("ratings", 0.2, lambda: (span((None, *map(Decimal, ("1", "2.5", "4", "5")))),), ()),
        attributes={name: draw.sample(VALUES[name], draw.randint(1, len(VALUES[name]))) for name in names},
        prime=maybe("prime", 0.2, lambda: draw.random() < 0.5, None),
        in_stock=maybe("in_stock", 0.3, lambda: draw.random() < 0.6, None),
        seller=maybe("seller", 0.0, lambda: catalog.seller, None),
    )


class Catalogs:
    """Fills a database with random catalogs, and changes them."""

    def __init__(self, sql: psycopg.Connection[Any], sellers: Sequence[UUID], draw: Random) -> None:
        self.sql, self.sellers, self.draw = sql, sellers, draw

    def fill(self, count: int) -> list[Catalog]:
        """So many catalogs of up to six products, in place of those before."""
        self.sql.execute("delete from products")
        self.sql.execute("delete from categories")
        catalogs = [self._categories() for _ in range(count)]
        products = [self._product(catalog) for catalog in catalogs for _ in range(self.draw.randint(1, 6))]
        with self.sql.cursor() as cursor:
            cursor.executemany(_PRODUCT, [product for product, _ in products])
            cursor.executemany(_VARIANT, [variant for _, variants in products for variant in variants])
        return catalogs

    def change(self) -> None:
        """Some of everything, several rows at a time."""
        for table, change in CHANGES:
            # One product of sixteen.
            self.sql.execute(
                f"update {table} set {change}, updated_at = now() where get_byte(uuid_send(product_id), 15) %% 16 = %s",
                (self.draw.randrange(16),),
            )

    def _categories(self) -> Catalog:
        root, name = uuid4(), f"Catalog {uuid4().hex}"
        ids = [root, uuid4(), uuid4()]
        rows: list[tuple[object, ...]] = [(root, name, None, f"/{name}", 0)]
        rows += [(one, part, root, f"/{name}/{part}", 1) for one, part in zip(ids[1:], "AB", strict=True)]
        with self.sql.cursor() as cursor:
            cursor.executemany(_CATEGORY, rows)
        return Catalog(f"/{name}", ids, self.draw.choice(self.sellers))

    def _product(self, catalog: Catalog) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
        draw = self.draw
        product, seller = uuid4(), draw.choice(self.sellers)
        price = draw.choice(PRICES)
        specifications = {"wood": draw.choice(("oak", ["oak", '24"']))} if draw.random() < 0.2 else {}
        columns = (
            product, seller, draw.choice(catalog.categories), f"A {draw.choice(WORDS)} {product.hex}",
            draw.choice(BRANDS), price, "active" if draw.random() < 0.9 else "draft", draw.random() < 0.5,
            draw.choice(("0", "1", "2.5", "4", "4.95", "5")), json.dumps(specifications), draw.random() < 0.05,
        )  # fmt: skip
        variants = []
        for _ in range(draw.choice((1, 1, 2, 3, 4))):
            own = None if draw.random() < 0.4 else draw.choice(PRICES)
            names = draw.sample(list(VALUES), draw.randint(0, 3))
            attributes = json.dumps({name: draw.choice(VALUES[name]) for name in names})
            stock, removed = draw.choice((0, 0, 1, 5)), draw.random() < 0.1
            variants.append((uuid4(), product, seller, uuid4().hex, attributes, own or price, own, stock, removed))
        return columns, variants
