"""Measures the engines of a corpus on judged queries, on the same queries as they are typed, and on probes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.search.evaluation import metrics, probes
from api.search.evaluation.corpus import Corpus
from api.search.evaluation.engines import Engine
from api.search.evaluation.perturbations import KINDS, perturbed
from api.search.evaluation.reading import Judged

DEPTH = 100
Document = dict[str, Any]  # Any: JSON
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked. `queries` by id; `judgements` by query, then by UUID; `probes` by name."""

    queries: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, float]]
    probes: Mapping[str, Sequence[probes.Probe]]
    seed: int

    @classmethod
    def of(cls, corpus: Corpus, judged: Judged, seed: int, samples: int) -> "Plan":
        """`samples`: at most so many probes of each kind."""
        titles, stems = corpus.titles, corpus.plain.stems
        return cls(
            judged.queries,
            {
                query: {corpus.products[key]: gain for key, gain in judged.judgements[query].items()}
                for query in judged.queries
            },
            {
                "known titles": probes.known_titles(titles, samples, seed),
                "known words": probes.known_words(titles, samples, seed),
                "one-error words": probes.one_error_words(titles, samples, seed, stems),
                "joined pairs": probes.joined_pairs(titles, samples, seed, stems),
            },
            seed,
        )


async def measure(engine: Engine, corpus: Corpus, plan: Plan, say: Say) -> Document:
    """Every figure of one engine; the CPU time is the only one that differs between runs."""
    whole: dict[str, Document] = {}
    say("the queries on all products")
    for key, text in plan.queries.items():
        whole[key] = await _asked(engine, text, plan.judgements[key])
    say("the queries on their judged products")
    judged = [await _judged(engine, text, plan.judgements[key]) for key, text in plan.queries.items()]
    figures: Document = {
        "whole": {name: _mean(whole.values(), name) for name in _FIGURES},
        "judged": {"ndcg@10": round(metrics.mean(judged), 4)},
        "cpuMs": round(1000 * metrics.mean([found["cpu"] for found in whole.values()]), 3),
        "perturbations": {},
        "probes": {},
    }
    for kind in KINDS:
        say(f"the queries perturbed: {kind}")
        figures["perturbations"][kind] = await _perturbed(engine, plan, kind, whole)
    for name, asked in plan.probes.items():
        say(f"probes: {name}")
        figures["probes"][name] = await _probed(engine, corpus, asked)
    return figures


_FIGURES = ("ndcg@10", "mrr", "recall@10", "recall@100", "withoutResults")


async def _asked(engine: Engine, text: str, judgements: Mapping[str, float]) -> Document:
    found = await engine.ranking(text, DEPTH)
    gains = metrics.gains_of(found.products, judgements)
    every = list(judgements.values())
    return {
        "ndcg@10": metrics.ndcg(gains, every),
        "mrr": metrics.reciprocal_rank(gains),
        "recall@10": metrics.recall(gains, every, 10),
        "recall@100": metrics.recall(gains, every, DEPTH),
        "withoutResults": float(not found.products),
        "cpu": found.cpu_seconds,
    }


async def _judged(engine: Engine, text: str, judgements: Mapping[str, float]) -> float:
    """NDCG of the judged products alone, those that the engine does not find last."""
    found = await engine.ranking(text, len(judgements), list(judgements))
    return metrics.ndcg(metrics.gains_of_all(found.products, judgements), judgements.values())


async def _perturbed(engine: Engine, plan: Plan, kind: str, whole: Mapping[str, Document]) -> Document:
    """The loss is of the mean NDCG@10, on the queries for which the kind means something."""
    found = {
        key: await _asked(engine, changed, plan.judgements[key])
        for key, text in plan.queries.items()
        if (changed := perturbed(kind, text, key, plan.seed)) is not None
    }
    if not found:
        return {"queries": 0}
    ndcg, before = (_mean(some, "ndcg@10") for some in (found.values(), [whole[key] for key in found]))
    return {
        "queries": len(found),
        "ndcg@10": ndcg,
        "loss": round(1 - ndcg / before, 4) if before else None,
        "withoutResults": _mean(found.values(), "withoutResults"),
    }


async def _probed(engine: Engine, corpus: Corpus, asked: Sequence[probes.Probe]) -> Document:
    """Which share finds what it must among the first five, and the mean reciprocal rank within ten."""
    if not asked:
        return {"queries": 0}
    gains, nothing = [], 0
    for probe in asked:
        found = (await engine.ranking(probe.query, metrics.DEPTH)).products
        nothing += not found
        gains.append([float(probe.finds(corpus.titles[product])) for product in found])
    return {
        "queries": len(asked),
        "found@5": round(metrics.mean([float(any(places[: probes.FIRST])) for places in gains]), 4),
        "mrr@10": round(metrics.mean([metrics.reciprocal_rank(places) for places in gains]), 4),
        "withoutResults": round(nothing / len(asked), 4),
    }


def _mean(found: "Sequence[Document] | Any", name: str) -> float:  # Any: the values of a mapping
    return round(metrics.mean([one[name] for one in found]), 4)


def ratio(ours: Document, plain: Document) -> Document:
    """The shop's figures over the plain engine's, of the same run."""
    pairs = {
        "whole": (ours["whole"]["ndcg@10"], plain["whole"]["ndcg@10"]),
        "judged": (ours["judged"]["ndcg@10"], plain["judged"]["ndcg@10"]),
        "cpu": (ours["cpuMs"], plain["cpuMs"]),
    }
    return {name: round(one / other, 4) if other else None for name, (one, other) in pairs.items()}
