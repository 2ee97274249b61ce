"""Answers from ready pages: `ReadyPages` stands before the routes and answers a page that this process has without
them; a route answers the others with `serve`."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.kernel import clock, etags, metrics
from api.kernel.cache import Build, Page, PageCache, PageKey, Source, build_page
from api.kernel.compression import MIN_BYTES
from api.kernel.languages import HEADER, Languages

_MOST_TARGETS, _LONGEST_TARGET = 20_000, 500
_STATUS = {
    "process": b"souk-process; hit",
    "redis": b"souk-redis; hit",
    "built": b"souk; fwd=miss; stored",
    "bypassed": b"souk; fwd=bypass",
}
# Shared caches may keep it, and ask before each use whether it has changed.
_CONTROL = b"public, no-cache"
_VARY = (b"vary", b"Accept-Encoding")
_VARY_LANGUAGE, _VARY_BOTH = (b"vary", b"Accept-Language"), (b"vary", b"Accept-Language, Accept-Encoding")

Headers = list[tuple[bytes, bytes]]


class ReadyResponse(Response):
    """A page, or 304 when the caller has it."""

    def __init__(self, page: Page, key: PageKey, source: Source, headers: dict[bytes, bytes]) -> None:
        self.status_code, self.raw_headers, self.body = _answer(page, key, source, headers)
        self.background = None


class ReadyPages:
    """Answers GET requests whose page this process has, by their path and query string as they were sent.

    A request that says who asks goes to the routes where the page depends on that.
    """

    def __init__(self, app: ASGIApp, pages: "ReadyTargets") -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.pages.find(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        page, key, headers = found
        status, answered, body = _answer(page, key, "process", headers)
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path and query string ask for. `heard`: the header says in which language; the key of each one's page
    that was asked for. Otherwise there is one key, under None."""

    route: object
    checks_caller: bool
    heard: bool
    keys: dict[str | None, PageKey]


class ReadyTargets:
    """Which page a path and query string ask for, in which language, as a route once said."""

    def __init__(self, cache: PageCache, languages: Languages) -> None:
        self.cache = cache
        self._languages = languages
        self._targets: OrderedDict[tuple[str, bytes], _Target] = OrderedDict()

    def find(self, scope: Scope) -> tuple[Page, PageKey, dict[bytes, bytes]] | None:
        """The page, its key, and the request's headers."""
        target = self._targets.get((scope["path"], scope["query_string"]))
        if target is None:
            return None
        headers = dict(scope["headers"])
        if target.checks_caller and b"authorization" in headers:
            return None
        key = target.keys.get(self._languages.heard(headers.get(HEADER)) if target.heard else None)
        page = None if key is None else self.cache.kept(key)
        if key is None or page is None:
            return None
        scope["route"] = target.route  # the label of the metrics
        return page, key, headers

    async def serve(
        self,
        request: Request,
        key: PageKey,
        build: Build,
        *,
        checks_caller: bool,
        keep: bool = True,
        everybodys: bool = True,
        heard: bool = False,
    ) -> Response:
        """The page as a response; the next request for the same target is answered without the route.

        `checks_caller`: whether the route refuses callers whose credentials are not valid. `keep` False: the page is
        built for this request only. `everybodys` False: it is kept, and only the route knows for whom. `heard`: the
        header has decided on the page's language, and not the query.
        """
        headers = dict(request.scope["headers"])
        if not keep:
            metrics.page_served(key.kind, "bypassed")
            return ReadyResponse(await build_page(build, may_lag=True), key, "bypassed", headers)
        page, source = await self.cache.page(key, build)
        asked = (request.scope["path"], request.scope["query_string"])
        if everybodys and source != "bypassed" and len(asked[0]) + len(asked[1]) <= _LONGEST_TARGET:
            # A product's page has another key each half hour; those of other languages stay, which are asked for less.
            known = self._targets.get(asked)
            keys = known.keys if known is not None and known.heard and heard else {}
            self._targets[asked] = _Target(
                request.scope.get("route"), checks_caller, heard, {**keys, key.language if heard else None: key}
            )
            if len(self._targets) > _MOST_TARGETS:
                self._targets.popitem(last=False)
        return ReadyResponse(page, key, source, headers)


async def targets_of(request: Request) -> ReadyTargets:
    """The application's ready pages."""
    return cast("ReadyTargets", request.app.state.ready)


Ready = Annotated[ReadyTargets, Depends(targets_of)]


def _answer(page: Page, key: PageKey, source: Source, headers: dict[bytes, bytes]) -> tuple[int, Headers, bytes]:
    tag = page.etag.encode()
    answered: Headers = [
        (b"etag", tag),
        (b"cache-control", _CONTROL),
        (b"age", str(max(0, int(clock.now().timestamp() - page.built))).encode()),
        (b"cache-status", _STATUS[source]),
    ]
    body = page.body
    compressed = len(body) >= MIN_BYTES
    if key.language is not None:
        answered += ((b"content-language", key.language.encode()), _VARY_BOTH if compressed else _VARY_LANGUAGE)
    elif compressed:
        answered.append(_VARY)
    asked = headers.get(b"if-none-match")
    if asked is not None and etags.matches(asked.decode("latin-1"), page.etag):
        return 304, answered, b""
    if compressed and b"gzip" in headers.get(b"accept-encoding", b""):
        body = page.gzip
        answered.append((b"content-encoding", b"gzip"))
    answered += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return 200, answered, body
