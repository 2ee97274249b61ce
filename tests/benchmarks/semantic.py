"""`souk bench semantic [--titles 50000] [--searches 1000]`: what the semantic stage of search costs.

`semantic.search` is the 99th percentile of a search in a running shop with the stage, against the same shop's without
it: two APIs on one index, asked the same words in turns, each text for the first time, so that it is encoded.
`semantic.search.again` asks them again. The goal is 15 ms more. `semantic.embed` is how long the vectors of so many
real titles take by the clock, half of Amazon Beauty and half of UCI Online Retail, written to a lake as the pipeline
does; its goal is five minutes for 50,000. Without the data it is left out.
"""

import random
import sys
import time
from collections.abc import Sequence
from itertools import chain, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import psycopg
import typer

from serving.semantic.embed import embed
from serving.semantic.model import packaged_model, text_of
from tests.benchmarks.results import record
from tests.benchmarks.support import judged_titles
from tests.benchmarks.support.shop import BenchShop, throw_away_shop
from tests.harness.api import PLAIN, Server
from tests.harness.recommender import ServingProcess
from warehouse.command import program
from warehouse.logs import configure

SHOP = 2_000
WARM = 100
MOST_MORE_MS, MOST_SECONDS = 15, 300
_TEXTS = """
    select product_id::text, title, coalesce(p.brand, ''), c.path from products p join categories c using (category_id)
    where deleted_at is null
"""


@program("python -m tests.benchmarks.semantic")
def main(
    root: Annotated[Path, typer.Option("--data", help="Folder of real sets.")] = Path("../shared/data/recsys"),
    titles: Annotated[int, typer.Option(help="Titles that are encoded; 0 leaves them out.")] = 50_000,
    searches: Annotated[int, typer.Option(help="Searches of each side; 0 leaves them out.")] = 1_000,
) -> int:
    """Measure searches with and without the stage, then vectors of titles."""
    configure("warning")
    if searches:
        with throw_away_shop(SHOP, workers=1, stocked=False) as shop:
            _record_searches(shop, searches)
    if titles and root.is_dir():
        _record_embedding(root, titles)
    elif titles:
        sys.stderr.write(f"{root}: not there, no titles to encode\n")
    return 0


def _record_searches(shop: BenchShop, searches: int) -> None:
    with psycopg.connect(shop.url) as connection:
        texts = {one: text_of(*said) for one, *said in connection.execute(_TEXTS).fetchall()}
    embed(texts, str(shop.folder / "lake"), packaged_model())
    serving = ServingProcess(
        shop.folder, shop.redis.url, SOUK_SEARCH_SEMANTIC="true", SOUK_LAKE_URI=str(shop.folder / "lake")
    )
    try:
        _until_known(serving, next(iter(texts)))
        sides = {
            name: _client(shop, name, SOUK_SEARCH_SEMANTIC=on, SOUK_SERVING_URL=serving.url)
            for name, on in (("without", "false"), ("with", "true"))
        }
        asked = _queries(list(texts.values()), WARM + searches)
        _times(sides, asked[:WARM])
        for name in ("semantic.search", "semantic.search.again"):
            before = _late(serving)
            times = _times(sides, asked[WARM:])
            (p50, p99), (p50_off, p99_off) = (_percentiles(times[side]) for side in ("with", "without"))
            note = (
                f"p99 of {searches:,} searches in a shop of {SHOP:,} products, {p99 - p99_off:+.1f} ms, must"
                f" +{MOST_MORE_MS}; p50 {p50:.1f} and {p50_off:.1f}; {_late(serving) - before:.0f} by words alone"
            )
            record("semantic", name, ours=p99, limit=p99_off, unit="ms", lower_is_better=True, note=note)
        for client in sides.values():
            client.close()
    finally:
        serving.stop()


def _late(serving: ServingProcess) -> float:
    """Texts that were not encoded in time, so that the words alone decided."""
    return sum(serving.counter("serving_degraded_total", part="semantic", cause=cause) for cause in ("late", "skipped"))


def _client(shop: BenchShop, name: str, **changed: str) -> httpx.Client:
    own = {**shop.env, "SOUK_API_WORKERS": "1", **changed}
    server = Server("api", "SOUK_API_URL", shop.folder, own, fresh=True)
    shop.servers[name] = server
    server.start()
    return httpx.Client(base_url=server.url, verify=PLAIN, timeout=30)


def _until_known(serving: ServingProcess, product: str) -> None:
    """Wait until the model is loaded and the vectors are read."""
    asked = {"text": "lamp", "productIds": [product]}
    deadline = time.monotonic() + 120
    while (serving.client.post("/v1/search-scores", json=asked).json()["similarity"] or [None]) == [None]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no vectors:\n{serving.log.read_text()}")
        time.sleep(0.1)


def _queries(texts: Sequence[str], number: int) -> list[str]:
    """So many different ones, of two or three words of one text each."""
    chance, found = random.Random(5), dict[str, None]()
    while len(found) < number:
        words = chance.choice(texts).split()
        found[" ".join(chance.sample(words, min(len(words), chance.choice((2, 3)))))] = None
    return list(found)


def _times(sides: dict[str, httpx.Client], queries: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each query on each side, which are asked in turns."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for query, order in zip(queries, cycle((list(sides), list(sides)[::-1])), strict=False):
        for side in order:
            began = time.perf_counter()
            answer = sides[side].get("/api/v1/search", params={"q": query})
            times[side].append(1_000 * (time.perf_counter() - began))
            answer.raise_for_status()
    return times


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def _record_embedding(root: Path, number: int) -> None:
    sets = [
        list(read(root / name).titles.values())
        for name, read in (("amazon_beauty", judged_titles.beauty), ("online_retail", judged_titles.retail))
        if (root / name).is_dir()
    ]
    texts = dict(enumerate(islice(chain.from_iterable(zip(*map(cycle, sets), strict=False)), number)))
    with TemporaryDirectory(prefix="souk-bench-semantic-") as lake:
        began = time.process_time()
        done = embed({f"p{place:06}": text for place, text in texts.items()}, lake, packaged_model())
        cpu = time.process_time() - began
    note = f"must {MOST_SECONDS} s for 50,000; {cpu:.0f} CPU s, {done.texts_per_second:.0f} titles/s"
    name = f"semantic.embed.{number // 1_000}k"
    record("semantic", name, ours=done.seconds, limit=None, unit="s", lower_is_better=True, note=note)


if __name__ == "__main__":
    raise SystemExit(main())
