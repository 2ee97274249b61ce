"""Routes that read plainly valid requests themselves: FastAPI takes longer to read a request of the hottest routes than
they take to answer it.

A route is direct when its endpoint returns a Response and takes nothing but the request, the context, the caller, ids
of the path, one model of the query string, one model of a JSON body, and headers that need not be sent. A request whose
parts are valid and that sends none of those headers reaches the endpoint at once. Any other request is left to FastAPI
with its body whole: FastAPI refuses it, or calls the same endpoint. FastAPI documents the route either way.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from api.kernel import query_names
from api.kernel.actor import Actor
from api.kernel.auth import account_of, current_actor
from api.kernel.context import Context, context_of
from api.kernel.paths import LONGEST_ID

# Any, in this module: an endpoint's arguments, FastAPI's dependencies, and pydantic's field descriptions


class WrittenResponse(Response):
    """JSON with headers as they are sent: Starlette takes as long to write a few of them as a body takes to be sent."""

    def __init__(self, body: bytes, status: int, headers: dict[bytes, str]) -> None:
        """`headers`: by names in small letters; type and length are added."""
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *[(name, value.encode("latin-1")) for name, value in headers.items()],
        ]


class DirectRoute(APIRoute):
    """The route class of a router some of whose routes may be direct."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        returns = get_type_hints(endpoint).get("return")
        answers = isinstance(returns, type) and issubclass(returns, Response)
        self._reader = _Reader.of(self.dependant, path) if answers else None

    @property
    def is_direct(self) -> bool:
        return self._reader is not None

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """None when the request was answered; otherwise from where it can be read as if nobody had."""
        reader = self._reader
        if reader is None:
            return receive
        body, again = await _whole(receive) if reader.body else (b"", receive)
        if body is None:
            return again
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]):  # one is repeated
            return again
        request = Request(scope, again, send)
        arguments = reader.read(request, headers, body)
        if arguments is None:
            return again
        scope["route"] = self
        if reader.context is not None or reader.actor is not None:
            context = await context_of(request)
            if reader.context is not None:
                arguments[reader.context] = context
            if reader.actor is not None:
                name, actor_of = reader.actor
                arguments[name] = await actor_of(request, context, headers)
        for name, place, read in reader.ids:
            arguments[name] = await read(scope["path"].split("/")[place])
        response: Response = await self.endpoint(**arguments)
        await response(scope, receive, send)
        return None


@dataclass(frozen=True, slots=True)
class _Reader:
    """What an endpoint takes, by the name of the parameter; None: it takes no such thing.

    `ids`: with the place of each in the segments of a path, from its end, and what reads it. `headers`: that need not
    be sent.
    """

    request: str | None
    context: str | None
    actor: "tuple[str, _ActorOf] | None"
    ids: Sequence[tuple[str, int, Callable[[str], Awaitable[Any]]]]
    headers: frozenset[bytes]
    query: "tuple[str, _QueryReader] | None"
    body: tuple[str, type[BaseModel]] | None

    @classmethod
    def of(cls, needs: Dependant, path: str) -> "_Reader | None":
        """None when the endpoint takes something else."""
        known = {needed.call: needed.name or "" for needed in needs.dependencies if needed.call in _KNOWN}
        ids = [found for needed in needs.dependencies if (found := _id_in(needed, path)) is not None]
        others = (
            needs.path_params, needs.cookie_params, needs.dependencies[len(known) + len(ids) :],
            [header for header in needs.header_params if header.field_info.is_required()],
        )  # fmt: skip
        query, body = _one_model(needs.query_params), _one_model(needs.body_params)
        unread = (query is None and needs.query_params) or (body is None and needs.body_params)
        if any(others) or unread or needs.response_param_name or needs.background_tasks_param_name:
            return None
        return cls(
            request=needs.request_param_name,
            context=known.get(context_of),
            actor=next(((known[call], read) for call, read in _ACTORS.items() if call in known), None),
            ids=ids,
            headers=frozenset(header.alias.lower().encode() for header in needs.header_params),
            query=None if query is None else (query[0], _QueryReader(query[1])),
            body=body,
        )

    def read(self, request: Request, headers: "_Headers", body: bytes) -> dict[str, Any] | None:
        """The arguments of the request, its query string and its body; None when they are not plainly valid."""
        if not self.headers.isdisjoint(headers):
            return None
        segments = request.scope["path"].split("/") if self.ids else ()
        if any(len(segments[place]) > LONGEST_ID for _, place, _ in self.ids):
            return None
        arguments: dict[str, Any] = {} if self.request is None else {self.request: request}
        try:
            if self.query is not None:
                name, query = self.query
                arguments[name] = query.read(request.scope["query_string"])
            if self.body is not None:
                if headers.get(b"content-type") != b"application/json":
                    return None
                name, model = self.body
                arguments[name] = model.model_validate(orjson.loads(body))
        except (ValueError, RecursionError):  # pydantic's error is a ValueError
            return None
        return arguments


class _QueryReader:
    """Reads a query string as FastAPI does: of a repeated name the last value, or all where the field is a list."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self._lists = [field.alias or name for name, field in model.model_fields.items() if _is_list(field.annotation)]

    def read(self, query_string: bytes) -> BaseModel:
        """Raises: ValueError."""
        given = query_names.pairs(query_string)
        values: dict[str, str | list[str]] = dict(given)
        for name in self._lists:
            if name in values:
                values[name] = [value for other, value in given if other == name]
        return self._model.model_validate(values)


_Headers = Mapping[bytes, bytes]
_ActorOf = Callable[[Request, Context, _Headers], Awaitable[Actor]]


async def _account(request: Request, context: Context, headers: _Headers) -> Actor:
    return await account_of(request, context, _text(headers, b"authorization"))


async def _shopper(request: Request, context: Context, headers: _Headers) -> Actor:
    given = (_text(headers, b"authorization"), _text(headers, b"x-session-id"))
    return await current_actor(request, context, *given)


_ACTORS: dict[Callable[..., Any], _ActorOf] = {account_of: _account, current_actor: _shopper}
_KNOWN: set[Any] = {context_of, *_ACTORS}


def _id_in(needed: Dependant, path: str) -> tuple[str, int, Callable[[str], Awaitable[Any]]] | None:
    """The id that a dependency reads of the path and nothing else."""
    others = (
        needed.dependencies, needed.query_params, needed.header_params, needed.cookie_params, needed.body_params,
        needed.request_param_name,
    )  # fmt: skip
    if any(others) or len(needed.path_params) != 1 or needed.call is None or needed.name is None:
        return None
    segments, segment = path.split("/"), f"{{{needed.path_params[0].alias}}}"
    return (needed.name, segments.index(segment) - len(segments), needed.call) if segment in segments else None


def _one_model(fields: Sequence[Any]) -> tuple[str, type[BaseModel]] | None:
    if len(fields) != 1:
        return None
    info = fields[0].field_info
    model = info.annotation
    if isinstance(info, Form) or getattr(info, "embed", False):
        return None
    return (fields[0].name, model) if isinstance(model, type) and issubclass(model, BaseModel) else None


def _is_list(annotation: object) -> bool:
    kinds = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    return any(get_origin(kind) is list for kind in kinds)


def _text(headers: _Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def _whole(receive: Receive) -> tuple[bytes | None, Receive]:
    """The body, None when the caller has gone, and from where it can be read again."""
    pieces, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None, _before(message, receive)
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(pieces)
    return body, _before({"type": "http.request", "body": body}, receive)


def _before(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
