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

from serving.metrics import ANSWERS, REQUEST_SECONDS
from serving.recommender.product_features import ProductFeaturesReader
from serving.recommender.recommend import Guards, for_you, open_guards, related
from serving.recommender.schemas import ForYouRequest, Ranking, RelatedRequest, ReloadAnswer
from serving.recommender.shoppers import Shoppers
from serving.recommender.state import State
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
    watching = asyncio.create_task(state.watch())
    try:
        yield Context(settings, state, shoppers, guards, toxicity)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
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
