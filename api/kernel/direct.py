"""Routes that read their request themselves: FastAPI takes longer to read a request of the hottest pages than they take
to answer it. FastAPI documents these routes, and answers the other methods of their paths."""

from types import UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """Where the endpoint takes the request and one model of the query string, and nothing else, it is called with the
    two, and returns a Response; where it takes other things, this is FastAPI's own route."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:  # Any: as APIRoute's own
        super().__init__(path, endpoint, **options)
        model = self._model_of_query()
        self._reader = None if model is None else QueryReader(model)

    @property
    def is_direct(self) -> bool:
        return self._reader is not None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._reader is None or scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        scope["route"] = self
        asked = self._reader.read(scope["query_string"])
        response = await self.endpoint(Request(scope, receive, send), asked)
        await response(scope, receive, send)

    def _model_of_query(self) -> type[BaseModel] | None:
        needs = self.dependant
        others = (
            needs.dependencies, needs.path_params, needs.header_params, needs.cookie_params, needs.body_params,
        )  # fmt: skip
        if any(others) or len(needs.query_params) != 1 or needs.request_param_name is None:
            return None
        annotation = needs.query_params[0].field_info.annotation
        return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


class QueryReader:
    """Reads a query string as FastAPI does: of a repeated name the last value, or all where the field is a list."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self._lists = [field.alias or name for name, field in model.model_fields.items() if _is_list(field.annotation)]

    def read(self, query_string: bytes) -> BaseModel:
        """Raises: RequestValidationError."""
        given = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
        values: dict[str, str | list[str]] = dict(given)
        for name in self._lists:
            if name in values:
                values[name] = [value for other, value in given if other == name]
        try:
            return self._model.model_validate(values)
        except ValidationError as error:
            found = [{**one, "loc": ("query", *one["loc"])} for one in error.errors(include_url=False)]
            raise RequestValidationError(found) from error


def _is_list(annotation: object) -> bool:
    kinds = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    return any(get_origin(kind) is list for kind in kinds)
