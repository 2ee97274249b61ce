"""Exception handlers: the only place where an error becomes a response, an RFC 9457 document."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.kernel import errors
from api.kernel.db import is_unavailable
from api.kernel.errors import PROBLEM_MEDIA_TYPE, Problem, ProblemDocument
from api.kernel.logs import get_logger, trace_id
from api.kernel.pointers import field_errors

log = get_logger(__name__)

_BY_STATUS: dict[int, type[Problem]] = {
    400: errors.MalformedRequest,
    401: errors.NotAuthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.BodyTooLarge,
}


def install(app: FastAPI) -> None:
    """Register the handlers. Any other exception becomes a 500 without detail and a log line with its traceback."""
    for kind, convert in _KINDS.items():
        app.add_exception_handler(kind, _handle(convert))
    app.add_exception_handler(Exception, _handle(_from_anything))


def problem_of(error: Exception) -> Problem | None:
    """The problem that the error stands for; None for one that nobody expected."""
    return next((convert(error) for kind, convert in _KINDS.items() if isinstance(error, kind)), None)


def responses(
    *kinds: type[Problem],
) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type for OpenAPI fragments
    """The OpenAPI `responses` of a route that can raise these; problems that share a status are listed together."""
    documented: dict[int | str, dict[str, Any]] = {}  # Any: as above
    for kind in kinds:
        entry = documented.setdefault(
            kind.status, {"model": ProblemDocument, "content": {PROBLEM_MEDIA_TYPE: {}}, "description": ""}
        )
        entry["description"] = " / ".join(filter(None, [entry["description"], f"{kind.title} (`{kind.code}`)"]))
    return documented


def render(problem: Problem, instance: str) -> Response:
    """The problem as a response; members that are None are left out."""
    document: dict[str, Any] = {  # Any: JSON
        "type": problem.type_uri(),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "traceId": trace_id.get(),
    }
    if problem.errors:
        document["errors"] = [error.model_dump() for error in problem.errors]
    document.update(problem.extra)
    return Response(orjson.dumps(document, default=str), problem.status, dict(problem.headers), PROBLEM_MEDIA_TYPE)


def unexpected(error: Exception) -> Problem:
    """A 500 without detail, and a log line with the traceback."""
    return _from_anything(error)


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:  # Any: OpenAPI
    """The document with error bodies under their real media type (FastAPI files every model under application/json),
    and with the responses of the middleware: 413 where there is a body, 401 where a token is checked."""
    build = app.openapi

    def document() -> dict[str, Any]:  # Any: as above
        if app.openapi_schema is None:
            for methods in build()["paths"].values():
                for operation in methods.values():
                    _complete(operation)
        return build()

    return document


def _complete(operation: dict[str, Any]) -> None:  # Any: OpenAPI
    answers = operation["responses"]
    for answer in answers.values():
        content = answer.get("content", {})
        if PROBLEM_MEDIA_TYPE in content and "application/json" in content:
            content[PROBLEM_MEDIA_TYPE] = content.pop("application/json")
    kinds: list[type[Problem]] = [errors.BodyTooLarge] if "requestBody" in operation else []
    if any(parameter["name"] == "authorization" for parameter in operation.get("parameters", [])):
        kinds.append(errors.NotAuthenticated)
    document = {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}
    for kind in kinds:
        answers.setdefault(
            str(kind.status),
            {"description": f"{kind.title} (`{kind.code}`)", "content": {PROBLEM_MEDIA_TYPE: document}},
        )


def _handle(
    convert: Callable[[Any], Problem],
) -> Callable[[Request, Exception], Awaitable[Response]]:  # Any: each takes its own kind
    async def handler(request: Request, error: Exception) -> Response:
        return render(convert(error), request.url.path)

    return handler


def _from_problem(error: Problem) -> Problem:
    return error


def _from_validation(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return errors.MalformedRequest("The body is not valid JSON.")
    fields = field_errors(found, error.body)
    return errors.ValidationFailed("Correct the fields named in `errors` and send it again.", errors=fields)


def _from_http(error: HTTPException) -> Problem:
    # FastAPI turns every exception while the body is read into a 400; the original problem is more specific.
    if isinstance(error.__cause__, Problem):
        return error.__cause__
    kind = _BY_STATUS.get(error.status_code, errors.MalformedRequest if error.status_code < 500 else errors.Unavailable)
    problem = kind(error.detail if error.status_code != 404 else "There is nothing at this address.")
    problem.headers.update(error.headers or {})
    return problem


def _from_database(error: psycopg.Error) -> Problem:
    if isinstance(error, psycopg.DataError):
        # A value that passed the schema and that Postgres cannot store (a text with a NUL, a
        # number out of range) is the client's error.
        log.warning("a value cannot be stored", sqlstate=error.sqlstate)
        return errors.ValidationFailed(
            "A value cannot be stored as it is: look for NUL characters and numbers out of range."
        )
    if is_unavailable(error):
        log.warning("database unavailable", sqlstate=error.sqlstate, reason=str(error).partition("\n")[0])
        return errors.Unavailable("The database does not answer just now; nothing was changed.")
    return _from_anything(error)


def _from_anything(error: Exception) -> Problem:
    log.error("unhandled error", exc_info=error)
    return Problem("Something went wrong on our side. Quote the traceId when you report it.")


_KINDS: dict[type[Exception], Callable[[Any], Problem]] = {  # Any: each takes its own kind
    Problem: _from_problem,
    RequestValidationError: _from_validation,
    HTTPException: _from_http,
    psycopg.Error: _from_database,
}
