"""The API process: every noun's routes, errors as problem documents, health and metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi_swagger import patch_fastapi

from api import nouns
from api.events.commands import EventSink
from api.identity.guard import SessionGuard
from api.kernel import failpoints, health, lake_report, logs, metrics, problem_types, problems
from api.kernel.context import Ctx, open_context
from api.kernel.errors import Problem, Unavailable, ValidationFailed
from api.kernel.middleware import RequestMiddleware
from api.kernel.settings import Settings, load_settings
from api.recommendations.recommender import Recommender
from api.search.engine.store import IndexStore
from api.search.engine.tantivy_index import TantivyIndex

ROUTERS = nouns.routers()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; without settings, from the environment (the form uvicorn's workers use)."""
    configured = settings or load_settings()
    logs.configure(configured.log_level)
    failpoints.arm(configured.failpoints, nouns.failpoints())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_context(configured) as context:
            app.state.context = context
            app.state.session_guard = SessionGuard(context.db)
            app.state.event_sink = EventSink(context)
            app.state.recommender = Recommender(context)
            app.state.search_index = TantivyIndex(IndexStore(configured.home / "search"))
            yield

    app = FastAPI(
        title="Souk",
        version="1",
        summary="A marketplace whose core is its data platform.",
        description=(
            "<details><summary>Errors are RFC 9457 problem documents; their"
            f" types</summary>\n\n{problem_types.table()}\n\n</details>"
        ),
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        responses=problems.responses(ValidationFailed, Problem, Unavailable),
    )
    patch_fastapi(
        app,
        title="Souk's API",
        swagger_ui_parameters={"filter": True, "docExpansion": "none", "persistAuthorization": True},
    )
    problems.install(app)
    app.openapi = problems.openapi_of(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(RequestMiddleware, max_body_bytes=configured.max_body_bytes)
    app.include_router(health.router)
    app.include_router(problem_types.router)
    for router, prefix in ROUTERS:
        app.include_router(router, prefix=prefix)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        body, media_type = metrics.render()
        return Response(body + lake_report.render_metrics(configured.home), media_type=media_type)

    @app.get(
        "/.well-known/jwks.json",
        operation_id="getSigningKeys",
        tags=["identity"],
        summary="The public keys that sign access tokens",
    )
    async def jwks(ctx: Ctx) -> dict[str, list[dict[str, str]]]:
        return ctx.keys.jwks()

    return app
