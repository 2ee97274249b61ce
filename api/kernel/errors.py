"""Errors as RFC 9457 problem documents: one base class, one shape, every subclass in OpenAPI."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel, Field

PROBLEM_MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One refused field: `pointer` is an RFC 6901 JSON pointer into the request body (empty for the whole), or
    `/query/NAME`, `/header/NAME`, `/path/NAME`."""

    pointer: str
    message: str


class ProblemDocument(BaseModel):
    """The body of every error answer."""

    type: str = Field(examples=["https://souk.example/problems/out-of-stock"])
    title: str
    status: int
    detail: str
    instance: str
    traceId: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """Raise a subclass anywhere below a route. `detail` tells the client what to do; it
    never contains a stack trace, query or token.

    `extra` members are added to the document (camelCase keys); `headers` to the response.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    code: ClassVar[str] = "internal-error"

    def __init__(
        self,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,  # Any: JSON members of any type, by RFC 9457 section 3.2
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extra = extra or {}

    @classmethod
    def type_uri(cls) -> str:
        """A relative reference, resolved against the API's own address; it leads to the problem's page."""
        return f"/problems/{cls.code}"


class ValidationFailed(Problem):
    status, title, code = 422, "The request is not valid", "validation-failed"


class MalformedRequest(Problem):
    status, title, code = 400, "The request cannot be read", "malformed-request"


class NotAuthenticated(Problem):
    status, title, code = 401, "Sign in first", "not-authenticated"


class Forbidden(Problem):
    status, title, code = 403, "Not allowed", "forbidden"


class NotFound(Problem):
    status, title, code = 404, "Not found", "not-found"


class MethodNotAllowed(Problem):
    status, title, code = 405, "Method not allowed", "method-not-allowed"


class Conflict(Problem):
    status, title, code = 409, "Conflict", "conflict"


class PreconditionFailed(Problem):
    status, title, code = 412, "It changed in the meantime", "precondition-failed"


class BodyTooLarge(Problem):
    status, title, code = 413, "The body is too large", "body-too-large"


class TooManyRequests(Problem):
    """`Retry-After` says when the next one is taken."""

    status, title, code = 429, "Too many requests", "too-many-requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class Unavailable(Problem):
    """A dependency does not answer; nothing was changed, so a retry is safe."""

    status, title, code = 503, "Try again shortly", "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


def problem_types() -> Iterator[type[Problem]]:
    """Every problem class, base first; the nouns must be imported before."""
    stack: list[type[Problem]] = [Problem]
    while stack:
        kind = stack.pop()
        yield kind
        stack.extend(kind.__subclasses__())
