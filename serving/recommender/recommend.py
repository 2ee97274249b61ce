"""One request: retrieve, rank, remove what must not be shown, spread categories, give reasons.

Never raises for what a caller can send.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from serving.arrays import Floats, Mask
from serving.bundle.read import Bundle
from serving.guard import Guard
from serving.metrics import STAGE_SECONDS
from serving.recommender.assortment import Assortment
from serving.recommender.fallback import popular, popular_ranking, scored, without
from serving.recommender.rank import ranker_matrix
from serving.recommender.reasons import popular_reason, reasons_for_you, related_reason
from serving.recommender.retrieve import Candidates, Seeds, best_of, make_seeds, propose
from serving.recommender.rules import spread_categories
from serving.recommender.schemas import ForYouRequest, Ranking, RelatedRequest, Source
from serving.recommender.shoppers import Shopper, Shoppers
from serving.settings import ServingSettings


@dataclass(frozen=True)
class Guards:
    """The parts of a request that may fail independently."""

    sequential: Guard
    rank: Guard

    def close(self) -> None:
        self.sequential.close()
        self.rank.close()


def open_guards(settings: ServingSettings) -> Guards:
    """One thread per model: the models are single-threaded, and the two cores are shared with other processes."""
    return Guards(
        Guard("sequential", settings.serving_sequential_ms / 1000),
        Guard("rank", settings.serving_rank_ms / 1000),
    )


async def for_you(
    request: ForYouRequest, assortment: Assortment, shoppers: Shoppers, guards: Guards, settings: ServingSettings
) -> Ranking:
    """Products for one shopper.

    Source of the answer: personal (known history), session (only `recent`), popular_in_category, popular, empty.
    """
    shopper = await shoppers.read(request.user_id, assortment)
    with _stage("retrieve"):
        bought = [assortment.index[product] for product in shopper.bought if product in assortment.index]
        seen = [assortment.index[product] for product in request.recent if product in assortment.index]
        allowed_N = without(assortment.sellable_N, [*bought, *seen])
    bundle = assortment.bundle
    if bundle is None:
        return popular_ranking(assortment, allowed_N, request.limit, seen or bought)
    history = [
        (assortment.index[p], age)
        for p, age in zip(shopper.sequence, shopper.ages, strict=True)
        if assortment.index.get(p, bundle.size) < bundle.size
    ]
    seeds = make_seeds(assortment, [item for item, _ in history], [age for _, age in history], request.recent)
    if not seeds.items_L.size:
        return popular_ranking(assortment, allowed_N, request.limit, seen or bought)
    candidates = await _retrieve(bundle, seeds, allowed_N[: bundle.size], guards, request.limit)
    if not candidates.items_C.size:
        return popular_ranking(assortment, allowed_N, request.limit, seen or bought)
    score_C = await _rank(bundle, assortment, shopper, candidates, guards)
    source: Source = "session" if seeds.recent_L.all() else "personal"
    with _stage("compose"):
        chosen = _choose(assortment, candidates, score_C, allowed_N, request.limit, settings.serving_category_share)
        return _explained(assortment, seeds, candidates, chosen, source)


def related(request: RelatedRequest, assortment: Assortment) -> Ranking:
    """Products that go with one product: neighbours, then content, then its category. Never the product itself."""
    item = assortment.index.get(request.product_id)
    if item is None:
        return popular_ranking(assortment, assortment.sellable_N, request.limit)
    allowed_N = without(assortment.sellable_N, [item])
    with _stage("retrieve"):
        found, source = _neighbours_of(assortment, item, allowed_N)
    if not found:
        return popular_ranking(assortment, allowed_N, request.limit, [item])
    chosen = list(found)[: request.limit]
    answer = scored(assortment, chosen, [found[other][1] for other in chosen], [found[other][0] for other in chosen])
    if len(chosen) < request.limit and assortment.categories[item]:
        more = popular(
            assortment,
            allowed_N,
            request.limit - len(chosen),
            category=int(assortment.category_code_N[item]),
            skip=chosen,
        )
        answer += scored(assortment, more, [popular_reason(assortment, other) for other in more], [0.0] * len(more))
    return Ranking(items=answer, source=source, model_version=assortment.version)


def _neighbours_of(assortment: Assortment, item: int, allowed_N: Mask) -> tuple[dict[int, tuple[float, str]], Source]:
    """Allowed neighbours best first with score and reason; content neighbours follow, scored below every bought one."""
    bundle = assortment.bundle
    found: dict[int, tuple[float, str]] = {}
    source: Source = "content"
    if bundle is None or item >= bundle.size:
        return found, source
    for other, score, bought in zip(*(part.tolist() for part in bundle.related.of(item)), strict=True):
        if allowed_N[other]:
            found[other] = (score, related_reason(assortment, item, bought=bought))
            source = "item_to_item" if bought else source
    if bundle.content is not None:
        scale = min((score for score, _ in found.values()), default=1.0)
        for other, score, _ in zip(*(part.tolist() for part in bundle.content.of(item)), strict=True):
            if allowed_N[other] and other not in found:
                found[other] = (score * scale, related_reason(assortment, item, bought=False))
    return found, source


async def _retrieve(bundle: Bundle, seeds: Seeds, allowed_N: Mask, guards: Guards, limit: int) -> Candidates:
    sequential, ranker = bundle.sequential, bundle.ranker
    sequential_N = None
    if sequential is not None and ranker is not None:
        sequential_N = await guards.sequential.call(lambda: sequential.score(seeds.items_L))
    with _stage("retrieve"):
        return propose(bundle, allowed_N, seeds, sequential_N, limit)


async def _rank(
    bundle: Bundle, assortment: Assortment, shopper: Shopper, candidates: Candidates, guards: Guards
) -> Floats:
    """score_C float32; the neighbours' own when there is no ranker or it did not answer."""
    ranker = bundle.ranker
    if ranker is not None:
        score_C = await guards.rank.call(
            lambda: ranker.score(ranker_matrix(ranker.inputs, assortment, shopper.values, candidates))
        )
        if score_C is not None and np.isfinite(score_C).all():
            return score_C
    # Popular items follow what the neighbours know, in their own order: their shift is below every share.
    return candidates.inputs["item_to_item"] + np.float32(1e-4) * (
        candidates.inputs["popularity_recent"] / np.float32(100)
    )


def _choose(  # noqa: PLR0917 - one caller
    assortment: Assortment, candidates: Candidates, score_C: Floats, allowed_N: Mask, limit: int, share: float
) -> dict[int, float]:
    """Item -> score in the order of the answer: best first, categories spread.

    Popular products that no retriever proposed fill the rest.
    """
    order = best_of(score_C, score_C.size)
    score_of = dict(zip(candidates.items_C[order].tolist(), score_C[order].tolist(), strict=True))
    chosen = {item: score_of[item] for item in spread_categories(score_of, assortment.category_code_N, limit, share)}
    if len(chosen) < limit:
        lowest = min(0.0, *chosen.values())
        chosen |= dict.fromkeys(popular(assortment, allowed_N, limit - len(chosen), skip=chosen), lowest)
    return chosen


def _explained(
    assortment: Assortment, seeds: Seeds, candidates: Candidates, chosen: dict[int, float], source: Source
) -> Ranking:
    """The answer with a reason each."""
    by_sequence = set(candidates.items_C[candidates.sequential_C].tolist())
    reasons = reasons_for_you(assortment, seeds, list(chosen), by_sequence)
    return Ranking(
        items=scored(assortment, list(chosen), reasons, list(chosen.values())),
        source=source,
        model_version=assortment.version,
    )


@contextmanager
def _stage(name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        STAGE_SECONDS.labels(name).observe(time.perf_counter() - started)
