"""Requests in the form that nearly all have, answered without FastAPI's layers and its reading of parameters.

An endpoint's lean form gets a request and its whole body. It answers what is plainly valid as the endpoint does, by
calling it. For anything else it returns None, and FastAPI reads the request, and refuses it or calls the endpoint.
FastAPI documents it either way; errors of the endpoint are answered alike. A test compares the two.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from api.kernel.actor import Actor
from api.kernel.auth import current_actor
from api.kernel.context import Context

Form = Callable[[Request, bytes], Awaitable[Response | None]]
E = TypeVar("E", bound=Callable[..., Any])  # Any: an endpoint's own parameters
B = TypeVar("B", bound=BaseModel)
_FORM = "lean_form"


def lean(form: Form) -> Callable[[E], E]:
    """Give an endpoint of a POST route whose path has no parameters its lean form."""

    def given(endpoint: E) -> E:
        setattr(endpoint, _FORM, form)
        return endpoint

    return given


@dataclass(frozen=True, slots=True)
class LeanForm:
    """The lean form of a route."""

    route: APIRoute
    form: Form

    @classmethod
    def of(cls, route: object) -> "LeanForm | None":
        form: Form | None = getattr(route.endpoint, _FORM, None) if isinstance(route, APIRoute) else None
        return cls(route, form) if form is not None and isinstance(route, APIRoute) else None

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """None when the request was answered; otherwise from where its body can be read as if nobody had."""
        message = await receive()
        body = [message.get("body", b"")]
        while message["type"] == "http.request" and message.get("more_body", False):
            message = await receive()
            body.append(message.get("body", b""))
        if message["type"] != "http.request":  # the caller has gone
            return _from(message, receive)
        whole = b"".join(body)
        response = await self.form(Request(scope), whole)
        if response is None:
            return _from({"type": "http.request", "body": whole}, receive)
        scope["route"] = self.route
        await response(scope, receive, send)
        return None


def _from(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def headers_of(request: Request) -> dict[bytes, bytes] | None:
    """The headers by name; None when a name comes twice."""
    listed: list[tuple[bytes, bytes]] = request.scope["headers"]
    headers = dict(listed)
    return headers if len(headers) == len(listed) else None


def model_of(headers: dict[bytes, bytes], body: bytes, model: type[B]) -> B | None:
    """The body as FastAPI reads it; None when it is not plainly the JSON of such a model."""
    if headers.get(b"content-type") != b"application/json":
        return None
    try:
        return model.model_validate(json.loads(body))
    except (ValueError, RecursionError):  # pydantic's error is a ValueError
        return None


async def actor_of(request: Request, ctx: Context, headers: dict[bytes, bytes]) -> Actor:
    """The caller. Raises: as `current_actor`."""
    authorization, session = headers.get(b"authorization"), headers.get(b"x-session-id")
    return await current_actor(
        request,
        ctx,
        None if authorization is None else authorization.decode("latin-1"),
        None if session is None else session.decode("latin-1"),
    )
