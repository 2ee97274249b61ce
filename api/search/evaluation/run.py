"""The whole measurement of a folder."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from api.search.evaluation import reading
from api.search.evaluation.corpus import Corpus, build
from api.search.evaluation.measure import Document, Plan, measure, ratio
from api.search.evaluation.perturbations import draw, sample
from api.search.evaluation.semantic import encoding

SEED = 1


def evaluate(
    folder: Path, say: Callable[[str], None], *, seed: int = SEED, samples: int, queries: int, semantic: bool = False
) -> Document:
    """One JSON document: the plain engine, then the shop by stage, with `semantic` by that one too.

    `samples`: probes of each kind at most; `queries`: judged queries at most. Raises: reading.BadSet.
    """
    if not folder.is_dir():
        raise reading.BadSet(f"{folder}: there is no such folder")
    with TemporaryDirectory(prefix="souk-search-") as home:
        corpus = build(reading.products(folder), Path(home), say)
        say(f"{len(corpus.products):,} products in both indexes")
        judged = _sampled(reading.judged(folder, corpus.products), queries, seed)
        plan = Plan.of(corpus, judged, seed, samples)
        return asyncio.run(_document(folder, corpus, judged, plan, say, semantic=semantic))


def _sampled(judged: reading.Judged, most: int, seed: int) -> reading.Judged:
    chosen = sample(list(judged.queries), most, draw(seed, "queries"))
    return reading.Judged({key: judged.queries[key] for key in chosen}, judged.judgements, judged.skipped)


async def _document(
    folder: Path, corpus: Corpus, judged: reading.Judged, plan: Plan, say: Callable[[str], None], *, semantic: bool
) -> Document:
    plain = await measure(corpus.plain, corpus, plan, lambda what: say(f"plain BM25: {what}"))
    lexical = await measure(corpus.shop, corpus, plan, lambda what: say(f"lexical: {what}"))
    stages = {"lexical": lexical}
    if semantic:
        with encoding(corpus) as engine:
            stages["semantic"] = await measure(engine, corpus, plan, lambda what: say(f"semantic: {what}"))
    return {
        "set": folder.name,
        "products": len(corpus.products),
        "queries": len(plan.queries),
        "queriesWithoutGain": judged.skipped,
        "judgements": sum(map(len, plan.judgements.values())),
        "seed": plan.seed,
        "build": {
            "shopDocumentsPerCpuSecond": round(len(corpus.products) / corpus.shop_seconds),
            "plainDocumentsPerCpuSecond": round(len(corpus.products) / corpus.plain_seconds),
        },
        "plainBm25": plain,
        "stages": {name: {**figures, "ratio": ratio(figures, plain)} for name, figures in stages.items()},
    }
