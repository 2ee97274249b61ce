"""HTTP only: parse the request, call the recommender, shape the answer.

Unknown ids, an absent model and an unavailable online store still give an answer, not an error.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from serving.metrics import ANSWERS, DEGRADED, REQUEST_SECONDS
from serving.recommender.product_features import ProductFeaturesReader
from serving.recommender.recommend import Guards, for_you, open_guards, related
from serving.recommender.schemas import ForYouRequest, Ranking, RelatedRequest, ReloadAnswer, Scores, ScoresRequest
from serving.recommender.shoppers import Shoppers
from serving.recommender.state import State
from serving.recommender.taste import taste
from serving.semantic.similar import Similarity
from serving.settings import ServingSettings
from serving.toxicity import TextsIn, Toxicity, ToxicityOut


@dataclass(frozen=True)
class Context:
    """Everything a request needs."""

    settings: ServingSettings
    state: State
    shoppers: Shoppers
    guards: Guards
    toxicity: Toxicity
    similarity: Similarity


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(_context)]
router = APIRouter()


def create_app(settings: ServingSettings) -> FastAPI:
    """The server. It listens before a model exists; readiness says whether one serves."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_context(settings) as context:
            app.state.context = context
            yield

    app = FastAPI(title="Souk recommender", version="1", lifespan=lifespan, redoc_url=None)
    app.include_router(router)
    return app


@contextlib.asynccontextmanager
async def open_context(settings: ServingSettings) -> AsyncIterator[Context]:
    """Load the current bundle and product features, then watch for changes until closed."""
    state = State(settings, ProductFeaturesReader(settings.features_folder))
    shoppers, guards = Shoppers(settings), open_guards(settings)
    toxicity = Toxicity(settings.serving_toxicity_ms / 1000)
    await state.refresh()
    similarity = Similarity(settings)
    watching = [asyncio.create_task(state.watch()), asyncio.create_task(similarity.watch())]
    try:
        yield Context(settings, state, shoppers, guards, toxicity, similarity)
    finally:
        for task in watching:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        similarity.close()
        guards.close()
        toxicity.close()
        await shoppers.close()


@router.post("/v1/for-you")
async def for_you_route(request: ForYouRequest, ctx: Ctx) -> Ranking:
    """Products for one shopper, best first."""
    started = time.perf_counter()
    ranking = await for_you(request, ctx.state.assortment, ctx.shoppers, ctx.guards, ctx.settings)
    return _counted("for-you", ranking, started)


@router.post("/v1/related")
async def related_route(request: RelatedRequest, ctx: Ctx) -> Ranking:
    """Products that go with one product, best first."""
    started = time.perf_counter()
    return _counted("related", related(request, ctx.state.assortment), started)


@router.post("/v1/toxicity")
async def toxicity_route(request: TextsIn, ctx: Ctx) -> ToxicityOut:
    """How toxic each text is; no scores when the model was late, as it is while it is loaded for the first question."""
    return ToxicityOut(scores=await ctx.toxicity.of(request.texts))


@router.post("/v1/search-scores")
async def search_scores_route(request: ScoresRequest, ctx: Ctx) -> Scores:
    """How near products are to a query's text, and how much they are a shopper's own. Each part has its deadline."""
    started = time.perf_counter()
    similarity, affinity = await asyncio.gather(
        ctx.similarity.of(request.text, request.product_ids), _affinity(request, ctx)
    )
    REQUEST_SECONDS.labels("search-scores").observe(time.perf_counter() - started)
    return Scores(similarity=similarity, affinity=affinity)


async def _affinity(request: ScoresRequest, ctx: Context) -> list[float] | None:
    if request.user_id is None and not request.recent:
        return None
    try:
        async with asyncio.timeout(ctx.settings.serving_search_ms / 1000):
            shopper = await ctx.shoppers.read(request.user_id, ctx.state.assortment)
    except TimeoutError:
        DEGRADED.labels("taste", "late").inc()
        return None
    return taste(ctx.state.assortment, shopper, request.recent, request.product_ids)


@router.post("/v1/reload")
async def reload_route(ctx: Ctx) -> ReloadAnswer:
    """Read the pointer now, also when it did not change."""
    loaded = await ctx.state.refresh(force=True)
    return ReloadAnswer(loaded=loaded, model_version=ctx.state.assortment.version, reason=ctx.state.refused)


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready")
async def ready(ctx: Ctx) -> JSONResponse:
    """200 while a bundle serves, even when a newer one was refused; 503 before the first."""
    assortment = ctx.state.assortment
    document = {
        "status": "ok" if assortment.bundle else "no model",
        "modelVersion": assortment.version,
        "products": assortment.size,
        "refused": ctx.state.refused,
    }
    return JSONResponse(document, status_code=200 if assortment.bundle else 503)


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus text."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _counted(route: str, ranking: Ranking, started: float) -> Ranking:
    ANSWERS.labels(route, ranking.source).inc()
    REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)
    return ranking
