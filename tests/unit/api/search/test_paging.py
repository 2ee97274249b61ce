"""Pages of a search while the catalog changes: no result twice, none left out."""

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest
import tantivy

from api.search.documents import document, fields_of, schema
from api.search.engine import paging, tantivy_index
from api.search.engine.asking import Asking
from api.search.engine.index import Found, SearchQuery, Sort
from api.search.engine.reader import Reader
from api.search.engine.synonyms import SynonymTable
from api.search.filters import parse_filters
from api.search.suggestions.reader import Suggestions
from api.search.suggestions.writer import Builder
from api.search.texts import SHOP
from tests.harness.quick import few
from tests.unit.api.search.test_documents import PRODUCT

SORTS = get_args(Sort)


class Catalog:
    """Products that change between two pages, as the indexer writes them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.draw, self.folder = random.Random(5), folder
        Builder(folder).finish((), SHOP.known)
        self.index = tantivy.Index(schema(SHOP.known), str(folder))
        tantivy_index.register(self.index)
        self.ids = [UUID(int=(place // 7) << 80 | self.draw.getrandbits(62)) for place in range(count)]
        self.write(self.ids)

    def write(self, ids: list[UUID]) -> None:
        writer = self.index.writer(20_000_000, 1)
        for product_id in ids:
            writer.delete_documents_by_term("product_id", str(product_id))
            by_id = random.Random(product_id.int)
            product = replace(
                PRODUCT,
                product_id=product_id,
                title=f"{by_id.choice(('desk', 'floor'))} lamp {by_id.choice(('', 'oak', 'small oak'))}",
                rating=Decimal(by_id.choice(("3", "4.5"))),
                variants=[{"price": price, "attributes": {}} for price in by_id.sample(("5", "25", "60"), 2)],
                # What changes.
                in_stock=self.draw.random() < 0.5,
                view_count=0,
            )
            for fields in fields_of(product, by_id.choice((0, 0, 0, 9))):
                writer.add_json(document(fields))
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()

    def search(self, query: SearchQuery) -> Found:
        suggestions = Suggestions(self.folder, SHOP.known)
        reader = Reader(self.folder, self.index, 1, self.index.searcher(), SHOP, suggestions)
        asking = Asking.of(reader, None, SynonymTable())
        return tantivy_index._search(reader, query, asking)  # noqa: SLF001 - no store

    def walk(self, query: SearchQuery, change: Callable[[], None]) -> list[str]:
        """Every page by its cursor."""
        found = self.search(query)
        seen, totals = [*found.ids], {found.total}
        while found.last is not None:
            assert found.last.passed == len(seen)
            change()
            found = self.search(replace(query, after=found.last))
            seen += found.ids
            totals.add(found.total)
        assert len(totals) == 1
        return seen


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog(tmp_path_factory.mktemp("paging"), 600)


def asked(text: str, sort: Sort, limit: int = 40, filters: str = "") -> SearchQuery:
    return SearchQuery(text, parse_filters(filters), sort, limit, 0)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("text", few(["oak lamp", ""], 1))
def test_cursors_repeat_and_skip_nothing_while_stock_changes(catalog: Catalog, sort: Sort, text: str) -> None:
    """Every change moves a document to the end of the index, behind others of the same value."""
    query = asked(text, sort)
    total = catalog.search(query).total

    seen = catalog.walk(query, lambda: catalog.write(catalog.draw.sample(catalog.ids, 15)))

    assert total == (600 if not text else len(seen))
    assert (len(seen), len(set(seen))) == (total, total)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    ("text", "filters"), [("", ""), ("lamp", ""), ("small oak lamp", "price:20-"), ("", "rating:4-")]
)
def test_pages_by_number_are_those_of_cursors(catalog: Catalog, sort: Sort, text: str, filters: str) -> None:
    """Of one commit, whatever the size of a page."""
    walked = catalog.walk(asked(text, sort, 37, filters), lambda: None)

    for limit in (9, 100):
        query = asked(text, sort, limit, filters)
        numbered = [
            product for offset in range(0, 250, limit) for product in catalog.search(replace(query, offset=offset)).ids
        ]
        assert numbered == walked[: len(numbered)]
        assert len(numbered) == min(-(-250 // limit) * limit, len(walked))


@pytest.mark.parametrize("sort", SORTS)
def test_the_order_is_by_value_and_then_by_id(catalog: Catalog, sort: Sort) -> None:
    seen = catalog.walk(asked("", sort), lambda: None)
    ties = {str(one): one.int & (2**62 - 1) for one in catalog.ids}
    values: dict[str, list[int]] = {}
    for product in seen:
        drawn = random.Random(UUID(product).int)
        drawn.choice(("desk", "floor"))
        drawn.choice(("", "oak", "small oak"))
        rating, prices, sold = drawn.choice((3, 4.5)), drawn.sample((5, 25, 60), 2), drawn.choice((0, 0, 0, 9))
        value = {
            "price_asc": min(prices), "price_desc": min(prices), "rating": rating, "newest": UUID(product).int >> 80,
        }.get(sort, sold)  # fmt: skip
        values.setdefault(str(value), []).append(ties[product])

    assert all(group == sorted(group) for group in values.values())
    assert sum(map(len, values.values())) == 600
    # Each value once: its products stand together.
    assert len(values) == {"rating": 2, "newest": 86, "price_asc": 2, "price_desc": 2}.get(sort, 2)


def test_without_the_order_of_ids_pages_repeat(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pages by number did: documents of one value in the order in which they were written."""
    monkeypatch.setattr(paging, "_settled", lambda _searcher, _rest, query, _sort, hits: hits[: query.limit])
    seen = catalog.walk(asked("", "relevance"), lambda: catalog.write(catalog.draw.sample(catalog.ids, 15)))

    assert len(set(seen)) < 600
