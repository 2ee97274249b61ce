"""What is measured: the shop's search, through the code that answers a shopper, and a plain engine next to it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

import orjson
import tantivy
from tantivy import Occur, Query

from api.search.engine.index import SearchIndex, SearchQuery
from api.search.evaluation.reading import Product
from api.search.filters import Filters

# The first page that is asked for; a stage that orders the best anew has these before it.
FIRST_PAGE = 40
PLAIN_ANALYSER = "plain"
TITLE_BOOST = 3.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """Products by the UUID of `corpus.product_id`, best first. `cpu_seconds`: of all threads, for the first page."""

    products: Sequence[str]
    cpu_seconds: float


class Engine(Protocol):
    """Something that ranks the products of a corpus."""

    async def ranking(self, text: str, depth: int, among: Sequence[str] = ()) -> Ranking:
        """The first `depth` products for a query; `among`: only of these."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop's search as a shopper of its own language asks it, with every count that an answer has."""

    index: SearchIndex

    async def ranking(self, text: str, depth: int, among: Sequence[str] = ()) -> Ranking:
        """See `Engine`. The rest of the depth is a second page."""
        began = time.process_time()
        first, total = await self._page(text, min(depth, FIRST_PAGE), 0, among)
        cpu_seconds = time.process_time() - began
        if min(total, depth) > FIRST_PAGE:
            rest, _ = await self._page(text, depth - FIRST_PAGE, FIRST_PAGE, among)
            first = [*first, *rest]
        return Ranking(first, cpu_seconds)

    async def _page(self, text: str, limit: int, offset: int, among: Sequence[str]) -> tuple[list[str], int]:
        filters = Filters(products=[UUID(product) for product in among])
        found = await self.index.search(SearchQuery(text, filters, "relevance", limit, offset))
        return [str(orjson.loads(card)["productId"]) for card in found.hits], found.total


class PlainEngine:
    """Bare Tantivy: BM25 over the title, three times, and the rest of the text; English stems, any word."""

    def __init__(self, folder: Path) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("product_id", stored=True, tokenizer_name="raw", index_option="basic")
        for name in ("title", "rest"):
            builder.add_text_field(name, tokenizer_name=PLAIN_ANALYSER)
        self._schema = builder.build()
        self._analyser = plain_analyser()
        self._index = tantivy.Index(self._schema, str(folder))
        self._index.register_tokenizer(PLAIN_ANALYSER, self._analyser)
        self._searcher: tantivy.Searcher | None = None

    def writer(self, heap_bytes: int) -> tantivy.IndexWriter:
        """With one thread, as the shop's."""
        return self._index.writer(heap_bytes, 1)

    def add(self, writer: tantivy.IndexWriter, product_id: str, product: Product) -> None:
        rest = [product.brand, product.category, *product.attributes.values(), product.description]
        document = {"product_id": product_id, "title": product.title, "rest": " ".join(filter(None, rest))}
        writer.add_json(orjson.dumps(document).decode())

    def open(self) -> None:
        """Read what was committed."""
        self._index.reload()
        self._searcher = self._index.searcher()

    def stems(self, text: str) -> list[str]:
        """The words of a text as it indexes them."""
        found: list[str] = self._analyser.analyze(text)
        return found

    async def ranking(self, text: str, depth: int, among: Sequence[str] = ()) -> Ranking:
        """See `Engine`."""
        began = time.process_time()
        products = self._top(text, min(depth, FIRST_PAGE), 0, among)
        cpu_seconds = time.process_time() - began
        if len(products) == FIRST_PAGE < depth:
            products += self._top(text, depth - FIRST_PAGE, FIRST_PAGE, among)
        return Ranking(products, cpu_seconds)

    def _top(self, text: str, limit: int, offset: int, among: Sequence[str]) -> list[str]:
        if self._searcher is None:
            raise AssertionError("open() comes first")
        words = dict.fromkeys(self.stems(text))
        parts = [part for word in words for part in (self._title(word), self._term("rest", word))]
        query = Query.boolean_query([(Occur.Should, part) for part in parts])
        if among:
            only = Query.boolean_query([(Occur.Should, self._term("product_id", product)) for product in among])
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, Query.const_score_query(only, 0.0))])
        found = self._searcher.search(query, limit, offset=offset, count=False)
        return [str(self._searcher.doc(address).get_first("product_id")) for _, address in found.hits]

    def _title(self, word: str) -> Query:
        return Query.boost_query(self._term("title", word), TITLE_BOOST)

    def _term(self, field: str, word: str) -> Query:
        return Query.term_query(self._schema, field, word)


def plain_analyser() -> tantivy.TextAnalyzer:
    """Words in lower case as English stems: the engine's own `en_stem`."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (tantivy.Filter.remove_long(40), tantivy.Filter.lowercase(), tantivy.Filter.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()
