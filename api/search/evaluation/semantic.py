"""The shop's search after its semantic stage: the encoder that serves answers as a program of its own, so that no
process of the shop loads a model."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from uuid import UUID

import orjson

from api.search import weights
from api.search.engine.index import SearchQuery
from api.search.evaluation.corpus import Corpus
from api.search.evaluation.engines import Ranking
from api.search.filters import Filters
from api.search.stages.fusion import fused, order_of

_ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ("-m", "serving.semantic")


@dataclass(frozen=True, slots=True)
class Semantic:
    """`measure.Engine` over the corpus. The CPU time of a query is without the encoder's."""

    corpus: Corpus
    asking: IO[bytes]
    answers: IO[bytes]

    async def ranking(self, text: str, depth: int, among: Sequence[str] = ()) -> Ranking:
        """See `Engine`. The first results are ordered as the stage does, the rest is as the words have it."""
        began = time.process_time()
        filters = Filters(products=[UUID(product) for product in among])
        query = SearchQuery(text, filters, "relevance", weights.STAGED, 0)
        found = await self.corpus.shop.index.search(query)
        similarity = self._similarity(found.corrected or text, found.ids)
        order = order_of(fused(found.scores, similarity, None), found.full)
        products = [found.ids[place] for place in order]
        cpu_seconds = time.process_time() - began
        if min(found.total, depth) > weights.STAGED:
            rest = replace(query, offset=weights.STAGED, limit=depth - weights.STAGED)
            products += (await self.corpus.shop.index.search(rest)).ids
        return Ranking(products[:depth], cpu_seconds)

    def _similarity(self, text: str, products: Sequence[str]) -> list[float | None]:
        titles = [[self.corpus.titles[product], *self.corpus.kinds[product]] for product in products]
        self.asking.write(orjson.dumps({"query": text, "titles": titles}) + b"\n")
        self.asking.flush()
        answer = self.answers.readline()
        if not answer:
            raise RuntimeError("the encoder ended: `python -m serving.semantic` says why")
        found: list[float | None] = orjson.loads(answer)["similarity"]
        return found


@contextmanager
def encoding(corpus: Corpus) -> Iterator[Semantic]:
    """The engine with its encoder, which ends with it."""
    with subprocess.Popen(
        [sys.executable, *PROGRAM], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as encoder:
        if encoder.stdin is None or encoder.stdout is None:
            raise AssertionError("both are pipes")
        try:
            yield Semantic(corpus, encoder.stdin, encoder.stdout)
        finally:
            encoder.stdin.close()
