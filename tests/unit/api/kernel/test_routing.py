"""The index leads where a search of all routes leads, for every route of the shop and for paths made of their parts."""

import random
from collections.abc import Iterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from api.app import ROUTERS, include
from api.kernel.routing import RouteIndex

PATHS = [
    (prefix + route.path, sorted(route.methods or ()))
    for router, prefix in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = FastAPI()
    include(app, ROUTERS)
    return app


def scope_of(method: str, path: str) -> Scope:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


def searched(app: FastAPI, method: str, path: str) -> object:
    """The first route that matches, found without the index."""
    return next(
        (
            route
            for route in app.router.routes
            if not isinstance(route, RouteIndex) and route.matches(scope_of(method, path))[0] == Match.FULL
        ),
        None,
    )


def held(route: object) -> object:
    """The route itself: the shop includes each in a router of its own."""
    router = getattr(route, "original_router", None)
    if router is None:
        return route
    (only,) = router.routes
    return only


def index_of(app: FastAPI) -> RouteIndex:
    return next(route for route in app.router.routes if isinstance(route, RouteIndex))


def paths() -> Iterator[str]:
    """Paths of the routes with values for their parameters, and paths made of the segments of others."""
    segments = sorted({segment for path, _ in PATHS for segment in path.split("/")[1:]} | {"", "x y", "ü"})
    for path, _ in PATHS:
        yield path
        yield path + "/"
    draw = random.Random(7)
    for _ in range(300):
        known = draw.choice(PATHS)[0].split("/")
        known[draw.randrange(1, len(known))] = draw.choice(segments)
        yield "/".join(known)


def test_every_route_is_found_at_once_and_is_the_one_that_a_search_finds(app: FastAPI) -> None:
    index = index_of(app)
    assert len(PATHS) > 40
    for path, methods in PATHS:
        for method in methods:
            found = index.find(method, path)
            assert found is not None, f"{method} {path} is not in the index"
            assert held(found) is held(searched(app, method, path)), f"{method} {path}: another route comes first"


def test_the_index_never_leads_elsewhere_than_a_search(app: FastAPI) -> None:
    index, found = index_of(app), 0
    for path in paths():
        for method in METHODS:
            if (route := index.find(method, path)) is not None:
                found += 1
                assert held(route) is held(searched(app, method, path)), f"{method} {path}"
    assert found > 100


async def test_what_the_index_does_not_know_is_answered_as_before() -> None:
    first, second = APIRouter(), APIRouter(prefix="/things")

    @first.get("/files/{path:path}")
    async def file(path: str) -> str:
        return path

    @second.get("/{thing}")
    async def thing(thing: str) -> str:
        return thing

    app = FastAPI()
    include(app, [(first, ""), (second, "/v1")])
    known = index_of(app)
    assert held(known.find("GET", "/files/a/b")) is held(searched(app, "GET", "/files/a/b"))
    assert (known.find("POST", "/files/a/b"), known.find("GET", "/file/a")) == (None, None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/files/a/b")).json() == "a/b"
        assert (await client.get("/v1/things/one")).json() == "one"
        assert (await client.get("/v1/things/one%2Ftwo")).status_code == 404
        assert (await client.get("/v1/things/")).status_code == 404
        wrong = await client.post("/v1/things/one")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
        assert (await client.get("/v1/things/one/", follow_redirects=False)).status_code == 307
        assert app.url_path_for("thing", thing="one") == "/v1/things/one"
        assert sorted((await client.get("/openapi.json")).json()["paths"]) == ["/files/{path}", "/v1/things/{thing}"]


def test_a_written_out_segment_behind_a_parameter_is_seen(app: FastAPI) -> None:
    """Negative control: in this order a search finds the parameter, the index the written out segment."""
    router = APIRouter()

    @router.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    @router.get("/things/mine")
    async def mine() -> str:
        return ""

    other = FastAPI()
    index = include(other, [(router, "")])
    assert held(index.find("GET", "/things/mine")) is not held(searched(other, "GET", "/things/mine"))
