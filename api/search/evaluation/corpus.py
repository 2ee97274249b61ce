"""Builds the shop's index, and the plain one, of the products of a folder."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel import clock
from api.kernel.money import MAX_AMOUNT
from api.search.engine.store import IndexStore
from api.search.engine.tantivy_index import TantivyIndex
from api.search.evaluation.engines import PlainEngine, Shop
from api.search.evaluation.reading import Product
from api.search.sync import BATCH, BUILD_HEAP_BYTES, Indexer

_NAMESPACE = UUID("6f0d4a0e-5a53-4c86-9d44-0f6f6d1f2a10")
_SELLER = uuid5(_NAMESPACE, "seller")
_PRICE = Decimal(1)
PROGRESS = 20_000


@dataclass(slots=True)
class Corpus:
    """`products`: the UUID in the index by id in the file; `titles` by UUID, `kinds` the brand and the category's path.
    CPU seconds of each build, of the time in
    the index alone: what reading the files takes is in neither."""

    shop: Shop
    plain: PlainEngine
    products: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)
    shop_seconds: float = 0.0
    plain_seconds: float = 0.0


def build(products: Iterable[Product], folder: Path, say: Callable[[str], None]) -> Corpus:
    """Both indexes below `folder`, product by product: what is kept in memory is ids and titles."""
    store = IndexStore(folder / "shop")
    plain_folder = folder / "plain"
    plain_folder.mkdir(parents=True)
    corpus = Corpus(Shop(TantivyIndex(store)), PlainEngine(plain_folder))
    indexer = Indexer(store)
    generation, writer = indexer.begin()
    plain_writer = corpus.plain.writer(BUILD_HEAP_BYTES)
    for batch in _batches(products):
        ids = [product_id(product.key) for product in batch]
        corpus.products.update(zip((product.key for product in batch), ids, strict=True))
        corpus.titles.update(zip(ids, (product.title for product in batch), strict=True))
        kinds = ((product.brand or "", path_of(product.category)) for product in batch)
        corpus.kinds.update(zip(ids, kinds, strict=True))
        rows = [indexed(product) for product in batch]
        began = time.process_time()
        indexer.add_all(writer, rows)
        between = time.process_time()
        for key, product in zip(ids, batch, strict=True):
            corpus.plain.add(plain_writer, key, product)
        ended = time.process_time()
        corpus.shop_seconds += between - began
        corpus.plain_seconds += ended - between
        if len(corpus.products) % PROGRESS < BATCH:
            say(f"{len(corpus.products):,} products indexed")
    began = time.process_time()
    indexer.finish(generation, writer, clock.now())
    between = time.process_time()
    plain_writer.commit()
    plain_writer.wait_merging_threads()
    ended = time.process_time()
    corpus.shop_seconds += between - began
    corpus.plain_seconds += ended - between
    store.publish(generation)
    corpus.plain.open()
    return corpus


def product_id(key: str) -> str:
    """The UUID of a product in both indexes: the same for the same id in every run."""
    return str(uuid5(_NAMESPACE, key))


def indexed(product: Product) -> IndexedProduct:
    """A product as the catalog gives it to the index: one variant, in stock, of which nothing was sold."""
    return IndexedProduct(
        product_id=UUID(product_id(product.key)),
        live=True,
        language=None,
        translations=None,
        title=product.title,
        brand=product.brand or None,
        seller_id=_SELLER,
        category_id=uuid5(_NAMESPACE, product.category),
        category_path=path_of(product.category),
        description=product.description or None,
        specifications=dict(product.attributes),
        variants=[{"price": str(price_of(product.price)), "attributes": {}}],
        currency="USD",
        rating=Decimal(0),
        review_count=0,
        view_count=0,
        prime_eligible=False,
        condition="new",
        in_stock=True,
        thumbnail="",
    )


def path_of(category: str) -> str:
    """`/Home/Garden` of `Home > Garden`, `Home/Garden` or `Home|Garden`; `/` of nothing."""
    parts = category.replace(">", "/").replace("|", "/").split("/")
    return "/" + "/".join(part.strip() for part in parts if part.strip())


def price_of(text: str) -> Decimal:
    """The price in a text; 1 where there is none that a shop could ask."""
    try:
        price = Decimal(text)
    except InvalidOperation:
        return _PRICE
    return round(price, 2) if price.is_finite() and 0 <= price <= MAX_AMOUNT else _PRICE


def _batches(products: Iterable[Product]) -> Iterator[list[Product]]:
    rest = iter(products)
    while batch := list(islice(rest, BATCH)):
        yield batch
