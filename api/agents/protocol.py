"""Routes whose refusals are in the protocol's form, and whose answers carry the headers that it wants back."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.agents.errors import Kind, Refused, json_path
from api.kernel.errors import NotAuthenticated, Problem
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight
from api.kernel.pointers import field_errors
from api.kernel.problems import problem_of, unexpected

ECHOED = ("idempotency-key", "request-id")
_CODES: dict[type[Problem], str] = {
    NotAuthenticated: "unauthorized",
    IdempotencyKeyMissing: "idempotency_key_required",
    IdempotencyKeyReused: "idempotency_conflict",
    RequestInFlight: "idempotency_in_flight",
}
_CODES_OF_FIELDS = {"missing": "missing", "unsupported": "unsupported"}


class ErrorBody(BaseModel):
    """A refusal of the protocol. `supported_versions`: where the version is why."""

    type: Kind
    code: str
    message: str
    param: str | None = None
    supported_versions: list[str] | None = None


# Any: FastAPI's own type for OpenAPI fragments.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": words}
    for status, words in {
        400: "Not valid, of another version, without an Idempotency-Key, or with what is not supported",
        401: "No partner's token, or a wrong signature",
        404: "No such session of this partner",
        409: "In flight, or the session has ended",
        422: "The Idempotency-Key was used for another body",
        500: "An error of the shop's",
        503: "Try again with the same key",
    }.items()
}


class ProtocolRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # Any: FastAPI's own signature
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 - whatever it is, the agent reads one form
                response = refusal_of(error).response()
            for name in ECHOED:
                if name in request.headers and (request.method == "POST" or name == "request-id"):
                    response.headers[name] = request.headers[name]
            return response

        return answer


def refusal_of(error: Exception) -> Refused:
    """The error in the protocol's form; one that nobody expected is logged."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RequestValidationError):
        return _of_fields(error)
    problem = problem_of(error) or unexpected(error)
    kind: Kind = "invalid_request"
    if problem.status >= 500:
        kind = "service_unavailable" if problem.status == 503 else "processing_error"
    code = _CODES.get(type(problem), problem.code.replace("-", "_"))
    return Refused(problem.status, code, problem.detail, kind=kind, headers=problem.headers)


def _of_fields(error: RequestValidationError) -> Refused:
    """The first field that is wrong."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Refused(400, "invalid", "The body is not valid JSON.")
    (field,) = field_errors([first], error.body)
    return Refused(400, _CODES_OF_FIELDS.get(first["type"], "invalid"), field.message, param=json_path(field.pointer))
