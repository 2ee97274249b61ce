"""Refusals in the protocol's own form: `type`, `code`, `message`, and `param`, an RFC 9535 JSONPath, where one field is
meant."""

import re
from collections.abc import Mapping
from typing import Literal

import orjson
from fastapi import Response

Kind = Literal["invalid_request", "processing_error", "service_unavailable"]
_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class Refused(Exception):
    """Why there is no session in the answer. `more`: members next to the protocol's four."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: Kind = "invalid_request",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        named = {} if param is None else {"param": param}
        self.body: dict[str, object] = {"type": kind, "code": code, "message": message, **named, **(more or {})}

    def response(self) -> Response:
        return Response(orjson.dumps(self.body), self.status, self.headers, "application/json")


def json_path(pointer: str) -> str | None:
    """The JSONPath of an RFC 6901 pointer into the body; None for a header and other parts of a request."""
    steps = pointer.split("/")[1:]
    if steps and steps[0] in {"header", "query", "path"}:
        return None
    return "$" + "".join(map(_step, (step.replace("~1", "/").replace("~0", "~") for step in steps)))


def _step(step: str) -> str:
    if step.isdigit():
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    quoted = step.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{quoted}']"
