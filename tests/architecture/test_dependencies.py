"""What a request depends on runs on the event loop: a plain function is run in a thread, which costs more than most
routes."""

import inspect
from collections.abc import Iterator

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from api.app import ROUTERS


def in_threads(app: FastAPI) -> Iterator[str]:
    """Routes and dependencies that are plain functions."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route if hasattr(context, "original_route") else context
        if isinstance(route, APIRoute):
            yield from (f"{route.path}: write `async def {name}`" for name in _plain(route.dependant))


def _plain(dependant: Dependant) -> Iterator[str]:
    if dependant.call is not None and not inspect.iscoroutinefunction(dependant.call):
        yield dependant.call.__name__
    for below in dependant.dependencies:
        yield from _plain(below)


def test_no_route_and_no_dependency_runs_in_a_thread() -> None:
    app = FastAPI()
    for router, prefix in ROUTERS:
        app.include_router(router, prefix=prefix)
    assert sorted(set(in_threads(app))) == []


def test_a_plain_dependency_below_another_is_named() -> None:
    def plain() -> int:
        return 1

    async def above(number: int = Depends(plain)) -> int:
        return number

    app = FastAPI()

    @app.get("/x")
    async def route(number: int = Depends(above)) -> int:
        return number

    assert list(in_threads(app)) == ["/x: write `async def plain`"]
