"""`souk bench search [--products 50000] [--large 500000]`: what the text part of a search costs, and what building the
index costs.

The text part is all of a search but its counts: words, query, the best twenty products. It is compared with bare
Tantivy (`api/search/evaluation/engines.py`) on an index of the same texts, asked for the same words in turns. Texts are
made by a seeded rule: words as frequent as in a language (Zipf), so that the most frequent are in most products.
`search.common` asks for the 20 most frequent words; its goal is 20 ms. `search.build` are documents per CPU second, of
rows that are in memory; its goal is 12,000. Both indexes take each batch in turn, and the threads of an engine work on
while the other's batch is timed, so a part of each build is counted to the other one. The others run a shop:
`search.rows` are rows per CPU second of the process that reads them from Postgres for a build, `search.changes` is the
time from the answer to a seller's change of a title until a search finds it; its goal is a p99 of one second.
"""

import asyncio
import random
import string
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from unittest.mock import patch

import typer

from api.catalog.facets import RATING_STEPS
from api.catalog.queries import index_feed
from api.search.engine import facets
from api.search.engine.facets import Facets
from api.search.evaluation.corpus import Corpus, build
from api.search.evaluation.engines import Engine
from api.search.evaluation.perturbations import draw
from api.search.evaluation.reading import Product
from api.search.sync import BATCH
from tests.benchmarks.results import record
from tests.benchmarks.support.options import CORES
from tests.benchmarks.support.shop import BenchShop, throw_away_shop
from tests.harness.api import Server
from tests.harness.database import opened
from tests.harness.shop import Shop
from warehouse.command import program
from warehouse.logs import configure

VOCABULARY = 60_000
TITLE, DESCRIPTION = (4, 9), (15, 45)
PAGE = 20
WARM, ASKED = 50, 400
COMMON = 20
COMMON_TIMES = 15
COMMON_GOAL_MS = 20.0
BUILD_GOAL = 12_000
SHOP = 2_000
WARM_READS, READS = 2, 10
LOOK_SECONDS = 0.01
NO_COUNTS = Facets((), False, (), {}, [0 for _ in RATING_STEPS], ())


@program("python -m tests.benchmarks.search")
def main(
    products: Annotated[int, typer.Option(help="Products of the smaller index.")] = 50_000,
    large: Annotated[int, typer.Option(help="Products of the larger index; 0 leaves it out.")] = 500_000,
    changes: Annotated[int, typer.Option(help="Changes that are waited for; 0 leaves them out.")] = 200,
) -> int:
    """Measure the text part, common words and the build, then changes."""
    configure("warning")
    for size in filter(None, (products, large)):
        with TemporaryDirectory(prefix="souk-bench-search-") as home:
            corpus = build(made(size), Path(home), _say)
            suffix = f".{size // 1000}k"
            _record_build(corpus, suffix)
            asyncio.run(_record_searches(corpus, suffix))
    if changes:
        with throw_away_shop(SHOP, workers=CORES, stocked=False) as shop:
            asyncio.run(_record_rows(shop))
            _record_changes(shop, changes)
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


async def _record_rows(bench: BenchShop) -> None:
    async with opened(bench.url) as database:
        rows, began = 0, 0.0
        for number in range(WARM_READS + READS):
            if number == WARM_READS:
                rows, began = 0, time.process_time()
            async with database.read() as tx:
                rows += len(await index_feed.all_live(tx, None, BATCH))
        rate = rows / (time.process_time() - began)
    note = f"batches of {rows // READS:,} products; what Postgres itself takes is not in it"
    record("search", "search.rows", ours=rate, limit=None, unit="rows/CPU s", note=note)


def _record_changes(bench: BenchShop, changes: int) -> None:
    """One after another, with a word that nothing had before."""
    bench.start_api()
    server = bench.servers["api"]
    assert isinstance(server, Server)
    shop = Shop(server, bench.url)
    seller, waits = shop.person("seller"), []
    path = f"/api/v1/products/{shop.product(seller, title='Bench stool')['productId']}"
    for number in range(changes):
        word = f"bench{number:05}stool"
        version = shop.client.get(path, headers=seller.headers).headers["ETag"]
        headers = {**seller.headers, "If-Match": version}
        answer = shop.client.patch(path, json={"title": word}, headers=headers)
        began = time.perf_counter()
        answer.raise_for_status()
        while not _finds(shop, word):
            time.sleep(LOOK_SECONDS)
        waits.append(time.perf_counter() - began)
    shop.close()
    p50, p99 = (sorted(waits)[int(len(waits) * part)] for part in (0.5, 0.99))
    note = f"p99 of {changes} changes in a shop of {SHOP:,} products; p50 {p50:.2f} s; must 1 s"
    record("search", "search.changes", ours=p99, limit=None, unit="s", lower_is_better=True, note=note)


def _finds(shop: Shop, title: str) -> bool:
    answer = shop.client.get("/api/v1/search", params={"q": title}).raise_for_status().json()
    return any(found["title"] == title for found in answer["results"])


def made(products: int) -> Iterator[Product]:
    """Products with words of a made-up language."""
    words, weights = vocabulary()
    for number in range(products):
        chance = draw(1, str(number))
        length = chance.randint(*TITLE)
        drawn = chance.choices(words, cum_weights=weights, k=length + chance.randint(*DESCRIPTION))
        title, description = " ".join(drawn[:length]), " ".join(drawn[length:])
        yield Product(str(number), title, description, words[number % 40], words[100 + number % 900], "", {})


def vocabulary() -> tuple[list[str], list[float]]:
    """The words, the most frequent first, and the sums of their weights."""
    chance = draw(1, "vocabulary")
    words = dict.fromkeys(
        "".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 9))) for _ in range(VOCABULARY * 2)
    )
    chosen = list(words)[:VOCABULARY]
    return chosen, list(accumulate(1 / (place + 2) for place in range(len(chosen))))


def _record_build(corpus: Corpus, suffix: str) -> None:
    rate, plain = (len(corpus.products) / seconds for seconds in (corpus.shop_seconds, corpus.plain_seconds))
    note = f"must {BUILD_GOAL:,}; the limit is bare Tantivy on the same texts"
    record("search", f"search.build{suffix}", ours=rate, limit=plain, unit="documents/CPU s", note=note)


async def _record_searches(corpus: Corpus, suffix: str) -> None:
    titles = list(corpus.titles.values())
    chance = draw(1, "queries")
    asked = [_query(titles, chance, of_one=number % 2 == 0) for number in range(WARM + ASKED)]
    common = " ".join(vocabulary()[0][:COMMON])
    whole = await _cpu_ms(corpus.shop, asked)
    with ExitStack() as without_counts:
        without_counts.enter_context(patch.object(facets, "facets", lambda *_: NO_COUNTS))
        without_counts.enter_context(patch.object(facets, "COUNTED_HERE", 0))
        ours, plain = await _cpu_ms(corpus.shop, asked), await _cpu_ms(corpus.plain, asked)
        frequent = [common] * (WARM + COMMON_TIMES)
        ours_common, plain_common = await _cpu_ms(corpus.shop, frequent), await _cpu_ms(corpus.plain, frequent)
    figures = (
        ("text", ours, plain, f"{ASKED} queries of one to four words, half of two titles; must twice bare Tantivy"),
        ("common", ours_common, plain_common, f"the {COMMON} most frequent words; must {COMMON_GOAL_MS:.0f} ms"),
        ("whole", whole, plain, "with all counts; the limit counts nothing"),
    )
    for name, found, limit, note in figures:
        record(
            "search", f"search.{name}{suffix}", ours=found, limit=limit, unit="CPU ms", lower_is_better=True, note=note
        )


def _query(titles: Sequence[str], chance: random.Random, *, of_one: bool) -> str:
    """One to four words of a title, or of two, which hardly a product has all of."""
    words = chance.choice(titles).split() + ([] if of_one else chance.choice(titles).split())
    return " ".join(chance.sample(words, min(chance.randint(1, 4), len(words))))


async def _cpu_ms(engine: Engine, asked: Sequence[str]) -> float:
    """Mean CPU milliseconds of those after the first WARM."""
    took = [(await engine.ranking(text, PAGE)).cpu_seconds for text in asked][WARM:]
    return 1000 * sum(took) / len(took)


if __name__ == "__main__":
    raise SystemExit(main())
