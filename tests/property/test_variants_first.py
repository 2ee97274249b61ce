"""Lists, filters, facets, sorts and search are computed from variants: on random catalogs the product list and search
answer as plain SQL over products and variants does, also after changes that only triggers and the indexer follow.

The rule: a product is found exactly if one of its shown variants fulfils all filters together; it is found once, at the
least price of those that do.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest
import pytest_asyncio
from tantivy import Occur, Query

from api.catalog.brands.keys import key_of, spellings_of
from api.catalog.facets import price_range_label
from api.catalog.queries import index_feed, listing
from api.catalog.queries.counting import count_in_database
from api.catalog.queries.index_feed import IndexedProduct
from api.catalog.queries.invariants import CHECKS
from api.catalog.queries.listing import Way, page_statement, product_page
from api.catalog.schemas import Sort
from api.kernel.context import Context, open_context
from api.kernel.db import ReadTx
from api.kernel.settings import Settings
from api.search import documents
from api.search.engine import facets, matching
from api.search.engine.matching import Wanted
from api.search.engine.store import IndexStore
from api.search.engine.tantivy_index import TantivyIndex
from api.search.sync import Indexer
from tests.harness.catalogs import (
    Answer,
    Catalog,
    Catalogs,
    Question,
    ask,
    ask_sql,
    narrowed_to_a_list,
    shape,
    without_choices,
)
from tests.harness.quick import few

MOST = 100
# Of lists in one run.
SHAPES = 10
WAYS: tuple[Way, ...] = get_args(Way)
# What is written by triggers; the catalogs have nothing else that a shop would have.
LISTED = {"R-I18-listed", "R-I18-counted"}


class Shop:
    """A database and an index that follows it."""

    def __init__(self, context: Context, home: Path, sql: psycopg.Connection[Any]) -> None:
        self.context, self.sql = context, sql
        self.store = IndexStore(home / "search")
        self.indexer, self.index = Indexer(self.store), TantivyIndex(self.store)
        self.sellers = [UUID(int=number) for number in (7, 8)]

    async def compare(self, draw: random.Random, catalogs: int) -> None:
        """Fill, ask, change, ask again."""
        filled = Catalogs(self.sql, self.sellers, draw)
        asked = filled.fill(catalogs)
        shapes = [shape(draw) for _ in range(SHAPES)]
        await self.indexer.rebuild(self.context)
        await self._ask(draw, asked, shapes)
        filled.change()
        self.indexer.swept = float("-inf")
        await self.indexer.refresh(self.context)
        await self._ask(draw, asked[::3], shapes)

    async def _ask(
        self, draw: random.Random, catalogs: list[Catalog], shapes: list[tuple[Sort, frozenset[str]]]
    ) -> None:
        async with self.context.db.read() as tx:
            for catalog in catalogs:
                question = ask(draw, catalog)
                await self._search(question, ask_sql(self.sql, question, folded=True))
                listed = narrowed_to_a_list(ask(draw, catalog, draw.choice(shapes)))
                await self._list(tx, draw.choice(WAYS), listed, ask_sql(self.sql, listed, folded=True))

    async def _search(self, question: Question, expected: Answer) -> None:
        found = await self.index.search(question.search(MOST))
        assert found.total == len(expected.hits), question
        hits = [(hit["productId"], hit["price"], hit["inStock"]) for hit in map(orjson.loads, found.hits)]
        assert sorted(hits, key=lambda hit: (hit[1], hit[0])) == expected.hits, question
        prices = [price for _, price, _ in hits]
        if question.sort in {"price_asc", "price_desc"}:
            assert prices == sorted(prices, reverse=question.sort == "price_desc"), question
        # Counted from the results, and by the engine.
        counted_here, facets.COUNTED_HERE = facets.COUNTED_HERE, 0
        by_engine = await self.index.search(question.search(1))
        facets.COUNTED_HERE = counted_here
        for one in (found, by_engine):
            ranges = {price_range_label(bucket): count for bucket, count in one.price_ranges}
            ratings = [count for _, count in one.ratings]
            brands = {name.casefold(): count for name, count in one.brands}
            own = set(map(str, question.catalog.categories))
            categories = {category: count for category, count in one.categories if category in own}
            values = {
                f"{attribute.key}:{value.casefold()}": count
                for attribute in one.attributes
                for value, count in attribute.values
            }
            counted = Answer(expected.hits, brands, ranges, ratings, categories, values)
            assert (counted, len(one.brands)) == (expected, len(brands)), question

    async def _list(self, tx: ReadTx, way: Way, question: Question, expected: Answer) -> None:
        query = question.list()
        if query.brands:
            keys = sorted(set(map(key_of, query.brands)))
            known, stored = await self.index.spellings(keys), await spellings_of(tx, keys)
            # The index may have spellings that products have no more.
            assert set(known or ()) >= set(stored)
            query = replace(query, brands=known or tuple(keys))
        cards, more = await product_page(tx, query, limit=MOST, offset=0, after=None, way=way)
        hits = [(str(card.product_id), float(card.price), card.in_stock) for card in cards]
        assert more is None
        assert sorted(hits, key=lambda hit: (hit[1], hit[0])) == expected.hits, (way, question)
        if question.sort in {"price_asc", "price_desc"}:
            assert hits == expected.hits[:: 1 if question.sort == "price_asc" else -1], (way, question)
        scope = ask_sql(self.sql, without_choices(question), folded=True)
        for counts in (await self.index.count(query), await count_in_database(tx, query)):
            assert counts is not None
            assert counts.total == len(expected.hits), question
            ranges = {price_range_label(bucket): count for bucket, count in counts.prices.items()}
            brands = {name.casefold() for name in counts.brands}
            assert len(brands) == len(counts.brands)
            assert (brands, ranges, counts.ratings) == (set(scope.brands), scope.prices, scope.ratings)


def wrongly_listed(shop: Shop) -> list[Any]:
    return [row for check in CHECKS if check.name in LISTED for row in shop.sql.execute(check.sql).fetchall()]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("variants-home")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(database_url: str, redis_url: str, home: Path) -> AsyncIterator[Shop]:
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        with psycopg.connect(database_url, autocommit=True) as sql:
            shop = Shop(context, home, sql)
            for seller in shop.sellers:
                person = (seller, f"{uuid4()}@variants.example", "x", "Somebody", "seller")
                sql.execute(
                    "insert into users (user_id, email, password_hash, name, user_type) values (%s, %s, %s, %s, %s)",
                    person,
                )
            yield shop


async def test_lists_and_search_answer_as_sql_over_variants_does(shop: Shop) -> None:
    """200 catalogs, a third of them again after changes."""
    await shop.compare(random.Random(1), 200)

    assert wrongly_listed(shop) == []


@pytest.mark.slow
@pytest.mark.timeout(1_500)
async def test_ten_thousand_catalogs(shop: Shop) -> None:
    for seed in range(40):
        await shop.compare(random.Random(1_000 + seed), 250)

    assert wrongly_listed(shop) == []


def across_variants(patch: pytest.MonkeyPatch, _: Shop) -> None:
    """Facts of different variants are matched together."""

    def together(field: str, words: Sequence[Sequence[str]]) -> Query:
        return Query.boolean_query(
            [(Occur.Must, Query.term_set_query(documents.schema(), field, list(terms))) for terms in words]
        )

    patch.setattr(Wanted, "among", lambda wanted, field, *further: together(field, [*wanted.words, *further]))


def facts_of_some_for_all(patch: pytest.MonkeyPatch, _: Shop) -> None:
    """What some variants of a document have is taken for what all have."""
    patch.setattr(Wanted, "_as_often", lambda *_: True)


def each_price_a_result(patch: pytest.MonkeyPatch, _: Shop) -> None:
    """A product is found at each of its matching prices."""
    once = matching.once

    def at_all(*asked: Any) -> list[tuple[Occur, Query]]:
        return [clause for clause in once(*asked) if clause[0] is Occur.Must]

    patch.setattr(matching, "once", at_all)


def sold_out_variants_indexed(patch: pytest.MonkeyPatch, shop: Shop) -> None:
    """Sold-out variants stand for a product that is in stock, in search."""
    all_live = index_feed.all_live
    variants = (
        "select coalesce(jsonb_agg(jsonb_build_object('price', price::text, 'attributes', attributes)), '[]')"
        " from product_variants where product_id = %s and removed_at is null"
    )

    async def with_sold_out(*asked: Any) -> list[IndexedProduct]:
        rows = await all_live(*asked)
        known = [shop.sql.execute(variants, (row.product_id,)).fetchone() for row in rows]
        return [replace(row, variants=found[0]) for row, found in zip(rows, known, strict=True) if found]

    patch.setattr(index_feed, "all_live", with_sold_out)


def each_price_listed(patch: pytest.MonkeyPatch, _: Shop) -> None:
    """A product is in a list at each of its matching prices."""
    choices = listing.choices

    def conditions(*asked: Any) -> Any:
        return choices(*asked)[1:]

    patch.setattr(listing, "choices", conditions)


def listed_by(old: str, new: str) -> Callable[[pytest.MonkeyPatch, Shop], None]:
    """The trigger's function with a part replaced."""

    def alter(_: pytest.MonkeyPatch, shop: Shop) -> None:
        (body,) = shop.sql.execute("select pg_get_functiondef('list_products'::regproc)").fetchone() or ("",)
        assert old in body
        shop.sql.execute(body.replace(old, new))

    return alter


def values_of_any_variant(patch: pytest.MonkeyPatch, _: Shop) -> None:
    """A product is counted for a value that none of its variants at the price that is asked for has."""
    patch.setattr(facets, "_of_variants", lambda reader, _text, _query, values: facets.listed(reader, values))


def spellings_of_a_brand_apart(patch: pytest.MonkeyPatch, _: Shop) -> None:
    """Each spelling of a brand is a brand."""
    patch.setattr(documents, "brand_term", lambda brand: brand)


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch, Shop], None]] = {
    "facts across variants": across_variants,
    "facts of some for all": facts_of_some_for_all,
    "each price a result": each_price_a_result,
    "values of any variant": values_of_any_variant,
    "spellings of a brand apart": spellings_of_a_brand_apart,
    "sold-out variants in search": sold_out_variants_indexed,
    "each price in lists": each_price_listed,
    "sold-out variants in lists": listed_by("WHERE in_stock = product_in_stock GROUP", "GROUP"),
    "the product's price in lists": listed_by(
        "SELECT v.product_id, v.price,",
        "SELECT v.product_id, (SELECT base_price FROM products p WHERE p.product_id = v.product_id) AS price,",
    ),
    "removed variants in lists": listed_by(" AND v.removed_at IS NULL", ""),
}


@pytest.fixture(params=few(MUTANTS, 2))
def altered(shop: Shop, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    (before,) = shop.sql.execute("select pg_get_functiondef('list_products'::regproc)").fetchone() or ("",)
    page_statement.cache_clear()
    MUTANTS[request.param](monkeypatch, shop)
    yield shop
    shop.sql.execute(before)
    page_statement.cache_clear()


async def test_a_rule_that_is_missing_is_seen(altered: Shop) -> None:
    with pytest.raises(AssertionError):
        await altered.compare(random.Random(2), 150)
