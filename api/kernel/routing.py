"""Finds the route of a request by the segments of its path.

FastAPI compares a path with every route in turn, which for the shop's routes costs more than answering. `RouteIndex` is
the first of an application's routes and leads to the right one at once. What it does not know (a wrong method, an
unknown path, a route whose parameter holds several segments and is not the last) is left to the routes after it.

It also refuses query parameters that the route does not take.
"""

from typing import Any, NoReturn

from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

from api.kernel.direct import DirectRoute
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
        """`path` as FastAPI writes it, `original` as its router has it, which is asked before `route` where it is
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
        if scope["query_string"] and (named := self._names.get(id(route))) is not None:
            names, scope["route"] = named  # the label of the metrics
            names.check(scope["query_string"])
        direct = self._direct.get(id(route))
        again = receive if direct is None else await direct.answer(scope, receive, send)
        if again is not None:
            await route.handle(scope, again, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:  # Any: Starlette's own signature
        raise NoMatchFound(name, path_params)


def _plain(segment: str) -> str | None:
    """A key of the tree; None for a segment that is matched by more than equality."""
    if "{" not in segment:
        return segment
    name, _, ending = segment.partition("}")
    whole = name.startswith("{") and segment.count("{") == 1 and ":" not in name
    # What follows the parameter is an ending as of a file: ".pdf".
    known = not ending or (ending.startswith(".") and "." not in ending[1:] and len(ending) > 1)
    return _PARAMETER + ending if whole and known else None
