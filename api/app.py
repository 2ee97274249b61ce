"""The API process: every noun's routes, errors as problem documents, health and metrics."""

import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Response
from fastapi_swagger import patch_fastapi
from starlette.routing import Route
from starlette.types import Scope

from api import nouns
from api.carts.changes import Streams
from api.catalog import pages
from api.catalog.lists import ProductLists
from api.catalog.tree.kept import KeptTree
from api.events.commands import EventSink
from api.identity.guard import SessionGuard
from api.kernel import failpoints, health, key_set, lake_report, logs, metrics, problem_types, problems
from api.kernel.auth import seller_of
from api.kernel.body_limits import Allowed, limit_of
from api.kernel.cache import PageCache
from api.kernel.context import Context, open_context
from api.kernel.errors import Problem, Unavailable, ValidationFailed
from api.kernel.middleware import RequestMiddleware
from api.kernel.ready import ReadyPages, ReadyTargets
from api.kernel.request_log import RequestLog
from api.kernel.routing import DirectAnswers, RouteIndex
from api.kernel.server import when_stopping
from api.kernel.settings import Settings, load_settings
from api.recommendations.recommender import Recommender
from api.search import engines
from api.search.answer.names import Names
from api.search.engine.synonyms import Current
from api.search.log.recorder import QueryLog
from api.search.stages.stages import Stages
from api.search.synonyms.kept import KeptSynonyms

ROUTERS = [(health.router, ""), (key_set.router, ""), (problem_types.router, ""), *nouns.routers()]


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; without settings, from the environment (the form uvicorn's workers use)."""
    configured = settings or load_settings()
    logs.configure(configured.log_level)
    failpoints.arm(configured.failpoints, nouns.failpoints())
    request_log = RequestLog() if configured.log_level in {"debug", "info"} else None

    cache = PageCache(
        configured.redis_url.get_secret_value(),
        pages.edition(configured),
        configured.page_cache_bytes,
        configured.database_read_max_lag_seconds,
    )
    ready = ReadyTargets(cache, configured.languages)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_context(configured) as context,
            cache.running(),
            QueryLog.running(context, sink := EventSink(context)) as query_log,
            Names.running(context) as names,
        ):
            app.state.context = context
            app.state.ready = ready
            app.state.session_guard = SessionGuard(context.db)
            app.state.event_sink, app.state.query_log = sink, query_log
            app.state.cart_streams = streams = Streams(context, configured.cart_streams)
            app.state.recommender, app.state.search_stages = Recommender(context, cache), Stages(context)
            app.state.search_names = names
            _finding(app, context, cache)
            # What is there now stays: a full collection that looks at all of it stalls every request for 0.1 s.
            gc.freeze()
            with when_stopping(streams.close):
                yield
            await app.state.search_index.close()
            gc.unfreeze()
        if request_log is not None:
            request_log.close()

    app = FastAPI(
        title="Souk",
        version="1",
        summary="A marketplace whose core is its data platform.",
        description=(
            "<details><summary>Errors are RFC 9457 problem documents; their"
            f" types</summary>\n\n{problem_types.table()}\n\n</details>"
        ),
        lifespan=lifespan,
        # FastAPI's own; asked for at each request. Ours are in /metrics and the request's line.
        telemetry={"tracing": False, "metrics": False, "logs": False},
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
    index = include(app, ROUTERS)
    app.add_middleware(DirectAnswers, index=index)
    app.add_middleware(ReadyPages, pages=ready)

    def longest(scope: Scope) -> Allowed:
        """Only a seller's body may be longer than usual, which is known before anything of it is read."""
        limit = limit_of(index.original(scope["method"], scope["path"]), configured)
        usual = configured.max_body_bytes
        sender = seller_of(app.state.context.keys, scope) if limit > usual else None
        return Allowed(min(limit, usual) if sender is None else limit, sender)

    app.add_middleware(
        RequestMiddleware,
        max_body_bytes=configured.max_body_bytes,
        log=request_log,
        longest=longest,
        long_bodies=configured.long_bodies,
        long_bodies_each=configured.long_bodies_each,
    )

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        body, media_type = metrics.render()
        return Response(body + lake_report.render_metrics(configured.home), media_type=media_type)

    return app


def _finding(app: FastAPI, context: Context, cache: PageCache) -> None:
    """What lists and search find products with."""
    app.state.synonyms = synonyms = KeptSynonyms(context, cache, Current())
    app.state.search_index = index = engines.index_of(context.settings, synonyms.current)
    app.state.category_tree = tree = KeptTree(context, cache)
    app.state.product_lists = ProductLists(context, tree, index)


def include(app: FastAPI, routers: Iterable[tuple[APIRouter, str]]) -> RouteIndex:
    """Include the routers, each with its prefix, behind an index of their routes."""
    index = RouteIndex()
    app.router.routes.insert(0, index)
    for router, prefix in routers:
        for route in router.routes:
            # Each route alone, so that it is not searched for again among its router's.
            alone = APIRouter()
            alone.routes.append(route)
            app.include_router(alone, prefix=prefix)
            if isinstance(route, Route):
                index.add(prefix + route.path, app.router.routes[-1], route)
    return index
