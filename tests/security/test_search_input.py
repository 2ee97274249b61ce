"""What is typed to make a search slow: each costs about as much as an ordinary query, in CPU time of the engine."""

import random
import time
from dataclasses import replace
from uuid import UUID

import pytest
import tantivy

from api.search.documents import document, fields_of, schema
from api.search.engine import tantivy_index
from api.search.engine.asking import Asking
from api.search.engine.index import SearchQuery
from api.search.engine.reader import Reader
from api.search.engine.synonyms import SynonymTable
from api.search.filters import parse_filters
from api.search.suggestions.reader import Suggestions
from api.search.suggestions.writer import Builder
from api.search.texts import SHOP
from tests.unit.api.search.test_documents import PRODUCT

PRODUCTS = 2_000
# Of the longest text that the API takes.
LONGEST = 200
TEXTS = {
    "wildcards": "*" * LONGEST,
    "wildcards in words": "a*b?c* " * 28,
    "patterns": "(a+)+$ .* [^x]{1,99} " * 9,
    "one letter": "a " * 100,
    "one word": "x" * LONGEST,
    "words": " ".join(f"word{place}" for place in range(28)),
    "typing errors": "lmap capmer chiar tabel shlef " * 6,
    "right to left": "\u202e\u05e9\u05d5\u05dc\u05d7\u05df \u0637\u0627\u0648\u0644\u0629 " * 14,
    "controls": "lamp\u0000\u0007\u001f\u007f\u200b\ufeff " * 16,
    "marks": "a" + "\u0301" * (LONGEST - 1),
    "pictures": "\U0001f4a1" * LONGEST,
    "no blanks": "\u624b\u673a\u58f3\u900f\u660e" * 40,
    "expanding": "\ufdfa" * LONGEST,
    "quotes": '"' * LONGEST,
    "hyphens": "-" * LONGEST,
    "joined": "a-b" * 66,
    "negative": "-lamp " * 33,
    "numbers": "1" * LONGEST,
    "units": "24in 10 kg 5 l " * 13,
    "blanks": " " * LONGEST,
}
FILTERS = {
    "many values": ",".join(f"attr.color:c{place}" for place in range(50)),
    "many prices": ",".join(f"price:{place * 10}-{place * 10 + 5}" for place in range(10)),
    "many names": ",".join(f"attr.{name}:x" for name in ("color", "size", "wood", "tags", "watts") for _ in range(10)),
    "quotes": 'attr.color:"' + '""' * 900 + '"',
    "wildcards": "brand:" + "*" * 1_900,
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    draw, folder = random.Random(3), tmp_path_factory.mktemp("search-input")
    Builder(folder).finish((), SHOP.known)
    index = tantivy.Index(schema(SHOP.known), str(folder))
    tantivy_index.register(index)
    writer = index.writer(50_000_000, 1)
    words = ["lamp", "camera", "chair", "table", "stool", "oak", "steel", "small", "large", "red"]
    for _ in range(PRODUCTS):
        variants = [
            {"price": price, "attributes": {"color": draw.choice(words)}} for price in draw.sample(("5", "25", "60"), 2)
        ]
        title = " ".join(draw.choices(words, k=4))
        product = replace(PRODUCT, product_id=UUID(int=draw.getrandbits(120)), title=title, variants=variants)
        for fields in fields_of(product, 0):
            writer.add_json(document(fields))
    writer.commit()
    index.reload()
    return Reader(folder, index, 1, index.searcher(), SHOP, Suggestions(folder, SHOP.known))


def cpu_ms(reader: Reader, query: SearchQuery) -> float:
    """The least of three, without what the index keeps of the query before."""
    times = []
    for _ in range(3):
        reader.groups.clear()
        asking = Asking.of(reader, None, SynonymTable())
        began = time.thread_time()
        tantivy_index._search(reader, query, asking)  # noqa: SLF001 - no store
        times.append(time.thread_time() - began)
    return min(times) * 1_000


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_is_costly(reader: Reader, name: str) -> None:
    assert len(TEXTS[name]) <= LONGEST
    assert cpu_ms(reader, SearchQuery(TEXTS[name], parse_filters(None), "relevance", 20, 0)) < 50


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_is_costly(reader: Reader, name: str) -> None:
    assert cpu_ms(reader, SearchQuery("lamp", parse_filters(FILTERS[name]), "relevance", 20, 0)) < 100
