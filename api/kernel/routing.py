"""Finds the route of a request by the segments of its path, and asks direct routes before the framework's layers.

FastAPI compares a path with every route in turn, which for the shop's routes costs more than answering. `RouteIndex` is
the first of an application's routes and leads to the right one at once. What it does not know (a wrong method, an
unknown path, a route whose parameter holds several segments and is not the last) is left to the routes after it.

It also refuses query parameters that the route does not take. `DirectAnswers` stands before FastAPI's handling of
errors, its exit stack and its search of routes, which a direct route does not need.
"""

from typing import Any, NoReturn

from starlette.requests import Request
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.kernel.direct import DirectRoute
from api.kernel.problems import problem_of, render
from api.kernel.query_names import QueryNames

_FOUND = "souk.route"
_PARAMETER = "{}"


class _Node:
    """A place in the tree of segments. `routes`: those that end here, by method; `rest`: those that take all segments
    that follow."""

    __slots__ = ("below", "rest", "routes")

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.routes: dict[str, BaseRoute] = {}
        self.rest: dict[str, BaseRoute] = {}


class RouteIndex(BaseRoute):
    """A tree of path segments. A segment that is written out goes before a parameter in the same place."""

    def __init__(self) -> None:
        self._root = _Node()
        self._direct: dict[int, DirectRoute] = {}
        self._names: dict[int, tuple[QueryNames, Route]] = {}
        self._originals: dict[int, Route] = {}

    def add(self, path: str, route: BaseRoute, original: Route) -> None:
        """`path` as FastAPI writes it, `original` as its router has it, which `DirectAnswers` asks where it is
        direct; the first route of a path and method stays."""
        segments = path.split("/")[1:]
        rest = segments[-1].startswith("{") and segments[-1].endswith(":path}")
        segments = segments[:-1] if rest else segments
        if any(_plain(segment) is None for segment in segments):
            return
        node = self._root
        for segment in segments:
            node = node.below.setdefault(_plain(segment) or "", _Node())
        for method in original.methods or ():
            (node.rest if rest else node.routes).setdefault(method, route)
        self._originals[id(route)] = original
        if isinstance(original, DirectRoute) and original.is_direct:
            self._direct[id(route)] = original
        if (names := QueryNames.of(original)) is not None:
            self._names[id(route)] = names, original

    def find(self, method: str, path: str) -> BaseRoute | None:
        """The route, None when only a search of all routes can tell."""
        node: _Node = self._root
        rest: BaseRoute | None = None
        for segment in path.split("/")[1:]:
            rest = node.rest.get(method, rest)
            below = node.below
            # A parameter holds at least one character.
            found = below.get(segment)
            if found is None and segment:
                stem, dot, ending = segment.rpartition(".")
                found = (below.get(_PARAMETER + dot + ending) if stem else None) or below.get(_PARAMETER)
            if found is None:
                return rest
            node = found
        return node.routes.get(method, rest)

    def original(self, method: str, path: str) -> Route | None:
        """The route as its router has it, None as in `find`."""
        return self._originals.get(id(self.find(method, path)))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope.get("root_path"):
            return Match.NONE, {}
        route = self.find(scope["method"], scope["path"])
        return (Match.NONE, {}) if route is None else (Match.FULL, {_FOUND: route})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: BaseRoute = scope[_FOUND]
        self.check_names(route, scope)
        await route.handle(scope, receive, send)

    def check_names(self, route: BaseRoute, scope: Scope) -> None:
        """Raises: ValidationFailed for a query parameter that the route does not take."""
        if scope["query_string"] and (named := self._names.get(id(route))) is not None:
            names, scope["route"] = named  # the label of the metrics
            names.check(scope["query_string"])

    def direct_route(self, scope: Scope) -> tuple[BaseRoute, DirectRoute] | None:
        """The route of the request with the direct one that it stands for, if there is one."""
        if scope["type"] != "http" or scope.get("root_path"):
            return None
        route = self.find(scope["method"], scope["path"])
        direct = self._direct.get(id(route))
        return None if route is None or direct is None else (route, direct)

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:  # Any: Starlette's own signature
        raise NoMatchFound(name, path_params)


class DirectAnswers:
    """Lets a direct route answer; what it leaves, and every other request, goes to the application."""

    def __init__(self, app: ASGIApp, index: RouteIndex) -> None:
        self.app = app
        self._index = index

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._index.direct_route(scope)
        again: Receive | None = receive
        if found is not None:
            try:
                route, direct = found
                self._index.check_names(route, scope)
                again = await direct.answer(scope, receive, send)
            except Exception as error:
                problem = problem_of(error)
                if problem is None:
                    raise
                await render(problem, Request(scope).url.path)(scope, receive, send)
                return
        if again is not None:
            await self.app(scope, again, send)


def _plain(segment: str) -> str | None:
    """A key of the tree; None for a segment that is matched by more than equality."""
    if "{" not in segment:
        return segment
    name, _, ending = segment.partition("}")
    whole = name.startswith("{") and segment.count("{") == 1 and ":" not in name
    # What follows the parameter is an ending as of a file: ".pdf".
    known = not ending or (ending.startswith(".") and "." not in ending[1:] and len(ending) > 1)
    return _PARAMETER + ending if whole and known else None
