"""A search index of a few products, made by the worker's own writer, without a database."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel import clock
from api.kernel.languages import Languages
from api.search.engine.index import Found, SearchQuery, Sort
from api.search.engine.store import IndexStore
from api.search.engine.synonyms import Pair, SynonymTable
from api.search.engine.tantivy_index import TantivyIndex
from api.search.filters import parse_filters
from api.search.sync import Indexer
from api.search.texts import SHOP


class SmallIndex:
    """Products in the order in which they are given; a text alone is a title."""

    def __init__(
        self,
        folder: Path,
        products: Sequence[str | Mapping[str, Any]],
        languages: Languages = SHOP,
        synonyms: Sequence[Pair] = (),
    ) -> None:
        store = IndexStore(folder, languages)
        indexer = Indexer(store)
        generation, writer = indexer.begin()
        rows = [product(number, {"title": one} if isinstance(one, str) else one) for number, one in enumerate(products)]
        indexer.add_all(writer, rows)
        indexer.finish(generation, writer, clock.now())
        store.publish(generation)
        self.index = TantivyIndex(store, SynonymTable(synonyms))

    async def found(
        self, text: str, filters: str = "", sort: Sort = "relevance", language: str | None = None, **page: int
    ) -> Found:
        query = SearchQuery(text, parse_filters(filters), sort, page.get("limit", 20), page.get("offset", 0), language)
        return await self.index.search(query)

    async def titles(self, text: str, **asked: Any) -> list[str]:
        return [str(orjson.loads(card)["title"]) for card in (await self.found(text, **asked)).hits]


def product(number: int, said: Mapping[str, Any]) -> IndexedProduct:
    """One variant, in stock, of which nothing was sold, except for what is said."""
    plain: dict[str, Any] = {
        "product_id": UUID(int=(number + 1) << 80),
        "live": True,
        "language": None,
        "translations": None,
        "brand": None,
        "seller_id": UUID(int=1),
        "category_id": UUID(int=2),
        "category_path": "/Things",
        "description": None,
        "specifications": {},
        "variants": [{"price": "10.00", "attributes": {}}],
        "currency": "USD",
        "rating": Decimal(0),
        "review_count": 0,
        "view_count": 0,
        "prime_eligible": False,
        "condition": "new",
        "in_stock": True,
        "thumbnail": "",
    }
    return IndexedProduct(**{**plain, **said})
