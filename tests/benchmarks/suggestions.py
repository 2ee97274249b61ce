"""`souk bench suggestions [--products 50000]`: what the index of suggestions costs its writer and its readers.

Products of `souk bench search`, 2,000 and `--products`. The writer: CPU for building the suggestions of a product,
their size, and CPU for a product with another price and with another title, each committed alone. A reader: the
completion of the beginning of a word, none of them asked before, and a word with an error; goal of a completion: 10 ms
at the 99th percentile.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from api.catalog.queries.index_feed import IndexedProduct
from api.search.evaluation.corpus import indexed
from api.search.evaluation.perturbations import draw
from api.search.suggestions.entries import Said, said
from api.search.suggestions.reader import Suggestions
from api.search.suggestions.schema import FOLDER
from api.search.suggestions.writer import Builder, Updater
from api.search.texts import SHOP
from tests.benchmarks.results import record
from tests.benchmarks.search import made
from warehouse.command import program
from warehouse.logs import configure

SMALL = 2_000
ASKED = 1_000
CHANGED = 50
GOAL_MS = 10.0


@program("python -m tests.benchmarks.suggestions")
def main(products: Annotated[int, typer.Option(help="Products of the larger index.")] = 50_000) -> int:
    """Measure writer and readers."""
    configure("warning")
    for size in dict.fromkeys((SMALL, products)):
        with TemporaryDirectory(prefix="souk-bench-suggestions-") as home:
            _measure([indexed(product) for product in made(size)], Path(home), f".{size // 1000}k")
    return 0


def _measure(products: Sequence[IndexedProduct], generation: Path, suffix: str) -> None:
    builder = Builder(generation)
    began = time.process_time()
    for product in products:
        builder.add(_said(product))
    builder.finish((), SHOP.known)
    built = 1000 * (time.process_time() - began) / len(products)
    size = sum(file.stat().st_size for file in (generation / FOLDER).iterdir()) / len(products)
    _record(f"build{suffix}", built, "CPU ms/product", "phrases and frequent words of all products too")
    _record(f"size{suffix}", size, "bytes/product", "on disk, mapped by readers")

    reader = Suggestions(generation, SHOP.known)
    chance = draw(1, "suggestions")
    words = [chance.choice(chance.choice(products).title.split()) for _ in range(2 * ASKED)]
    beginnings = list(dict.fromkeys(word[: chance.randint(1, 6)] for word in words))[:ASKED]
    typed = [word[:2] + word[3:] for word in words if len(word) > 4][:ASKED]
    completions = _each_ms(lambda text: reader.complete(text, 10), beginnings)
    corrections = _each_ms(lambda text: reader.near(text, 5, lambda _: 1), typed)
    for name, took in (("completion", completions), ("correction", corrections)):
        note = f"p50 {took[len(took) // 2]:.2f}" + (f"; must p99 {GOAL_MS:.0f}" if name == "completion" else "")
        _record(f"{name}{suffix}", took[int(len(took) * 0.99)], "CPU ms p99", note)

    updater = Updater(SHOP.known)
    updater.update(generation, ())
    for name, changes in (("price", {"variants": [{"price": "3.00", "attributes": {}}]}), ("title", {"title": "New"})):
        began = time.process_time()
        for product in products[:CHANGED]:
            updater.update(generation, [_said(replace(product, **changes))])
        note = "of the worker, each change in a commit of its own"
        _record(f"{name}{suffix}", 1000 * (time.process_time() - began) / CHANGED, "CPU ms/change", note)


def _said(product: IndexedProduct) -> Said:
    return said(product, 1.0, SHOP)


def _each_ms(ask: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    """CPU milliseconds of each, the least first."""
    took = []
    for text in texts:
        began = time.process_time()
        ask(text)
        took.append(1000 * (time.process_time() - began))
    return sorted(took)


def _record(name: str, value: float, unit: str, note: str) -> None:
    record("suggestions", f"suggestions.{name}", ours=value, limit=None, unit=unit, lower_is_better=True, note=note)


if __name__ == "__main__":
    raise SystemExit(main())
